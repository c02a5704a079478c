package introspect

import (
	"sync"
	"time"
)

const (
	// minPatience and maxPatience bound how long a call waits before it sends its second request. Below the first, the
	// noise of a network would double the provider's load; above the second, too little of HealthLake's second would be
	// left for the answer.
	minPatience = 50 * time.Millisecond
	maxPatience = 350 * time.Millisecond
	// firstPatience holds while nothing has been measured.
	firstPatience = 250 * time.Millisecond

	// share is the part of all calls that may send a second request, perSecond how many may do so besides, and burst how
	// many in a row. A provider in trouble is not sent double the load by many calls, and the few calls of a quiet instance,
	// whose connections die while nobody looks, may all be repeated.
	share     = 0.1
	perSecond = 1
	burst     = 10
)

// pace knows how long this process's provider usually takes, and how many second requests it may still be sent.
type pace struct {
	mu        sync.Mutex
	smoothed  time.Duration // 0: nothing measured yet
	deviation time.Duration
	allowance float64
	earned    time.Time // when the allowance was last added to
}

func newPace() pace {
	return pace{allowance: burst}
}

// call counts a call at a time, which earns its share of a second request, and what has come since the last one.
func (p *pace) call(now time.Time) {
	now = now.Round(0) // by the wall clock: the other one may stand still while Lambda has the process frozen
	p.mu.Lock()
	defer p.mu.Unlock()
	earned := share
	if quiet := now.Sub(p.earned).Seconds(); quiet > 0 {
		earned += quiet * perSecond
	}
	p.allowance, p.earned = min(p.allowance+earned, burst), now
}

// spend takes one second request from the allowance, if there is one.
func (p *pace) spend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.allowance < 1 {
		return false
	}
	p.allowance--
	return true
}

// observe takes in how long a good answer took, as TCP does for its retransmission timer (RFC 6298 section 2).
func (p *pace) observe(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.smoothed == 0 {
		p.smoothed, p.deviation = took, took/2
		return
	}
	p.deviation += ((p.smoothed - took).Abs() - p.deviation) / 4
	p.smoothed += (took - p.smoothed) / 8
}

// patience is how long to wait for a first answer: what is usual and four deviations, within bounds.
func (p *pace) patience() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.smoothed == 0 {
		return firstPatience
	}
	return min(max(p.smoothed+4*p.deviation, minPatience), maxPatience)
}
