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

	// share is the part of all calls that may send a second request, and burst how many may do so in a row. A provider in
	// trouble is not sent double the load.
	share = 0.1
	burst = 10
)

// pace knows how long this process's provider usually takes, and how many second requests it may still be sent.
type pace struct {
	mu        sync.Mutex
	smoothed  time.Duration // 0: nothing measured yet
	deviation time.Duration
	allowance float64
}

func newPace() pace {
	return pace{allowance: burst}
}

// call counts a call, which earns its share of a second request.
func (p *pace) call() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowance = min(p.allowance+share, burst)
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
