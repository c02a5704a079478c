package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"text/template"

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

// add adds a row with a cell for each subject.
func (t *table) add(name string, subjects []*subject, cell func(*subject) string) {
	row := []string{name}
	for _, s := range subjects {
		row = append(row, cell(s))
	}
	*t = append(*t, row)
}

const none = "–"

func mb(v int64) string { return fmt.Sprintf("%.2f MB", float64(v)/1e6) }

// compare has the rows that the tables of functions have in common. Medians are compared with those of base.
func compare(subjects []*subject, base *subject, against string) table {
	t := table{{""}}
	add := func(name string, cell func(*subject) string) { t.add(name, subjects, cell) }
	calls := len(base.warm)
	edge := min(1000, calls/2)
	first := func(s *subject) samples { return s.warm[:edge] }
	last := func(s *subject) samples { return s.warm[calls-edge:] }
	versus := func(name string, part func(*subject) samples) {
		add(name, func(s *subject) string {
			if s == base {
				return none
			}
			return fmt.Sprintf("%+.0f %%", 100*(float64(part(s).quantile(.5))/float64(part(base).quantile(.5))-1))
		})
	}
	for _, s := range subjects {
		t[0] = append(t[0], s.name)
	}
	add(fmt.Sprintf("start, p50 of %d", len(base.start)), func(s *subject) string { return ms(s.start.quantile(.5)) })
	add("start, longest", func(s *subject) string { return ms(s.start.quantile(1)) })
	add("first call, p50", func(s *subject) string { return ms(s.first.quantile(.5)) })
	add("first call, longest", func(s *subject) string { return ms(s.first.quantile(1)) })
	for _, q := range []float64{.5, .9, .99, .999} {
		add(fmt.Sprintf("warm call, p%v", q*100), func(s *subject) string { return ms(s.warm.quantile(q)) })
	}
	add("warm call, longest", func(s *subject) string { return ms(s.warm.quantile(1)) })
	versus("p50 against "+against, func(s *subject) samples { return s.warm })
	versus(fmt.Sprintf("the same, in the first %s calls", thousands(edge)), first)
	versus(fmt.Sprintf("the same, in the last %s of %s", thousands(edge), thousands(calls)), last)
	add("p50 of those first and of those last", func(s *subject) string {
		return ms(first(s).quantile(.5)) + ", " + ms(last(s).quantile(.5))
	})
	add("calls a second, one instance", func(s *subject) string { return rate(s.warm) })
	add("objects allocated a call", func(s *subject) string { return fmt.Sprintf("%.0f", s.objects) })
	add("bytes allocated a call", func(s *subject) string { return fmt.Sprintf("%.1f KB", s.bytes/1000) })
	add("memory (RSS) after the warm calls", func(s *subject) string { return fmt.Sprintf("%.1f MiB", s.rss) })
	add("memory (RSS), most", func(s *subject) string { return fmt.Sprintf("%.1f MiB", s.rssMost) })
	return t
}

// compared is of the function that asks its provider, and of the minimal one.
func (b *bench) compared() table {
	t := compare([]*subject{b.real, b.mini, b.cached}, b.mini, "the minimal function")
	arm64, x86 := b.sizes["arm64"], b.sizes["amd64"]
	for _, x := range []struct {
		name string
		size int64
	}{{"binary, arm64", arm64.binary}, {"binary, x86_64", x86.binary}, {"zip, arm64", arm64.zipped}, {"zip, x86_64", x86.zipped}} {
		t = append(t, []string{x.name, mb(x.size), none, none})
	}
	add := func(name string, cell func(*subject) string) {
		t = append(t, []string{name, cell(b.stallingReal), cell(b.stallingSingle), none})
	}
	stalling := fmt.Sprintf("%.0f %% of requests stalled for %.0f s", stalls.share*100, stalls.stall.Seconds())
	add(stalling+": calls", func(s *subject) string { return thousands(len(s.warm)) })
	add("responses within 1,000 ms", func(s *subject) string {
		return fmt.Sprintf("%.3f %%", 100*float64(s.good)/float64(len(s.warm)))
	})
	for _, q := range []float64{.5, .99, .999} {
		add(fmt.Sprintf("p%v", q*100), func(s *subject) string { return ms(s.warm.quantile(q)) })
	}
	add("longest", func(s *subject) string { return ms(s.warm.quantile(1)) })
	return t
}

// verified is of the function that verifies JWTs, against the same function that asks its provider.
func (b *bench) verified() table {
	subjects := []*subject{b.real, b.rs256, b.es256}
	t := compare(subjects, b.real, "introspection")
	t[0][1] = "introspection"
	t.add("requests to the provider, start and first call", subjects, func(s *subject) string { return thousands(s.before) })
	t.add(fmt.Sprintf("requests to the provider, %s warm calls", thousands(len(b.real.warm))), subjects,
		func(s *subject) string { return thousands(s.asked) })
	t.add("requests to Secrets Manager meanwhile", subjects, func(s *subject) string { return thousands(s.secretReads) })
	return t
}

// serviceTimes is how long an instance is busy with a call.
func (b *bench) serviceTimes() table {
	t := table{{"the provider's own time", "mean", "p99", "calls a second, one instance"}}
	for i, s := range b.service {
		own := fmt.Sprintf("%d ms", latencies[i].Milliseconds())
		t = append(t, []string{own, ms(s.warm.mean()), ms(s.warm.quantile(.99)), rate(s.warm)})
	}
	return t
}

//go:embed report.md.tmpl
var reportText string

// report is the document.
func (b *bench) report() string {
	t := b.stallingReal
	var text strings.Builder
	err := template.Must(template.New("report").Parse(reportText)).Execute(&text, map[string]any{
		"When": b.when.UTC().Format("2 January 2006, 15:04 MST"), "Machine": b.machine, "Before": b.before, "After": b.after,
		"Compared": b.compared(), "Verified": b.verified(), "Service": b.serviceTimes(),
		"Bad": thousands(len(t.warm) - t.good), "Calls": thousands(len(t.warm)), "Both": thousands(t.both),
	})
	if err != nil {
		panic(err) // the template is part of this program
	}
	return text.String()
}
