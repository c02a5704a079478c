package introspect

import (
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
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
		"nothing measured":       {nil, firstDelay, firstDelay},
		"an instant provider":    {repeat(time.Millisecond, 50), minDelay, minDelay},
		"a steady 100 ms":        {repeat(100*time.Millisecond, 50), 100 * time.Millisecond, 110 * time.Millisecond},
		"a slow provider":        {repeat(600*time.Millisecond, 50), maxDelay, maxDelay},
		"one response":           {repeat(40*time.Millisecond, 1), 120 * time.Millisecond, 120 * time.Millisecond},
		"slow once and then not": {append(repeat(600*time.Millisecond, 5), repeat(time.Millisecond, 60)...), minDelay, minDelay},
	} {
		h := newHedge()
		for _, took := range test.took {
			h.observe(took)
		}
		if got := h.start(time.Now()); got < test.min || got > test.max {
			t.Errorf("%s: %v, want %v to %v", name, got, test.min, test.max)
		}
	}
}

func TestBudget(t *testing.T) {
	h, now := newHedge(), time.Unix(1700000000, 0)
	spend := func(calls int, apart time.Duration) (spent int) {
		for range calls {
			now = now.Add(apart)
			h.start(now)
			if h.allow() {
				spent++
			}
		}
		return spent
	}
	// Ten to start with, and a tenth of a thousand; floating point may cost one.
	if got := spend(1000, time.Millisecond); got < 109 || got > 110 {
		t.Errorf("%d requests more in 1000 calls that all want one, want 110", got)
	}
	twice := 0
	for range 100 {
		twice += spend(1, time.Minute) + spend(1, 0)
	}
	if twice < 199 {
		t.Errorf("%d requests more in 100 calls a minute apart that all want two, want 200", twice)
	}
	for range 200 {
		h.start(now)
	}
	spent := 0
	for h.allow() {
		spent++
	}
	if spent != maxTokens {
		t.Errorf("%d in a row after a quiet time, want %d", spent, maxTokens)
	}
	// A clock that is set back earns nothing.
	now = now.Add(-time.Hour)
	if got := spend(5, 0); got != 0 {
		t.Errorf("%d second requests after the clock went back", got)
	}
}
