package introspect

import (
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	repeat := func(took time.Duration, times int) []time.Duration {
		list := make([]time.Duration, times)
		for i := range list {
			list[i] = took
		}
		return list
	}
	for name, test := range map[string]struct {
		took     []time.Duration
		min, max time.Duration
	}{
		"nothing measured":       {nil, firstPatience, firstPatience},
		"an instant provider":    {repeat(time.Millisecond, 50), minPatience, minPatience},
		"a steady 100 ms":        {repeat(100*time.Millisecond, 50), 100 * time.Millisecond, 110 * time.Millisecond},
		"a slow provider":        {repeat(600*time.Millisecond, 50), maxPatience, maxPatience},
		"one answer":             {repeat(40*time.Millisecond, 1), 120 * time.Millisecond, 120 * time.Millisecond},
		"slow once and then not": {append(repeat(600*time.Millisecond, 5), repeat(time.Millisecond, 60)...), minPatience, minPatience},
	} {
		p := newPace()
		for _, took := range test.took {
			p.observe(took)
		}
		if got := p.patience(); got < test.min || got > test.max {
			t.Errorf("%s: %v, want %v to %v", name, got, test.min, test.max)
		}
	}
}

func TestAllowance(t *testing.T) {
	p, now := newPace(), time.Unix(1700000000, 0)
	spend := func(calls int, apart time.Duration) (spent int) {
		for range calls {
			now = now.Add(apart)
			p.call(now)
			if p.spend() {
				spent++
			}
		}
		return spent
	}
	// A burst of ten, a tenth of a thousand, and one for the second that they take; floating point may cost one.
	if got := spend(1000, time.Millisecond); got < 109 || got > 111 {
		t.Errorf("%d second requests in 1000 calls that all want one, want 111", got)
	}
	if got := spend(100, time.Second); got < 99 {
		t.Errorf("%d second requests in 100 calls a second apart, want all", got)
	}
	for range 200 {
		p.call(now)
	}
	spent := 0
	for p.spend() {
		spent++
	}
	if spent != burst {
		t.Errorf("%d in a row after a quiet time, want %d", spent, burst)
	}
	// A clock that goes back earns nothing.
	now = now.Add(-time.Hour)
	if got := spend(5, 0); got != 0 {
		t.Errorf("%d second requests after the clock went back", got)
	}
}
