package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	_ "embed"
)

// table is a heading and rows of as many cells.
type table [][]string

// text aligns the columns for a terminal.
func (t table) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range t {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	return b.String()
}

// Markdown is the same table in a document.
func (t table) Markdown() string {
	var b strings.Builder
	for i, row := range t {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("| --- |" + strings.Repeat(" ---: |", len(row)-1) + "\n")
		}
	}
	return b.String()
}

// addRow adds a row with a cell for each of those that have a column.
func addRow[T any](t *table, name string, columns []T, cell func(T) string) {
	row := []string{name}
	for _, c := range columns {
		row = append(row, cell(c))
	}
	*t = append(*t, row)
}

func mb(v int64) string { return fmt.Sprintf("%.2f MB", float64(v)/1e6) }

// µs is the median of what takes less than a call does.
func µs(rounds []samples) string {
	return fmt.Sprintf("%d µs", slices.Concat(rounds...).quantile(.5).Microseconds())
}

func percent(share float64) string { return fmt.Sprintf("%.3f %%", 100*share) }

// callTable is about warm calls. base is what the functions are compared with.
func callTable(base string, subjects []*subject) table {
	t := table{}
	add := func(name string, cell func(*subject) string) { addRow(&t, name, subjects, cell) }
	add("", func(s *subject) string { return s.name })
	for _, q := range []float64{.5, .9, .99, .999, 1} {
		add(strings.Replace(fmt.Sprintf("p%v", q*100), "p100", "longest", 1), func(s *subject) string { return ms(s.warm().quantile(q)) })
	}
	add("p50 against "+base, func(s *subject) string {
		if s.base == nil {
			return "–"
		}
		return s.ratio().String()
	})
	add("calls a second, one instance", func(s *subject) string { return rate(s.warm()) })
	add("objects allocated a call", func(s *subject) string { return fmt.Sprintf("%.0f", s.objects()) })
	add("bytes allocated a call", func(s *subject) string { return fmt.Sprintf("%.1f KB", s.heap.bytes/float64(len(s.warm()))/1000) })
	add("memory (RSS), most", func(s *subject) string { return fmt.Sprintf("%.1f MiB", s.rss) })
	return t
}

func (t *turns) introspection() table {
	return callTable("the minimal function's", []*subject{t.tls, t.minimalTLS, t.plain, t.minimalPlain, t.cached})
}

func (t *turns) verification() table {
	return callTable("the constant answer's plus the signature", []*subject{t.rs256, t.newRS256, t.es256, t.newES256, t.constant})
}

func startTable(starts []*starting) table {
	out := table{}
	addRow(&out, "", starts, (*starting).name)
	for _, row := range []struct {
		name  string
		value func(*starting) time.Duration
	}{
		{"start, p50", func(s *starting) time.Duration { return s.function.start.quantile(.5) }},
		{"start, longest", func(s *starting) time.Duration { return s.function.start.quantile(1) }},
		{"start with provisioned concurrency, p50", func(s *starting) time.Duration { return s.ahead.start.quantile(.5) }},
		{"reading the secret alone, p50", func(s *starting) time.Duration { return s.secret.quantile(.5) }},
		{"opening the provider's connection alone, p50", func(s *starting) time.Duration { return s.connection.quantile(.5) }},
		{"start above the slower of the two", func(s *starting) time.Duration { return s.function.start.quantile(.5) - s.least() }},
		{"first call, p50", func(s *starting) time.Duration { return s.function.first.quantile(.5) }},
		{"first call, longest", func(s *starting) time.Duration { return s.function.first.quantile(1) }},
	} {
		addRow(&out, row.name, starts, func(s *starting) string { return ms(row.value(s)) })
	}
	return out
}

func lambdaTable(columns []*column) table {
	out := table{}
	addRow(&out, "", columns, (*column).Name)
	addRow(&out, "share of a core", columns, func(c *column) string {
		if c.memory == 0 {
			return "–"
		}
		return fmt.Sprintf("%.3f", float64(c.memory)/wholeCore)
	})
	row := func(name string, of func(*column) samples, q float64) {
		addRow(&out, name, columns, func(c *column) string { return ms(of(c).quantile(q)) })
	}
	row("start, p50", func(c *column) samples { return c.introspection.start }, .5)
	row("first call, p50", func(c *column) samples { return c.introspection.first }, .5)
	for _, q := range []float64{.5, .99, .999} {
		row(fmt.Sprintf("warm call, p%v", q*100), func(c *column) samples { return c.introspection.warm() }, q)
	}
	row("call on a new TLS connection, p50", func(c *column) samples { return c.cold }, .5)
	row("hedged call, p50", func(c *column) samples { return c.hedged }, .5)
	for _, q := range []float64{.5, .99} {
		row(fmt.Sprintf("JWT, RS256, p%v", q*100), func(c *column) samples { return c.rs256.warm() }, q)
		row(fmt.Sprintf("JWT, ES256, p%v", q*100), func(c *column) samples { return c.es256.warm() }, q)
	}
	addRow(&out, "calls that were not good", columns, func(c *column) string {
		return thousands(c.introspection.bad + c.rs256.bad + c.es256.bad)
	})
	addRow(&out, "garbage collections in the warm calls", columns, func(c *column) string { return c.introspection.heap.collected() })
	addRow(&out, "memory (RSS), most", columns, func(c *column) string { return fmt.Sprintf("%.1f MiB", c.introspection.rss) })
	return out
}

