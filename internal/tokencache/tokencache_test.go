package tokencache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/tokencache"
)

var start = time.Unix(1700000000, 0)

const maxBytes = 8 << 20

// fixture is a cache, its clock and a provider whose answer can be set.
type fixture struct {
	*tokencache.Cache
	now    time.Time
	answer string
	err    error
	loads  int
}

func newFixture(keep time.Duration) *fixture {
	f := &fixture{now: start, answer: `{"active": true}`}
	f.Cache = tokencache.New(keep, maxBytes, func() time.Time { return f.now })
	return f
}

func (f *fixture) load(context.Context) (claims.Set, error) {
	f.loads++
	if f.err != nil {
		return nil, f.err
	}
	return claims.Parse([]byte(f.answer))
}

// want asks about a token and checks whether the answer was kept from before.
func (f *fixture) want(t *testing.T, token string, kept bool) {
	t.Helper()
	before := f.loads
	set, got, err := f.Claims(t.Context(), "realm", token, f.load)
	if err != nil || got != kept || (f.loads == before) != kept || set == nil {
		t.Errorf("after %v: got kept %t with %d loads, %v, want kept %t", f.now.Sub(start), got, f.loads-before, err, kept)
	}
}

func TestKeepsForItsTime(t *testing.T) {
	f := newFixture(60 * time.Second)
	f.want(t, "a", false)
	f.want(t, "a", true)
	f.want(t, "b", false)
	f.now = start.Add(59 * time.Second)
	f.want(t, "a", true)
	f.now = start.Add(60 * time.Second)
	f.want(t, "a", false)
}

func TestKeepsNothingByDefault(t *testing.T) {
	f := newFixture(0)
	f.want(t, "a", false)
	f.want(t, "a", false)
}

func TestNeverBeyondExp(t *testing.T) {
	f := newFixture(60 * time.Second)
	f.answer = fmt.Sprintf(`{"active": true, "exp": %d}`, start.Unix()+10)
	f.want(t, "a", false)
	f.now = start.Add(9 * time.Second)
	f.want(t, "a", true)
	f.now = start.Add(10 * time.Second)
	f.want(t, "a", false)
	f.want(t, "a", false) // over already when it comes
	for _, exp := range []string{`"tomorrow"`, `-1`, `1e30`} {
		f.answer = `{"active": true, "exp": ` + exp + `}`
		f.want(t, "exp "+exp, false)
		f.want(t, "exp "+exp, false)
	}
}

func TestDenialsAreKeptBriefly(t *testing.T) {
	f := newFixture(60 * time.Second)
	f.answer = `{"active": false}`
	f.want(t, "a", false)
	f.now = start.Add(4 * time.Second)
	f.want(t, "a", true)
	f.now = start.Add(5 * time.Second)
	f.want(t, "a", false)

	f = newFixture(2 * time.Second)
	f.answer = `{"active": false}`
	f.want(t, "a", false)
	f.now = start.Add(2 * time.Second)
	f.want(t, "a", false)
}

func TestErrorsAreNotKept(t *testing.T) {
	f := newFixture(60 * time.Second)
	f.err = errors.New("timeout")
	if _, _, err := f.Claims(t.Context(), "realm", "a", f.load); !errors.Is(err, f.err) {
		t.Errorf("got %v", err)
	}
	f.err = nil
	f.want(t, "a", false)
	f.want(t, "a", true)
}

func TestAnotherRealmMisses(t *testing.T) {
	f := newFixture(60 * time.Second)
	f.want(t, "a", false)
	for _, realm := range []string{"other", "", "realma"} {
		if _, kept, err := f.Claims(t.Context(), realm, "a", f.load); kept || err != nil {
			t.Errorf("realm %q: kept %t, %v", realm, kept, err)
		}
	}
	if _, kept, _ := f.Claims(t.Context(), "real", "ma", f.load); kept {
		t.Error("a realm runs into the token")
	}
}

func TestAClockThatWentBackKeepsNothingForLonger(t *testing.T) {
	f := newFixture(60 * time.Second)
	f.want(t, "a", false)
	f.now = start.Add(-time.Hour)
	f.want(t, "a", false)
}

func TestEntriesAreBounded(t *testing.T) {
	f := newFixture(60 * time.Second)
	for i := range 4096 {
		f.want(t, fmt.Sprint(i), false)
	}
	f.want(t, "0", true) // the most recently used now
	f.want(t, "one more", false)
	f.want(t, "0", true)
	f.want(t, "1", false)
}

func TestBytesAreBounded(t *testing.T) {
	f := newFixture(60 * time.Second)
	text, err := json.Marshal(strings.Repeat("x", 60<<10))
	if err != nil {
		t.Fatal(err)
	}
	f.answer = `{"active": true, "x": ` + string(text) + `}`
	const all = 300 // 18 MB, of which 8 MiB may stay
	for i := range all {
		f.want(t, fmt.Sprint(i), false)
	}
	f.want(t, fmt.Sprint(all-1), true)
	f.want(t, fmt.Sprint(all-100), true)
	f.want(t, fmt.Sprint(all-150), false)
}

func TestConcurrentCallsGetTheirOwnToken(t *testing.T) {
	cache := tokencache.New(time.Minute, maxBytes, time.Now)
	var wg sync.WaitGroup
	for call := range 200 {
		wg.Go(func() {
			token := fmt.Sprint(call % 10)
			set, _, err := cache.Claims(t.Context(), "realm", token, func(context.Context) (claims.Set, error) {
				return claims.Parse([]byte(`{"active": true, "sub": "` + token + `"}`))
			})
			if sub, _ := set.Text("sub"); err != nil || sub != token {
				t.Errorf("token %s: got %s, %v", token, set, err)
			}
		})
	}
	wg.Wait()
}
