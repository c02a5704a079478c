package lastgood_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/lastgood"
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

// store is a source that can be changed, broken and held up.
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

func (s *store) fetch(ctx context.Context) (string, error) {
	s.fetches.Add(1)
	s.mu.Lock()
	value, err, hold := s.value, s.err, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return value, err
}

var limits = lastgood.Limits{
	RefreshAfter: 30 * time.Second,
	MaxAge:       60 * time.Second,
	MaxWait:      200 * time.Millisecond,
	RetryAfter:   5 * time.Second,
	FetchTimeout: 2 * time.Second,
	Random:       func() float64 { return 0 },
}

func newValue() (*lastgood.Value[string], *store, *clock) {
	s, c := &store{value: "one"}, &clock{now: time.Unix(1700000000, 0)}
	return lastgood.New(s.fetch, limits, c.Now), s, c
}

func want(t *testing.T, v *lastgood.Value[string], want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := v.Get(ctx)
	if err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// not tells whether a value is another one.
func not(old string) func(string) bool { return func(s string) bool { return s != old } }

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

func TestKeepsTheValue(t *testing.T) {
	v, s, c := newValue()
	for range 100 {
		want(t, v, "one")
		c.advance(290 * time.Millisecond)
	}
	if got := s.fetches.Load(); got != 1 {
		t.Errorf("%d fetches in 29 s, want 1", got)
	}
}

// At the most, both times are half as long again. A value's own is drawn once, not at each call.
func TestDrawsItsTimes(t *testing.T) {
	s, c := &store{value: "one"}, &clock{now: time.Unix(1700000000, 0)}
	limits, drawn := limits, 0.5
	limits.Random = func() float64 { return drawn }
	v := lastgood.New(s.fetch, limits, c.Now)
	fetches := func(what string, n int32) {
		t.Helper()
		want(t, v, "one")
		eventually(t, what, func() bool { return s.fetches.Load() >= n })
		if got := s.fetches.Load(); got != n {
			t.Errorf("%s: %d fetches, want %d", what, got, n)
		}
	}
	fetches("the first call", 1)
	drawn = 0.8
	c.advance(37 * time.Second)
	fetches("before 1.25 times RefreshAfter", 1)
	s.set("", errors.New("AccessDeniedException"), nil)
	c.advance(30 * time.Second) // older than MaxAge: the call waits for the fetch
	fetches("after it", 2)
	c.advance(6900 * time.Millisecond)
	fetches("before 1.4 times RetryAfter", 2)
	c.advance(200 * time.Millisecond)
	fetches("after it", 3)
}

func TestPicksUpAChangeWithinTheMinute(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	s.set("two", nil, nil)
	c.advance(61 * time.Second)
	want(t, v, "two")
}

func TestPicksUpAChangeAfterALongSleep(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	s.set("two", nil, nil)
	c.advance(24 * time.Hour)
	want(t, v, "two")
}

func TestRefreshesWithoutMakingACallWait(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	hold := make(chan struct{})
	s.set("two", nil, hold)
	c.advance(31 * time.Second)
	want(t, v, "one") // would hang here if it waited
	close(hold)
	eventually(t, "the new value", func() bool {
		d, err := v.Get(context.Background())
		return err == nil && d == "two"
	})
}

func TestServesTheLastGoodValue(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	s.set("", errors.New("AccessDeniedException"), nil)
	c.advance(61 * time.Second)
	want(t, v, "one")
	before := s.fetches.Load()
	want(t, v, "one")
	if got := s.fetches.Load(); got != before {
		t.Error("a failed refresh is repeated at once")
	}
	s.set("two", nil, nil)
	c.advance(6 * time.Second)
	want(t, v, "two")
}

func TestServesTheLastGoodValueWhenARefreshHangs(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	hold := make(chan struct{})
	defer close(hold)
	s.set("two", nil, hold)
	c.advance(61 * time.Second)
	want(t, v, "one")
}

func TestDropsAFetchThatWasFrozen(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	hold := make(chan struct{})
	s.set("frozen", nil, hold)
	c.advance(31 * time.Second)
	want(t, v, "one") // starts the fetch that is then frozen
	eventually(t, "the fetch", func() bool { return s.fetches.Load() == 2 })
	s.set("two", nil, nil)
	c.advance(time.Hour)
	want(t, v, "two")
	close(hold)
	for range 50 {
		want(t, v, "two")
		time.Sleep(time.Millisecond)
	}
}

func TestWithoutAValueFails(t *testing.T) {
	v, s, _ := newValue()
	s.set("", errors.New("ResourceNotFoundException"), nil)
	if d, err := v.Get(context.Background()); err == nil {
		t.Errorf("got %+v, want an error", d)
	}
	s.set("two", nil, nil)
	want(t, v, "two") // no rest while there is nothing to serve
}

func TestEndsWithTheContext(t *testing.T) {
	v, s, _ := newValue()
	hold := make(chan struct{})
	s.set("one", nil, hold)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Get(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(hold)
	want(t, v, "one")
}

func TestSharesOneFetch(t *testing.T) {
	v, s, _ := newValue()
	hold := make(chan struct{})
	s.set("one", nil, hold)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if d, err := v.Get(context.Background()); err != nil || d != "one" {
				t.Errorf("got %q, %v", d, err)
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

func TestWithAClockThatWentBack(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	s.set("two", nil, nil)
	c.advance(-time.Hour)
	want(t, v, "two")
}

func TestRenewAfterARotation(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	old, _ := v.Get(context.Background())
	s.set("two", nil, nil)

	if d, err := v.Renew(context.Background(), not(old)); !errors.Is(err, lastgood.ErrNoOther) {
		t.Errorf("got %q, %v right after a fetch, want a rest", d, err)
	}
	c.advance(5 * time.Second)
	if d, err := v.Renew(context.Background(), not(old)); err != nil || d != "two" {
		t.Errorf("got %q, %v, want the new value", d, err)
	}
	want(t, v, "two")
	// Another caller that was refused with the old value needs no fetch.
	before := s.fetches.Load()
	if d, err := v.Renew(context.Background(), not(old)); err != nil || d != "two" || s.fetches.Load() != before {
		t.Errorf("got %q, %v after %d more fetches", d, err, s.fetches.Load()-before)
	}
}

func TestRenewWithoutARotation(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	old, _ := v.Get(context.Background())
	for range 100 {
		c.advance(100 * time.Millisecond)
		if d, err := v.Renew(context.Background(), not(old)); !errors.Is(err, lastgood.ErrNoOther) {
			t.Fatalf("got %q, %v, want no other value", d, err)
		}
	}
	if got := s.fetches.Load(); got != 3 {
		t.Errorf("%d fetches in 10 s, want the first and one every five seconds", got)
	}
	denied := errors.New("AccessDeniedException")
	s.set("", denied, nil)
	c.advance(5 * time.Second)
	// The second time is within RetryAfter of the first.
	for range 2 {
		if d, err := v.Renew(context.Background(), not(old)); !errors.Is(err, denied) {
			t.Errorf("got %q, %v from a source that cannot be read", d, err)
		}
	}
	want(t, v, "one")
}

func TestRenewDoesNotWaitForLong(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	old, _ := v.Get(context.Background())
	hold := make(chan struct{})
	defer close(hold)
	s.set("two", nil, hold)
	c.advance(5 * time.Second)
	if d, err := v.Renew(context.Background(), not(old)); err == nil || errors.Is(err, lastgood.ErrNoOther) {
		t.Errorf("got %q, %v from a source that hangs", d, err)
	}
}

// Lambda freezes the process with the fetch that a caller has given up waiting for.
func TestRenewDropsAFetchThatWasFrozen(t *testing.T) {
	v, s, c := newValue()
	want(t, v, "one")
	old, _ := v.Get(context.Background())
	hold := make(chan struct{})
	defer close(hold)
	s.set("frozen", nil, hold)
	c.advance(5 * time.Second)
	if d, err := v.Renew(context.Background(), not(old)); err == nil {
		t.Errorf("got %q from a source that hangs", d)
	}
	s.set("two", nil, nil)
	c.advance(10 * time.Second)
	if d, err := v.Renew(context.Background(), not(old)); err != nil || d != "two" {
		t.Errorf("got %q, %v, want what a new fetch brings", d, err)
	}
}

// Where nothing is held and each fetch takes its time to fail, a call ends with what went wrong.
func TestSlowFailuresAreTold(t *testing.T) {
	v, s, c := newValue()
	hold := make(chan struct{})
	throttled := errors.New("throttled")
	s.set("", throttled, hold)
	time.AfterFunc(100*time.Millisecond, func() { c.advance(600 * time.Millisecond) })
	time.AfterFunc(700*time.Millisecond, func() { close(hold) })
	if d, err := v.Get(context.Background()); !errors.Is(err, throttled) {
		t.Errorf("got %q, %v", d, err)
	}
	if got := s.fetches.Load(); got != 2 {
		t.Errorf("%d fetches, want the first and a second one", got)
	}

	hanging := make(chan struct{})
	defer close(hanging)
	s.set("", nil, hanging)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if d, err := v.Get(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, throttled) {
		t.Errorf("got %q, %v, want the deadline and the failure before it", d, err)
	}
}

// A fetch that hangs while there is nothing to serve must not hold up the calls that come after it.
func TestAHangingFirstFetchIsNotWaitedFor(t *testing.T) {
	v, s, c := newValue()
	hold := make(chan struct{})
	s.set("first", nil, hold)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if got, err := v.Get(ctx); err == nil {
		t.Fatalf("got %q from a source that hangs", got)
	}
	s.set("two", nil, nil)
	c.advance(600 * time.Millisecond)
	want(t, v, "two")
	close(hold) // what comes late is not taken for newer
	for range 50 {
		want(t, v, "two")
		time.Sleep(time.Millisecond)
	}
}

// Nor one that began to wait for it before.
func TestACallThatWaitsForAHangingFirstFetchTriesAgain(t *testing.T) {
	v, s, c := newValue()
	hold := make(chan struct{})
	defer close(hold)
	s.set("first", nil, hold)
	got := make(chan string)
	go func() {
		value, err := v.Get(context.Background())
		if err != nil {
			value = err.Error()
		}
		got <- value
	}()
	eventually(t, "the first fetch", func() bool { return s.fetches.Load() == 1 })
	s.set("two", nil, nil)
	c.advance(600 * time.Millisecond)
	if value := <-got; value != "two" {
		t.Errorf("got %q", value)
	}
}

// Nor is it lost if it comes after all, while the later one still hangs.
func TestALateFirstFetchServesWhereNothingElseDoes(t *testing.T) {
	v, s, c := newValue()
	first, second := make(chan struct{}), make(chan struct{})
	defer close(second)
	s.set("first", nil, first)
	got := make(chan string, 2)
	get := func() {
		value, err := v.Get(context.Background())
		if err != nil {
			value = err.Error()
		}
		got <- value
	}
	go get()
	eventually(t, "the first fetch", func() bool { return s.fetches.Load() == 1 })
	s.set("second", nil, second)
	c.advance(600 * time.Millisecond)
	go get()
	eventually(t, "the second fetch", func() bool { return s.fetches.Load() == 2 })
	close(first)
	for range 2 {
		if value := <-got; value != "first" {
			t.Errorf("got %q", value)
		}
	}
}

// A call that joined a fetch which fails begins one of its own.
func TestACallThatJoinedAFailingFetchTriesAgain(t *testing.T) {
	v, s, _ := newValue()
	hold := make(chan struct{})
	s.set("", errors.New("throttled"), hold)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, _ = v.Get(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		want(t, v, "two")
	}()
	time.Sleep(20 * time.Millisecond)
	s.set("two", nil, nil)
	close(hold)
	<-done
}
