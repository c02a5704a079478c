package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
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
	if got := (samples{7}).quantile(.999); got != 7 {
		t.Errorf("of one sample: %d", got)
	}
	if s[0] != 1000 {
		t.Error("the samples are sorted afterwards")
	}
}

func TestConcurrency(t *testing.T) {
	for _, test := range []struct {
		rate     float64
		service  time.Duration
		inFlight float64
		want     int
	}{
		{1, 5 * time.Millisecond, .005, 1},
		{100, 5 * time.Millisecond, .5, 10},      // ten calls a second and instance
		{1000, 100 * time.Millisecond, 100, 143}, // the utilization
		{10000, 20 * time.Millisecond, 200, 1000},
	} {
		inFlight, got := concurrency(test.rate, test.service)
		if got != test.want || math.Abs(inFlight-test.inFlight) > 1e-9 {
			t.Errorf("%v a second at %s: %v in flight, provision %d; want %v and %d", test.rate, test.service, inFlight, got,
				test.inFlight, test.want)
		}
	}
}

// One instance of 512 MB on arm64, all month: 730 h * 3600 s * 0.5 GB * $0.0000033334. With 10 calls a second of 5.1 ms,
// billed as 6: 26.28 million calls, $0.20 a million, and 78,840 GB-seconds at $0.0000077778.
func TestMonthly(t *testing.T) {
	if got := monthly(0, 0, 1, prices[0].there, prices[0].busy); math.Abs(got-4.3801) > 0.001 {
		t.Errorf("an instance: %v", got)
	}
	want := 4.3801 + 26.28*.2 + 78840*0.0000077778
	if got := monthly(10, 5100*time.Microsecond, 1, prices[0].there, prices[0].busy); math.Abs(got-want) > 0.001 {
		t.Errorf("an instance with ten calls a second: %v, want %v", got, want)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
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

func made() *measured {
	var s samples
	for i := range 10000 {
		s = append(s, time.Duration(300+i%97)*time.Microsecond)
	}
	f := figures{
		start: s[:10], first: s[:10], warm: s, rss: 15, rssMost: 16, objects: 100, bytes: 1e4, tail: tailFigures{s, 9999, 1},
	}
	return &measured{
		when: time.Unix(1.8e9, 0), machine: "2 cores of <this> & that", loadBefore: "0.1", loadAfter: "2.0",
		function: f, mini: f, cached: f, rs256: f, es256: f, withJWT: f, noJWT: f,
		sizes: map[string]size{"arm64": {8e6, 3e6}, "amd64": {9e6, 4e6}}, noSizes: map[string]size{"arm64": {7e6, 2e6}},
		service: []samples{s, s, s, s, s},
	}
}

func TestPlotIsXML(t *testing.T) {
	decoder := xml.NewDecoder(strings.NewReader(made().plot()))
	lines := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if element, ok := token.(xml.StartElement); ok && element.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 8 {
		t.Errorf("%d curves, want 5 and 3", lines)
	}
}

func TestDocuments(t *testing.T) {
	m := made()
	for name, text := range map[string]string{"benchmarks": m.benchmarks(), "scaling": m.scaling(), "table": m.table().text()} {
		if strings.Contains(text, "%!") || strings.Contains(text, "NaN") {
			t.Errorf("%s has a figure that is none:\n%s", name, text)
		}
	}
	document := m.benchmarks()
	for _, table := range []table{m.table(), m.verified(), m.support()} {
		for _, row := range table {
			if len(row) != len(table[0]) {
				t.Errorf("row %v has %d cells", row, len(row))
			}
			if !strings.Contains(document, "| "+strings.Join(row, " | ")+" |\n") {
				t.Errorf("row %v is not in the document", row)
			}
		}
	}
}
