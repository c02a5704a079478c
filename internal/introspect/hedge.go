package introspect

import (
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/reason"
)

// maxRequests is how many requests one call may send.
const maxRequests = 3

const (
	// minDelay and maxDelay bound how long a call waits before it sends another request. With a shorter delay, ordinary
	// network noise would add to the provider's load; with a longer one, too little of HealthLake's second would be left for
	// the third response.
	minDelay = 50 * time.Millisecond
	maxDelay = 350 * time.Millisecond
	// firstDelay is used until a response has been measured.
	firstDelay = 250 * time.Millisecond
)

// Hedge budget: each call earns 0.1 token, each minute 2, at most 10. So a provider in trouble gets a tenth more load from
// many calls, while an instance with a call a minute, whose connections may die unnoticed meanwhile, can repeat each twice.
const (
	tokensPerCall   = 0.1
	tokensPerMinute = 2
	maxTokens       = 10
)

// hedge is the policy of repeated requests: when a call sends another one, and whether it may. It is safe for concurrent
// use.
type hedge struct {
	mu      sync.Mutex
	latency latency
	budget  budget
	// down is true after a call to which no request brought a response: more requests would not have helped, and do not help the
	// provider.
	down bool
}

func newHedge() *hedge {
	return &hedge{
		latency: latency{first: firstDelay, least: minDelay, most: maxDelay},
		budget:  budget{tokens: maxTokens},
	}
}

// start counts a call and returns how long it waits for a response before it sends another request.
func (h *hedge) start(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget.earn(now)
	return h.latency.delay()
}

// allow tells whether another request may be sent, and pays for it.
func (h *hedge) allow() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.down && h.budget.spend()
}

// observe takes in how long a good response took.
func (h *hedge) observe(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latency.observe(took)
	h.down = false
}

// giveUp takes in that a call has ended without a good response. cause is the last request's.
func (h *hedge) giveUp(cause *Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = cause.Reason == reason.ProviderTimeout || cause.repeatable()
}

// latency estimates how long the provider takes, as TCP does for its retransmission timer (RFC 6298 section 2).
type latency struct {
	first, least, most time.Duration // of delay
	smoothed           time.Duration // 0: nothing measured yet
	deviation          time.Duration
}

func (l *latency) observe(took time.Duration) {
	if l.smoothed == 0 {
		l.smoothed, l.deviation = took, took/2
		return
	}
	l.deviation += ((l.smoothed - took).Abs() - l.deviation) / 4
	l.smoothed += (took - l.smoothed) / 8
}

// delay is the usual latency and four deviations, within bounds.
func (l *latency) delay() time.Duration {
	if l.smoothed == 0 {
		return l.first
	}
	return min(max(l.smoothed+4*l.deviation, l.least), l.most)
}

// budget holds the tokens that repeated requests cost, one each.
type budget struct {
	tokens float64
	earned time.Time // when tokens were last added
}

func (b *budget) earn(now time.Time) {
	// Round drops the monotonic reading, which may stand still while Lambda has the process frozen.
	now = now.Round(0)
	tokens := tokensPerCall
	if passed := now.Sub(b.earned).Minutes(); passed > 0 {
		tokens += passed * tokensPerMinute
	}
	b.tokens, b.earned = min(b.tokens+tokens, maxTokens), now
}

func (b *budget) spend() bool {
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
