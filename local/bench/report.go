package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table is a heading and rows of as many cells.
type table [][]string

// text aligns the columns for a terminal.
func (t table) text() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch i {
			case 0:
				b.WriteString(cell + pad)
			default:
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// markdown is the same table in a document.
func (t table) markdown() string {
	var b strings.Builder
	for i, row := range t {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("| --- |" + strings.Repeat(" ---: |", len(row)-1) + "\n")
		}
	}
	return b.String()
}

const none = "–"

func mb(v int64) string { return fmt.Sprintf("%.2f MB", float64(v)/1e6) }

// column is a function in a table.
type column struct {
	name string
	figures
}

// compare has the rows that the tables of functions have in common. Medians are set against that of the column base.
func compare(base int, against string, columns ...column) table {
	t := table{{""}}
	for _, c := range columns {
		t[0] = append(t[0], c.name)
	}
	add := func(name string, cell func(column) string) {
		row := []string{name}
		for _, c := range columns {
			row = append(row, cell(c))
		}
		t = append(t, row)
	}
	versus := func(name string, part func(samples) samples) {
		add(name, func(c column) string {
			if c.name == columns[base].name {
				return none
			}
			return overhead(part(c.warm), part(columns[base].warm))
		})
	}
	calls := len(columns[0].warm)
	edge := min(1000, calls/2)
	all := func(s samples) samples { return s }
	first := func(s samples) samples { return s[:edge] }
	last := func(s samples) samples { return s[calls-edge:] }

	add(fmt.Sprintf("start, p50 of %d", len(columns[0].start)), func(c column) string { return ms(c.start.quantile(.5)) })
	add("start, longest", func(c column) string { return ms(c.start.quantile(1)) })
	add("first call, p50", func(c column) string { return ms(c.first.quantile(.5)) })
	add("first call, longest", func(c column) string { return ms(c.first.quantile(1)) })
	for _, q := range []float64{.5, .9, .99, .999} {
		add(fmt.Sprintf("warm call, p%v", q*100), func(c column) string { return ms(c.warm.quantile(q)) })
	}
	add("warm call, longest", func(c column) string { return ms(c.warm.quantile(1)) })
	versus("p50 against "+against, all)
	versus(fmt.Sprintf("the same, in the first %s calls", thousands(int64(edge))), first)
	versus(fmt.Sprintf("the same, in the last %s of %s", thousands(int64(edge)), thousands(int64(calls))), last)
	add("p50 of those first and of those last", func(c column) string {
		return ms(first(c.warm).quantile(.5)) + ", " + ms(last(c.warm).quantile(.5))
	})
	add("calls a second, one instance", func(c column) string { return rate(c.warm) })
	add("objects allocated a call", func(c column) string { return fmt.Sprintf("%.0f", c.objects) })
	add("bytes allocated a call", func(c column) string { return fmt.Sprintf("%.1f KB", c.bytes/1000) })
	add("memory (RSS) after the warm calls", func(c column) string { return fmt.Sprintf("%.1f MiB", c.rss) })
	add("memory (RSS), most", func(c column) string { return fmt.Sprintf("%.1f MiB", c.rssMost) })
	return t
}

// table is of the function that asks its provider, and of the minimal one.
func (m *measured) table() table {
	f, n := m.function, m.mini
	t := compare(1, "the minimal function",
		column{"checkToken", f}, column{"minimal function", n}, column{"checkToken, cache hits", m.cached})
	add := func(cells ...string) { t = append(t, cells) }
	add("binary, arm64", mb(m.sizes["arm64"].binary), none, none)
	add("binary, x86_64", mb(m.sizes["amd64"].binary), none, none)
	add("zip, arm64", mb(m.sizes["arm64"].zipped), none, none)
	add("zip, x86_64", mb(m.sizes["amd64"].zipped), none, none)
	stalling := fmt.Sprintf("%.0f %% of requests stalled for %.0f s", stalls.share*100, stalls.stall.Seconds())
	add(stalling+": calls", thousands(int64(len(f.tail.took))), thousands(int64(len(n.tail.took))), none)
	add("answered within 1,000 ms", fmt.Sprintf("%.3f %%", f.tail.share()), fmt.Sprintf("%.3f %%", n.tail.share()), none)
	for _, q := range []float64{.5, .99, .999} {
		add(fmt.Sprintf("p%v", q*100), ms(f.tail.took.quantile(q)), ms(n.tail.took.quantile(q)), none)
	}
	add("longest", ms(f.tail.took.quantile(1)), ms(n.tail.took.quantile(1)), none)
	return t
}

