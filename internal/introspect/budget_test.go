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
	// Ten to start with, a tenth of a thousand, and one for the second that they take; floating point may cost one.
	if got := spend(1000, time.Millisecond); got < 109 || got > 111 {
		t.Errorf("%d second requests in 1000 calls that all want one, want 111", got)
	}
	if got := spend(100, time.Second); got < 99 {
		t.Errorf("%d second requests in 100 calls a second apart, want all", got)
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
