package secret

import (
	"context"
	"sync"
	"time"
)

const (
	// refreshAfter is the age at which a call starts a refresh without waiting for it, so that under steady traffic no call
	// ever waits.
	refreshAfter = 30 * time.Second
	// maxAge is the age at which a call waits for the refresh: a change made in the console takes effect within a minute.
	maxAge = 60 * time.Second
	// maxWait bounds that wait. It leaves most of the second for the identity provider; after it the last good document
	// serves.
	maxWait = 200 * time.Millisecond
	// retryAfter spaces the attempts while a good document is held and refreshing fails, or brings nothing new to a caller
	// whose credentials were refused.
	retryAfter = 5 * time.Second
	// fetchTimeout ends an attempt that nobody waits for any more.
	fetchTimeout = 2 * time.Second
)

// Fetch gets the secret's current value.
type Fetch func(context.Context) ([]byte, error)

// Reader keeps the last good document. It is safe for concurrent use; calls that need a fetch share one.
type Reader struct {
	fetch Fetch
	now   func() time.Time

	mu        sync.Mutex
	held      *Document
	loaded    time.Time     // when the fetch of held began
	attempted time.Time     // when the last fetch began
	pending   chan struct{} // closed when the running fetch ends; nil where none runs
	err       error         // the last fetch's
}

// NewReader returns a reader that fetches nothing yet. Its clock is now.
func NewReader(fetch Fetch, now func() time.Time) *Reader {
	return &Reader{
		fetch: fetch,
		// Without the monotonic reading: that clock may stand still while Lambda has the process frozen, and a document
		// would seem younger than it is.
		now: func() time.Time { return now().Round(0) },
	}
}

// Document returns the document, at most a minute old where Secrets Manager answers. Where a refresh fails, is late (200
// ms) or brings a document that Parse refuses, the last good one serves on. An error means that there has never been a
// good one, or that ctx ended first.
func (r *Reader) Document(ctx context.Context) (Document, error) {
	r.mu.Lock()
	age := r.now().Sub(r.loaded)
	if r.held != nil && age >= 0 && age < refreshAfter {
		defer r.mu.Unlock()
		return *r.held, nil
	}
	since := r.now().Sub(r.attempted)
	// A fetch that has outlived its own timeout was frozen together with the process; what it brings is as old as that.
	running := r.pending != nil && since >= 0 && since <= fetchTimeout
	resting := r.held != nil && r.err != nil && since >= 0 && since < retryAfter
	if !running && !resting {
		r.refresh()
	}
	pending, held := r.pending, r.held
	r.mu.Unlock()

	if held != nil && (pending == nil || age >= 0 && age < maxAge) {
		return *held, nil
	}
	var late <-chan time.Time // never, where there is nothing to fall back to
	if held != nil {
		timer := time.NewTimer(maxWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-pending:
	case <-late:
	case <-ctx.Done():
		if held == nil {
			return Document{}, context.Cause(ctx)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		return Document{}, r.err
	}
	return *r.held, nil
}

// Renew is for a caller whose provider has refused the credentials in a document, perhaps because they were rotated. It
// returns another document than the refused one, which it fetches unless it holds one or has begun a fetch within the last
// five seconds; ok is false where there is no other within 200 ms.
func (r *Reader) Renew(ctx context.Context, refused Document) (document Document, ok bool) {
	r.mu.Lock()
	if r.held == nil || *r.held == refused {
		since := r.now().Sub(r.attempted)
		if r.pending == nil && (since < 0 || since >= retryAfter) {
			r.refresh()
		}
		if pending := r.pending; pending != nil {
			r.mu.Unlock()
			timer := time.NewTimer(maxWait)
			defer timer.Stop()
			select {
			case <-pending:
			case <-timer.C:
			case <-ctx.Done():
			}
			r.mu.Lock()
		}
	}
	defer r.mu.Unlock()
	if r.held == nil || *r.held == refused {
		return Document{}, false
	}
	return *r.held, true
}

// refresh begins a fetch. The caller holds the lock.
func (r *Reader) refresh() {
	done := make(chan struct{})
	r.pending, r.attempted = done, r.now()
	go func() {
		// Not the caller's context: the fetch serves every call that waits for it, and later ones.
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		value, err := r.fetch(ctx)
		var document Document
		if err == nil {
			document, err = Parse(value)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		defer close(done)
		if r.pending != done {
			return // a later fetch has taken over
		}
		if r.err = err; err == nil {
			r.held, r.loaded = &document, r.attempted
		}
		r.pending = nil
	}()
}