func (h heap) collected() string {
	return fmt.Sprintf("%.0f, paused %s", h.collections, ms(time.Duration(h.paused)))
}

func collectorTable(all []*subject) table {
	out := table{{"settings", "memory size", "p50", "p99", "p99.9", "collections", "memory (RSS), most"}}
	for _, s := range all {
		warm := s.warm()
		out = append(out, []string{s.name, fmt.Sprintf("%d MB", s.config.MemorySize), ms(warm.quantile(.5)), ms(warm.quantile(.99)),
			ms(warm.quantile(.999)), s.heap.collected(), fmt.Sprintf("%.1f MiB", s.rss)})
	}
	return out
}

func loadTable(loads []*load) table {
	out := table{{"", "calls", "not good", "within 1,000 ms", "requests a call", "p50", "p99", "p99.9", "longest", "calls a second"}}
	for _, l := range loads {
		warm := l.warm()
		_, bad := l.faults()
		out = append(out, []string{l.name, thousands(len(warm)), thousands(bad), percent(l.good()), fmt.Sprintf("%.3f", l.requestsPerCall()),
			ms(warm.quantile(.5)), ms(warm.quantile(.99)), ms(warm.quantile(.999)), ms(warm.quantile(1)),
			thousands(int(float64(len(warm)) / l.took.Seconds()))})
	}
	return out
}

func outageTable(outages []*outage) table {
	out := table{{"the provider", "calls", "requests", "requests a call", "not good"}}
	for _, o := range outages {
		for _, part := range []struct {
			name string
			*load
		}{{"the whole run", o.run}, {"in the outage", o.inside}, {"after it", o.after}} {
			_, bad := part.faults()
			out = append(out, []string{o.name + ", " + part.name, thousands(len(part.calls)), thousands(part.requests),
				fmt.Sprintf("%.2f", part.requestsPerCall()), thousands(bad)})
		}
	}
	return out
}

// serviceTable is how long an instance is busy with a call.
func (b *bench) serviceTable() table {
	out := table{{"the provider's own time", "mean", "p99", "calls a second, one instance"}}
	row := func(latency time.Duration, s samples) {
		out = append(out, []string{fmt.Sprintf("%d ms", latency.Milliseconds()), ms(s.mean()), ms(s.quantile(.99)), rate(s)})
	}
	row(0, b.turns.tls.warm())
	for i, s := range b.service {
		row(latencies[i], s.warm())
	}
	return out
}

func (b *bench) sizeTable() table {
	out := table{{"", "arm64", "x86_64"}}
	arm64, x86 := b.sizes["arm64"], b.sizes["amd64"]
	return append(out, []string{"binary", mb(arm64.binary), mb(x86.binary)}, []string{"zip", mb(arm64.zipped), mb(x86.zipped)})
}

// edges are the first and the last tenth of the calls of the instance that got most.
func (t *turns) edges() (first, last samples) {
	all := t.long.warm()
	return all[:len(all)/10], all[len(all)-len(all)/10:]
}

//go:embed report.md.tmpl
var reportText string

// report is the document.
func (b *bench) report() string {
	t, quiet := &b.turns, b.loads[2]
	first, last := t.edges()
	var text strings.Builder
	err := template.Must(template.New("report").Parse(reportText)).Execute(&text, map[string]any{
		"When": b.when.UTC().Format("2 January 2006, 15:04 MST"), "Minutes": fmt.Sprintf("%.1f", b.took.Minutes()),
		"Machine": b.machine, "Before": b.before, "After": b.after, "Goals": b.goals(false),
		"Rounds": b.effort.rounds, "Calls": thousands(b.effort.calls), "Introspection": t.introspection(),
		"Edge": thousands(len(first)), "Long": thousands(len(t.long.warm())), "First": ms(first.quantile(.5)), "Last": ms(last.quantile(.5)),
		"Verification": t.verification(),
		"VerifyRS256":  µs(t.verifyRS256), "VerifyES256": µs(t.verifyES256), "Starts": b.effort.starts, "Start": startTable(b.starts),
		"MinimalStart": ms(t.minimalTLS.start.quantile(.5)), "RS256Start": ms(t.rs256.start.quantile(.5)), "ES256Start": ms(t.es256.start.quantile(.5)),
		"NoGroups": b.noGroups, "Lambda": lambdaTable(b.columns), "LambdaCalls": thousands(b.effort.lambda), "Chosen": b.chosen(),
		"Collectors": collectorTable(b.collectors), "Loads": loadTable(b.loads), "Faults": b.faults(),
		"Parallel": parallel, "More": 2 * parallel, "Quiet": quietInstances, "QuietLeast": percent(quiet.atLeast()),
		"Outages": outageTable(b.outages), "Outage": outageTime.Seconds(), "Run": b.effort.outage.Seconds(), "Pace": pace.Milliseconds(),
		"Service": b.serviceTable(), "Sizes": b.sizeTable(),
	})
	if err != nil {
		panic(err) // the template is part of this program
	}
	return text.String()
}

// faults says what the calls got that were not good.
func (b *bench) faults() string {
	var all []string
	for _, l := range b.loads {
		kinds, _ := l.faults()
		for kind, n := range kinds {
			all = append(all, fmt.Sprintf("%s %s (%s)", thousands(n), kind, l.name))
		}
	}
	slices.Sort(all)
	return cmp.Or(strings.Join(all, ", "), "none")
}
