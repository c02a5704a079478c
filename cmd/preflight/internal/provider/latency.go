package provider

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/introspect"
)

// HealthLake allows the function 1,000 ms, of which the provider gets less than 900. A provider that takes more than 300 ms
// has no reserve for a slow moment.
const (
	latencyWarning = 300 * time.Millisecond
	latencyLimit   = 900 * time.Millisecond
)

// latency times calls one after the other on an open connection, as a warm function makes them.
func (p *Provider) latency(ctx context.Context, auth introspect.Auth, l *checklist.List) {
	var took []time.Duration
	for range p.Calls {
		begin := time.Now()
		if _, err := p.ask(ctx, auth, 2*time.Second); err != nil {
			reason, fix := introspectionError(err, auth)
			l.Fail(checkLatency, fmt.Sprintf("call %d of %d: %s", len(took)+1, p.Calls, reason), fix)
			return
		}
		took = append(took, time.Since(begin))
	}
	judgeLatency(took, l)
}

func judgeLatency(took []time.Duration, l *checklist.List) {
	p50, p99 := percentile(took, 50), percentile(took, 99)
	reason := fmt.Sprintf("p50 %d ms, p99 %d ms of %s from here; HealthLake waits 1000 ms for the function",
		p50.Milliseconds(), p99.Milliseconds(), plural(len(took), "call"))
	const fix = "bring the provider closer to the region, or make it faster"
	switch {
	case p99 > latencyLimit:
		l.Fail(checkLatency, reason, fix)
	case p99 > latencyWarning:
		l.Warn(checkLatency, reason, fix)
	default:
		l.OK(checkLatency, reason)
	}
}

// percentile is the nearest-rank percentile.
func percentile(took []time.Duration, p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[int(math.Ceil(p/100*float64(len(sorted))))-1]
}
