// Package lastgood keeps a value that is fetched from elsewhere and may change there, and serves the last good one while
// fetching fails.
package lastgood

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limits say when a value is fetched anew, and what a caller may have to wait for that.
type Limits struct {
	// RefreshAfter is the age at which a call starts a fetch without waiting for it, so that under steady traffic no call
	// ever waits.
	RefreshAfter time.Duration
	// MaxAge is the age at which a call waits for the fetch, for MaxWait at the most; after that the last good value serves.
	MaxAge  time.Duration
	MaxWait time.Duration
	// RetryAfter spaces the fetches while a value is held and fetching fails, or brings nothing new to Renew.
	RetryAfter time.Duration
	// FetchTimeout ends a fetch that nobody waits for any more.
	FetchTimeout time.Duration
}

// Value is a value of type T with its limits. It is safe for concurrent use; calls that need a fetch share one.
type Value[T any] struct {
	fetch  func(context.Context) (T, error)
	limits Limits
	now    func() time.Time

	mu        sync.Mutex
	held      *T
	loaded    time.Time // when the fetch of held began
	attempted time.Time // when the last fetch began
	pending   *flight   // the running fetch that callers join; nil where there is none
	err       error     // the last fetch's
}

// flight is a fetch that callers wait for.
type flight struct {
	done chan struct{}
	over bool // done is closed
}

func (f *flight) end() {
	if !f.over {
		f.over = true
		close(f.done)
	}
}

// New returns a value that is fetched at the first call. Its clock is now.
func New[T any](fetch func(context.Context) (T, error), limits Limits, now func() time.Time) *Value[T] {
	return &Value[T]{
		fetch:  fetch,
		limits: limits,
		// Without the monotonic reading: that clock may stand still while Lambda has the process frozen, and a value would
		// seem younger than it is.
		now: func() time.Time { return now().Round(0) },
	}
}

// Get returns the value, no older than MaxAge where fetching works, and else the last good one. An error means that there
// has never been a good one, or that ctx ended first.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	return v.get(ctx, true)
}

// get is Get; with again it begins a second fetch where there is nothing to serve and the first one is no good.
func (v *Value[T]) get(ctx context.Context, again bool) (T, error) {
	v.mu.Lock()
	age := v.now().Sub(v.loaded)
	if v.held != nil && age >= 0 && age < v.limits.RefreshAfter {
		defer v.mu.Unlock()
		return *v.held, nil
	}
	since := v.now().Sub(v.attempted)
	// A fetch that has outlived its own timeout was frozen together with the process; what it brings is as old as that.
	// Where there is nothing to fall back to, one that hangs is not waited for, either.
	patience := v.limits.FetchTimeout
	if v.held == nil {
		patience /= 4
	}
	running := v.pending != nil && since >= 0 && since < patience
	resting := v.held != nil && v.err != nil && since >= 0 && since < v.limits.RetryAfter
	if !running && !resting {
		v.refresh()
	}
	pending, held := v.pending, v.held
	v.mu.Unlock()

	if held != nil && (pending == nil || age >= 0 && age < v.limits.MaxAge) {
		return *held, nil
	}
	var late <-chan time.Time // never, where there is nothing to fall back to and no second try
	if held != nil || again {
		wait := v.limits.MaxWait
		switch {
		case held != nil:
		case running:
			wait = patience - since
		default:
			wait = patience
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-pending.done:
	case <-late:
	case <-ctx.Done():
	}
	v.mu.Lock()
	switch {
	case v.held != nil:
		defer v.mu.Unlock()
		return *v.held, nil
	case ctx.Err() == nil && again && (running || !pending.over):
		// The fetch began before this call and failed, or it hangs; one that begins now may fare better.
		v.mu.Unlock()
		return v.get(ctx, false)
	}
	defer v.mu.Unlock()
	var none T
	if cause := context.Cause(ctx); cause != nil && v.err != nil {
		return none, fmt.Errorf("%w; before that: %w", cause, v.err)
	} else if cause != nil {
		return none, cause
	}
	return none, v.err
}

// ErrNoOther is Renew's error where the newest value does not serve either.
var ErrNoOther = errors.New("there is no other value")

var errLate = errors.New("the fetch takes too long")

// Renew is for a caller that the value it got does not serve, perhaps because it has changed since. It returns a value
// that serves, which it fetches unless it holds one or has begun a fetch within RetryAfter. The error is ErrNoOther where
// that value does not serve, and another one where there may be one that does: fetching fails, or takes longer than MaxWait.
func (v *Value[T]) Renew(ctx context.Context, serves func(T) bool) (value T, err error) {
	v.mu.Lock()
	if v.held == nil || !serves(*v.held) {
		since := v.now().Sub(v.attempted)
		// As in Get, one that was frozen together with the process is not waited for.
		running := v.pending != nil && since >= 0 && since < v.limits.FetchTimeout
		if !running && (v.pending != nil || since < 0 || since >= v.limits.RetryAfter) {
			v.refresh()
		}
		if pending := v.pending; pending != nil {
			v.mu.Unlock()
			timer := time.NewTimer(v.limits.MaxWait)
			defer timer.Stop()
			select {
			case <-pending.done:
			case <-timer.C:
			case <-ctx.Done():
			}
			v.mu.Lock()
		}
	}
	defer v.mu.Unlock()
	switch {
	case v.held != nil && serves(*v.held):
		return *v.held, nil
	case v.pending != nil:
		return value, errLate
	case v.err != nil:
		return value, v.err
	}
	return value, ErrNoOther
}

// refresh begins a fetch. The caller holds the lock.
func (v *Value[T]) refresh() {
	mine := &flight{done: make(chan struct{})}
	began := v.now()
	v.pending, v.attempted = mine, began
	go func() {
		// Not the caller's context: the fetch serves every call that waits for it, and later ones.
		ctx, cancel := context.WithTimeout(context.Background(), v.limits.FetchTimeout)
		defer cancel()
		value, err := v.fetch(ctx)

		v.mu.Lock()
		defer v.mu.Unlock()
		defer mine.end()
		current := v.pending == mine
		if !current && (v.held != nil || err != nil) {
			if v.held == nil {
				v.err = err // it may be all that is known of what is wrong
			}
			return // a later fetch has taken over
		}
		if v.err = err; err == nil {
			v.held, v.loaded = &value, began
		}
		if v.pending != nil {
			v.pending.end()
		}
		v.pending = nil
	}()
}
