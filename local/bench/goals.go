package main

import (
	"fmt"
	"time"
)

const (
	// maxOverhead is how much longer a call may take than the minimal function's, and maxVerification than the Runtime API's hop
	// and the signature together.
	maxOverhead, maxVerification = 1.08, 1.15
	maxObjects                   = 350
	// maxStart is how much longer a start may take than the slower of the two that it waits for.
	maxStart = 6 * time.Millisecond
	// leastGood1 and leastGood5 are the shares of calls within HealthLake's second where 1 % and 5 % of requests stall.
	leastGood1, leastGood5 = 0.99999, 0.999
	// maxRequests is how many requests a call may send on average.
	maxRequests = 1.10
)

// goals is what was to be reached, and whether it was.
func (b *bench) goals(quick bool) table {
	out := table{{"", "goal", "measured", "met"}}
	add := func(what, goal, measured string, met bool) {
		word := "no"
		if met {
			word = "yes"
		}
		out = append(out, []string{what, goal, measured, word})
	}
	t := &b.turns
	for _, x := range []struct {
		what  string
		limit float64
		*subject
	}{
		{"warm call by TLS against the minimal function, p50", maxOverhead, t.tls},
		{"warm call by HTTP against the minimal function, p50", maxOverhead, t.plain},
		{"JWT, RS256, against a constant answer and the signature, p50", maxVerification, t.rs256},
		{"the same, each call with a new token", maxVerification, t.newRS256},
		{"JWT, ES256, against a constant answer and the signature, p50", maxVerification, t.es256},
		{"the same, each call with a new token", maxVerification, t.newES256},
	} {
		r := x.ratio()
		add(x.what, fmt.Sprintf("at most %.2f", x.limit), r.String(), r.median <= x.limit)
	}
	add("objects allocated a call", fmt.Sprintf("at most %d", maxObjects), fmt.Sprintf("%.0f", t.tls.objects()), t.tls.objects() <= maxObjects)
	for _, s := range b.starts {
		p50 := s.function.start.quantile(.5)
		add("start, "+s.name()+", p50", fmt.Sprintf("at most %s + %d ms", ms(s.least()), maxStart.Milliseconds()), ms(p50),
			p50 <= s.least()+maxStart)
	}
	if !quick {
		b.tailGoals(add)
	}
	return out
}

func (b *bench) tailGoals(add func(what, goal, measured string, met bool)) {
	for i, least := range []float64{leastGood1, leastGood5, leastGood1} {
		l := b.loads[i]
		add("calls within 1,000 ms, "+l.name, "at least "+percent(least),
			fmt.Sprintf("%s of %s", percent(l.good()), thousands(len(l.calls))), l.good() >= least)
	}
	for _, o := range b.outages {
		r := o.run.requestsPerCall()
		add(fmt.Sprintf("requests a call, provider down for %.0f of %.0f s, %s", outageTime.Seconds(), b.effort.outage.Seconds(), o.name),
			fmt.Sprintf("at most %.2f", maxRequests), fmt.Sprintf("%.2f", r), r <= maxRequests)
	}
}
