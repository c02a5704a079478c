package secret_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/secret"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store is a secret that can be changed, broken and held up.
type store struct {
	mu      sync.Mutex
	value   string
	err     error
	hold    chan struct{} // a fetch waits until it is closed; nil: no wait
	fetches atomic.Int32
}

func (s *store) set(value string, err error, hold chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err, s.hold = value, err, hold
}

func (s *store) fetch(ctx context.Context) ([]byte, error) {
	s.fetches.Add(1)
	s.mu.Lock()
	value, err, hold := s.value, s.err, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []byte(value), err
}

func document(t *testing.T, role string) string {
	t.Helper()
	text, err := json.Marshal(secret.Document{
		AuthEndpointToken: "https://idp/token", AuthEndpointIntrospect: "https://idp/introspect", HLRoleARN: role,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newReader(t *testing.T) (*secret.Reader, *store, *clock) {
	t.Helper()
	s, c := &store{value: document(t, "one")}, &clock{now: time.Unix(1700000000, 0)}
	return secret.NewReader(s.fetch, c.Now), s, c
}

func wantRole(t *testing.T, r *secret.Reader, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := r.Document(ctx)
	if err != nil || got.HLRoleARN != want {
		t.Fatalf("got the document of %q, %v, want %q", got.HLRoleARN, err, want)
	}
}

// eventually polls, for what happens in the background.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("%s: not within 10 s", what)
}

func TestReaderKeepsTheDocument(t *testing.T) {
	r, s, c := newReader(t)
	for range 100 {
		wantRole(t, r, "one")
		c.advance(290 * time.Millisecond)
	}
	if got := s.fetches.Load(); got != 1 {
		t.Errorf("%d fetches in 29 s, want 1", got)
	}
}

func TestReaderPicksUpAChangeWithinTheMinute(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	s.set(document(t, "two"), nil, nil)
	c.advance(61 * time.Second)
	wantRole(t, r, "two")
}

func TestReaderPicksUpAChangeAfterALongSleep(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	s.set(document(t, "two"), nil, nil)
	c.advance(24 * time.Hour)
	wantRole(t, r, "two")
}

func TestReaderRefreshesWithoutMakingACallWait(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	hold := make(chan struct{})
	s.set(document(t, "two"), nil, hold)
	c.advance(31 * time.Second)
	wantRole(t, r, "one") // would hang here if it waited
	close(hold)
	eventually(t, "the new document", func() bool {
		d, err := r.Document(context.Background())
		return err == nil && d.HLRoleARN == "two"
	})
}

func TestReaderServesTheLastGoodDocument(t *testing.T) {
	for name, fault := range map[string]struct {
		value string
		err   error
	}{
		"an error":              {"", errors.New("AccessDeniedException")},
		"garbage":               {"<html>", nil},
		"an incomplete one":     {`{"client_id": "x"}`, nil},
		"an empty secret":       {"", nil},
		"a field of wrong type": {`{"auth_endpoint_token": 1}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, s, c := newReader(t)
			wantRole(t, r, "one")
			s.set(fault.value, fault.err, nil)
			c.advance(61 * time.Second)
			wantRole(t, r, "one")
			before := s.fetches.Load()
			wantRole(t, r, "one")
			if got := s.fetches.Load(); got != before {
				t.Error("a failed refresh is repeated at once")
			}
			s.set(document(t, "two"), nil, nil)
			c.advance(6 * time.Second)
			wantRole(t, r, "two")
		})
	}
}

func TestReaderServesTheLastGoodDocumentWhenARefreshHangs(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	hold := make(chan struct{})
	defer close(hold)
	s.set(document(t, "two"), nil, hold)
	c.advance(61 * time.Second)
	wantRole(t, r, "one")
}

func TestReaderDropsAFetchThatWasFrozen(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	hold := make(chan struct{})
	s.set(document(t, "frozen"), nil, hold)
	c.advance(31 * time.Second)
	wantRole(t, r, "one") // starts the fetch that is then frozen
	eventually(t, "the fetch", func() bool { return s.fetches.Load() == 2 })
	s.set(document(t, "two"), nil, nil)
	c.advance(time.Hour)
	wantRole(t, r, "two")
	close(hold)
	for range 50 {
		wantRole(t, r, "two")
		time.Sleep(time.Millisecond)
	}
}

func TestReaderWithoutADocumentFails(t *testing.T) {
	r, s, _ := newReader(t)
	s.set("", errors.New("ResourceNotFoundException"), nil)
	if d, err := r.Document(context.Background()); err == nil {
		t.Errorf("got %+v, want an error", d)
	}
	s.set(document(t, "two"), nil, nil)
	wantRole(t, r, "two") // no rest while there is nothing to serve
}

func TestReaderEndsWithTheContext(t *testing.T) {
	r, s, _ := newReader(t)
	hold := make(chan struct{})
	s.set(document(t, "one"), nil, hold)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Document(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(hold)
	wantRole(t, r, "one")
}

func TestReaderSharesOneFetch(t *testing.T) {
	r, s, _ := newReader(t)
	hold := make(chan struct{})
	s.set(document(t, "one"), nil, hold)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if d, err := r.Document(context.Background()); err != nil || d.HLRoleARN != "one" {
				t.Errorf("got %q, %v", d.HLRoleARN, err)
			}
		})
	}
	eventually(t, "the fetch", func() bool { return s.fetches.Load() == 1 })
	close(hold)
	wg.Wait()
	if got := s.fetches.Load(); got != 1 {
		t.Errorf("%d fetches for 20 calls, want 1", got)
	}
}

func TestReaderWithAClockThatWentBack(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	s.set(document(t, "two"), nil, nil)
	c.advance(-time.Hour)
	wantRole(t, r, "two")
}

func TestRenewAfterARotation(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	old, _ := r.Document(context.Background())
	s.set(document(t, "two"), nil, nil)

	if d, ok := r.Renew(context.Background(), old); ok {
		t.Errorf("got %q right after a fetch, want a rest", d.HLRoleARN)
	}
	c.advance(5 * time.Second)
	if d, ok := r.Renew(context.Background(), old); !ok || d.HLRoleARN != "two" {
		t.Errorf("got %q, %t, want the rotated document", d.HLRoleARN, ok)
	}
	wantRole(t, r, "two")
	// Another caller that was refused with the old document needs no fetch.
	before := s.fetches.Load()
	if d, ok := r.Renew(context.Background(), old); !ok || d.HLRoleARN != "two" || s.fetches.Load() != before {
		t.Errorf("got %q, %t after %d more fetches", d.HLRoleARN, ok, s.fetches.Load()-before)
	}
}

func TestRenewWithoutARotation(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	old, _ := r.Document(context.Background())
	for range 100 {
		c.advance(100 * time.Millisecond)
		if d, ok := r.Renew(context.Background(), old); ok {
			t.Fatalf("got %q, want no other document", d.HLRoleARN)
		}
	}
	if got := s.fetches.Load(); got != 3 {
		t.Errorf("%d fetches in 10 s, want the first and one every five seconds", got)
	}
	s.set("", errors.New("AccessDeniedException"), nil)
	c.advance(5 * time.Second)
	if d, ok := r.Renew(context.Background(), old); ok {
		t.Errorf("got %q from a secret that cannot be read", d.HLRoleARN)
	}
	wantRole(t, r, "one")
}

func TestRenewDoesNotWaitForLong(t *testing.T) {
	r, s, c := newReader(t)
	wantRole(t, r, "one")
	old, _ := r.Document(context.Background())
	hold := make(chan struct{})
	defer close(hold)
	s.set(document(t, "two"), nil, hold)
	c.advance(5 * time.Second)
	if d, ok := r.Renew(context.Background(), old); ok {
		t.Errorf("got %q from a secret that hangs", d.HLRoleARN)
	}
}
