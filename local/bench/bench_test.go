package main

import (
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

func TestReport(t *testing.T) {
	var s samples
	for i := range 10000 {
		s = append(s, time.Duration(300+i%97)*time.Microsecond)
	}
	x := func(name string) *subject {
		return &subject{name: name, start: s[:10], first: s[:10], warm: s, rss: 15, rssMost: 16, objects: 100, bytes: 1e4, good: 9999}
	}
	b := &bench{
		when: time.Unix(1.8e9, 0), machine: "2 cores", before: "0.1", after: "2.0",
		real: x("a"), mini: x("b"), cached: x("c"), rs256: x("d"), es256: x("e"), stallingReal: x("f"), stallingSingle: x("g"),
		sizes:   map[string]size{"arm64": {8e6, 3e6}, "amd64": {9e6, 4e6}},
		service: []*subject{x("h"), x("h"), x("h"), x("h"), x("h")},
	}
	report := b.report()
	for _, table := range []table{b.compared(), b.verified(), b.serviceTimes()} {
		for _, row := range table {
			if len(row) != len(table[0]) || !strings.Contains(report, "| "+strings.Join(row, " | ")+" |\n") {
				t.Errorf("row %v has %d cells, or is not in the report", row, len(row))
			}
		}
	}
	if strings.Contains(report, "%!") || strings.Contains(report, "NaN") ||
		!strings.Contains(report, "1 of 10,000 calls were not good") {
		t.Errorf("a figure is missing:\n%s", report)
	}
}
