// Package lastgood keeps a value that is fetched from elsewhere and may change there. While fetching fails, it serves the
// last good value.
package lastgood

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Limits say when a value is fetched again and how long a caller waits for that.
type Limits struct {
	// RefreshAfter is the age at which a call starts a fetch in the background, and up to half as much again: each value that
	// is fetched draws its own, so that processes that began together do not fetch together. With steady traffic no call
	// ever waits.
	RefreshAfter time.Duration
	// MaxAge is the age at which a call waits for the fetch, up to MaxWait. After that it gets the last good value.
	MaxAge  time.Duration
	MaxWait time.Duration
	// RetryAfter is the least time between two fetches, counted from their beginnings, while fetching fails or Renew finds
	// nothing new. Get adds up to half as much, drawn for each fetch. It does not hold while there is no value at all.
	RetryAfter time.Duration
	// FetchTimeout ends a fetch.
	FetchTimeout time.Duration
	// Random returns a number from 0 to 1, 1 excluded. nil is math/rand/v2's, which differs from process to process.
	Random func() float64
}

// Value is a value of type T with its limits. It is safe for concurrent use; calls that need a fetch share one.
type Value[T any] struct {
	fetch  func(context.Context) (T, error)
	limits Limits
	now    func() time.Time

	mu      sync.Mutex    // held by the callers of all unexported methods
	held    *T            // nil until the first fetch succeeds
	source  *attempt      // the fetch of held
	err     error         // of the last fetch that ended
	newest  *attempt      // the fetch that began last
	changed chan struct{} // closed and replaced whenever a fetch ends
}

// attempt is one fetch.
type attempt struct {
	began time.Time
	delay float64 // how much longer than need be to wait for the next one: 0 to 0.5
	over  bool
}

// spread adds this fetch's delay to d.
func (a *attempt) spread(d time.Duration) time.Duration { return d + time.Duration(a.delay*float64(d)) }

// New returns a value that is fetched at the first call. Its clock is now.
func New[T any](fetch func(context.Context) (T, error), limits Limits, now func() time.Time) *Value[T] {
	if limits.Random == nil {
		limits.Random = rand.Float64
	}
	return &Value[T]{
		fetch:  fetch,
		limits: limits,
		// Round drops the monotonic reading: that clock may stand still while Lambda has the process frozen, and a value
		// would seem younger than it is.
		now:     func() time.Time { return now().Round(0) },
		newest:  &attempt{over: true},
		changed: make(chan struct{}),
	}
}

// Get returns the value. It is no older than MaxAge if fetching works; if not, it is the last good one. An error means that
// there has never been a good one, or that ctx ended first.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		return v.first(ctx)
	}
	if v.isWithin(v.source.began, v.source.spread(v.limits.RefreshAfter)) {
		return *v.held, nil
	}
	failed := v.err != nil && v.isWithin(v.newest.began, v.newest.spread(v.limits.RetryAfter))
	if !failed && !v.isRunning(v.limits.FetchTimeout) {
		v.begin()
	}
	if !v.isWithin(v.source.began, v.limits.MaxAge) && v.isRunning(v.limits.FetchTimeout) {
		v.wait(ctx, v.newest, v.limits.MaxWait)
	}
	return *v.held, nil
}

// first waits for the first value. The fetch that it joins may fail or hang; then it begins another one, once.
func (v *Value[T]) first(ctx context.Context) (value T, err error) {
	patience := v.limits.FetchTimeout / 4
	joined := v.isRunning(patience)
	if !joined {
		v.begin()
	}
	a := v.newest
	v.wait(ctx, a, patience-v.now().Sub(a.began))
	if v.held == nil && ctx.Err() == nil && (joined || !a.over) {
		if !v.isRunning(patience) {
			v.begin()
		}
		v.wait(ctx, v.newest, v.limits.FetchTimeout)
	}
	if v.held == nil {
		return value, v.failure(ctx)
	}
	return *v.held, nil
}

// failure says why there is no value.
func (v *Value[T]) failure(ctx context.Context) error {
	ended := context.Cause(ctx)
	switch {
	case ended != nil && v.err != nil:
		return fmt.Errorf("%w; before that: %w", ended, v.err)
	case ended != nil:
		return ended
	case v.err != nil:
		return v.err
	}
	return errLate
}

// ErrNoOther is Renew's error if accept refuses the newest value, too.
var ErrNoOther = errors.New("there is no other value")

var errLate = errors.New("the fetch takes too long")

// Renew returns a value that accept accepts, fetching at most once per RetryAfter and waiting for at most MaxWait. The error
// is ErrNoOther if accept refuses the newest value; any other error means that the newest value could not be fetched.
func (v *Value[T]) Renew(ctx context.Context, accept func(T) bool) (value T, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held != nil && accept(*v.held) {
		return *v.held, nil
	}
	if v.newest.over && !v.isWithin(v.newest.began, v.limits.RetryAfter) ||
		!v.newest.over && !v.isRunning(v.limits.FetchTimeout) {
		v.begin()
	}
	v.wait(ctx, v.newest, v.limits.MaxWait)
	switch {
	case v.held != nil && accept(*v.held):
		return *v.held, nil
	case !v.newest.over:
		return value, errLate
	case v.err != nil:
		return value, v.err
	}
	return value, ErrNoOther
}

// isWithin tells whether less than d has passed since begin. After the clock was set back, nothing is.
func (v *Value[T]) isWithin(begin time.Time, d time.Duration) bool {
	passed := v.now().Sub(begin)
	return passed >= 0 && passed < d
}

// isRunning tells whether a fetch is running that began less than d ago. A fetch older than FetchTimeout was frozen with the
// process; its result is stale.
func (v *Value[T]) isRunning(d time.Duration) bool {
	return !v.newest.over && v.isWithin(v.newest.began, d)
}

// begin starts a fetch.
func (v *Value[T]) begin() {
	a := &attempt{began: v.now(), delay: v.limits.Random() / 2}
	v.newest = a
	go func() {
		// Not the caller's context: the fetch is for every call that waits for it, and for later ones.
		ctx, cancel := context.WithTimeout(context.Background(), v.limits.FetchTimeout)
		defer cancel()
		value, err := v.fetch(ctx)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.end(a, value, err)
	}()
}

// end takes in what a fetch brought. If a newer one has begun, it counts only while there is no value.
func (v *Value[T]) end(a *attempt, value T, err error) {
	a.over = true
	if a == v.newest || v.held == nil {
		v.err = err
		if err == nil {
			v.held, v.source = &value, a
		}
	}
	close(v.changed)
	v.changed = make(chan struct{})
}

// wait returns when a is over, when another value is held, when ctx ends or after limit. It gives up the lock meanwhile.
func (v *Value[T]) wait(ctx context.Context, a *attempt, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for before := v.held; !a.over && v.held == before && ctx.Err() == nil; {
		changed := v.changed
		v.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		v.mu.Lock()
	}
}