// verified is of the function that verifies JWTs, against the same function that asks its provider.
func (m *measured) verified() table {
	columns := []column{{"introspection", m.function}, {"JWT, RS256", m.rs256}, {"JWT, ES256", m.es256}}
	t := compare(0, "introspection", columns...)
	add := func(name string, count func(figures) int) {
		row := []string{name}
		for _, c := range columns {
			row = append(row, thousands(int64(count(c.figures))))
		}
		t = append(t, row)
	}
	add("requests to the provider, start and first call", func(f figures) int { return f.before })
	calls := thousands(int64(len(m.function.warm)))
	add(fmt.Sprintf("requests to the provider, %s warm calls", calls), func(f figures) int { return f.asked })
	add("requests to Secrets Manager meanwhile", func(f figures) int { return f.secretReads })
	return t
}

// support is what JWT support adds to the function where nobody asks for it.
func (m *measured) support() table {
	t := table{{"", "without JWT support", "with it", "difference"}}
	sizes := func(name, arch string, of func(size) int64) {
		without, with := of(m.noSizes[arch]), of(m.sizes[arch])
		t = append(t, []string{name, mb(without), mb(with), fmt.Sprintf("%+.2f MB", float64(with-without)/1e6)})
	}
	binary, zipped := func(s size) int64 { return s.binary }, func(s size) int64 { return s.zipped }
	sizes("binary, arm64", "arm64", binary)
	sizes("binary, x86_64", "amd64", binary)
	sizes("zip, arm64", "arm64", zipped)
	sizes("zip, x86_64", "amd64", zipped)
	times := func(name string, q float64) {
		without, with := m.noJWT.start.quantile(q), m.withJWT.start.quantile(q)
		t = append(t, []string{name, ms(without), ms(with), fmt.Sprintf("%+.2f ms", (with-without).Seconds()*1000)})
	}
	times(fmt.Sprintf("start, p50 of %d", len(m.withJWT.start)), .5)
	times("start, p90", .9)
	return t
}

// overhead is how much longer the median of s is than that of the minimal function, in percent.
func overhead(s, minimal samples) string {
	return fmt.Sprintf("%+.0f %%", 100*(float64(s.quantile(.5))/float64(minimal.quantile(.5))-1))
}

func rate(s samples) string { return thousands(int64(1 / s.mean().Seconds())) }

const generated = "<!-- Generated by make bench, every figure from one run of it. Do not edit. -->\n\n"

// where says when and on what the run was.
func (m *measured) where() string {
	return fmt.Sprintf("Measured on %s, on %s. The machine's load average was %s before the run and %s after "+
		"it.\n", m.when.UTC().Format("2 January 2006, 15:04 MST"), m.machine, m.loadBefore, m.loadAfter)
}

func (m *measured) benchmarks() string {
	f := m.function
	both := stalls.share * stalls.share
	return "# Benchmarks\n\n" + generated + m.where() + `
Both functions run behind a local Lambda runtime, and their provider is on the same machine, behind TLS, and answers at once:
what is left is what the functions take. The calls go to them in turns, so that the machine's noise meets all alike. Times are
from the event to the answer. The minimal function (` + "`local/bench/minimal`" + `) sends the same request, checks nothing, and
has its settings in its environment; checkToken reads its secret and opens its connection while it starts.

` + m.table().markdown() + `
![Quantiles of the calls' times, and the median over the run](benchmarks.svg)

- **Start** is from the process's creation to its first request for an event. Lambda adds what it takes to make the
  environment and to load the package.
- **Allocations** are counted in the whole process, the Lambda library's own included.
- **The tail.** The provider stalls each request with a probability of ` + fmt.Sprintf("%.0f %%", stalls.share*100) +
		`, whatever it did with the one before. A call
  is good if it is answered, not with an error, within 1,000 ms. With at most two requests a call, both stall in
  ` + fmt.Sprintf("%.2f %%", both*100) + ` of calls, so ` + fmt.Sprintf("%.2f %%", 100*(1-both)) +
		` is what to expect; ` + thousands(int64(len(f.tail.took)-f.tail.good)) + ` of ` + thousands(int64(len(f.tail.took))) +
		` calls were not
  good, and in ` + thousands(int64(f.tail.both)) + ` of these both requests went out and
  neither was answered in time. The minimal function gives up at 900 ms.

## Tokens that are verified as JWTs

With ` + "`tokenValidation` `jwt`" + ` the function verifies the same claims, in tokens that are signed by an RSA key of 2048 bits or by
one on P-256. These calls were made in the same run, in turns with those above; the first column is the first of that
table. Each function has a provider to itself, and a Secrets Manager, and these count the requests that arrive.

` + m.verified().markdown() + `
- **Requests to the provider** are all for its keys in the two columns of JWTs. The function fetches them while it starts, and
  would again when they are five minutes old, in the background.
- **Requests to Secrets Manager** are made in the background, when the secret is half a minute old. No call waits for them.

What the support for JWTs adds to a function that doesn't use it: the same sources were built again with a package in
place of ` + "`internal/jwt`" + ` that has its names and does nothing, so that the library under it is not linked, which the run
checks. Both were started in turns, with introspection.

` + m.support().markdown()
}
