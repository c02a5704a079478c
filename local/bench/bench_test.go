package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var s samples
	for i := 1000; i > 0; i-- {
		s = append(s, time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0: 1, .5: 500, .9: 900, .99: 990, .999: 999, 1: 1000} {
		if got := s.quantile(q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if got := (samples{7}).quantile(.999); got != 7 || s[0] != 1000 {
		t.Errorf("of one sample: %d; the first sample is %d afterwards, want 1000", got, s[0])
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		1234 * time.Microsecond: "1.23 ms", 45678 * time.Microsecond: "45.7 ms", 1234 * time.Millisecond: "1,234 ms",
	} {
		if got := ms(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

// A round's noise does not change the ratio: the median of the rounds counts.
func TestCompare(t *testing.T) {
	a := []samples{{11, 11, 90}, {120, 120, 120}, {22, 22}}
	b := []samples{{10, 10, 10}, {20, 20, 500}, {20, 20}}
	if got := compare(a, b); got != (ratio{1.1, 1.1, 6}) {
		t.Errorf("ratio %+v", got)
	}
	if got := compare(a[:1], sums(b, []samples{{12}})); got.median != 0.5 {
		t.Errorf("against a sum: %+v", got)
	}
}

func TestLoad(t *testing.T) {
	begin := time.Now()
	l := &load{requests: 30_300}
	for i := range 30_000 {
		l.calls = append(l.calls, outcome{begin: begin.Add(time.Duration(i)), requests: 2})
	}
	if l.good() != 1 || l.atLeast() != 0.9999 || l.requestsPerCall() != 1.01 {
		t.Errorf("good %v, at least %v, %v requests a call", l.good(), l.atLeast(), l.requestsPerCall())
	}
	if part := l.part(begin.Add(10), begin.Add(20)); len(part.calls) != 10 || part.requests != 20 {
		t.Errorf("%d calls in the part, %d requests", len(part.calls), part.requests)
	}
	l.calls[0].fault, l.calls[7].fault, l.calls[9].fault = "late", "late", "idp_timeout"
	if _, bad := l.faults(); bad != 3 || l.atLeast() > 1-7.0/30_000 {
		t.Errorf("bad %d, at least %v", bad, l.atLeast())
	}
	if got := (&bench{loads: []*load{l}}).faults(); got != "1 idp_timeout (), 2 late ()" {
		t.Error(got)
	}
}

func TestNewGroup(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(one, "cpu"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(one, "cpu", "cpu.cfs_quota_us"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		root  string
		quota int64
		want  map[string]string
	}{
		{one, 1447, map[string]string{"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "1447"}},
		{one, 0, map[string]string{"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "-1"}},
		{two, 1447, map[string]string{"cpu.max": "1447 20000", "../cgroup.subtree_control": "+cpu"}},
		{two, 0, map[string]string{"cpu.max": "max 20000"}},
	} {
		dir, err := newGroup(test.root, test.quota)
		if err != nil {
			t.Fatal(err)
		}
		for file, want := range test.want {
			if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
				t.Errorf("quota %d: %s has %q, %v; want %q", test.quota, file, got, err, want)
			}
		}
	}
	if _, err := newGroup(filepath.Join(two, "missing"), 0); err == nil {
		t.Error("a control group where none can be made")
	}
}

// sample is a run whose figures are made up.
func sample() *bench {
	var calls samples
	for i := range 1000 {
		calls = append(calls, time.Duration(300+i%97)*time.Microsecond)
	}
	x := func(name string) *subject {
		return &subject{name: name, start: calls[:10], first: calls[:10], rounds: []samples{calls}, base: []samples{{calls.quantile(.5)}}, rss: 15,
			heap: heap{objects: 1e5, bytes: 1e7, collections: 3, paused: 1e5}}
	}
	newColumn := func(memory int, slow time.Duration) *column {
		s := x("")
		s.rounds = []samples{{20*time.Millisecond + slow}}
		return &column{memory: memory, introspection: s, rs256: x(""), es256: x(""), cold: calls, hedged: calls}
	}
	some := func(name string) *load {
		return &load{name: name, took: time.Second, calls: make([]outcome, 100), requests: 120}
	}
	collecting := x("GOGC=100")
	collecting.config.MemorySize = 128
	return &bench{
		when: time.Unix(1.8e9, 0), machine: "2 cores", before: "0.1", after: "2.0", effort: full,
		turns: turns{x("a"), x("b"), x("c"), x("d"), x("e"), x("f"), x("g"), x("h"), x("i"), x("j"), []samples{calls[:1]}, []samples{calls[:1]}, x("k")},
		starts: []*starting{{function: x(""), ahead: x(""), secret: calls, connection: calls},
			{secretTime: 30 * time.Millisecond, handshake: 50 * time.Millisecond, function: x(""), ahead: x(""),
				secret: calls, connection: calls}},
		columns:    []*column{newColumn(128, 5*time.Millisecond), newColumn(256, 2*time.Millisecond), newColumn(wholeCore, 0), newColumn(0, 0)},
		collectors: []*subject{collecting}, loads: []*load{some("1 %"), some("5 %"), some("quiet")},
		outages: []*outage{{"refused", some(""), some(""), some("")}, {"silent", some(""), some(""), some("")}},
		service: []*subject{x(""), x(""), x(""), x("")}, sizes: map[string]size{"arm64": {8e6, 3e6}, "amd64": {9e6, 4e6}},
	}
}

func TestReport(t *testing.T) {
	b := sample()
	report := b.report()
	for _, table := range []table{b.goals(false), b.turns.introspection(), b.turns.verification(), startTable(b.starts), lambdaTable(b.columns),
		collectorTable(b.collectors), loadTable(b.loads), outageTable(b.outages), b.serviceTable(), b.sizeTable()} {
		for _, row := range table {
			if len(row) != len(table[0]) || !strings.Contains(report, "| "+strings.Join(row, " | ")+" |\n") {
				t.Errorf("row %v has %d cells, or is not in the report", row, len(row))
			}
		}
	}
	for _, want := range []string{"against the minimal function, p50 | at most 1.08 | 1.00 (1.00 to 1.00) | yes |", "**256 MB** is the smallest", "| refused, in the outage | 100 | 120 | 1.20 | 0 |",
		"| objects allocated a call | at most 350 | 100 | yes |", "provider down for 3 of 12 s, refused | at most 1.10 | 1.20 | no |"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(report, "%!") || strings.Contains(report, "NaN") {
		t.Errorf("a figure is missing:\n%s", report)
	}
	b.columns, b.noGroups = nil, os.ErrPermission
	if report := b.report(); !strings.Contains(report, "Not measured in this run") || strings.Contains(report, "garbage collector") {
		t.Errorf("without control groups:\n%s", report)
	}
}
