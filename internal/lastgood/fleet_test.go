package lastgood_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/lastgood"
	"healthlake-smart-on-fhir/internal/secret"
)

const (
	instances = 1000
	simulated = 10 * time.Minute
	pause     = time.Second // between two calls of an instance, on average
)

// fleet is what many processes ask of one server. All begin within the same second, and each calls at random times.
type fleet struct {
	limits   lastgood.Limits
	down, up time.Duration // the server fails between these times
	// From newFrom on, the server has a new value, and calls begin to need it. All do after turnover. 0: there is none.
	newFrom, turnover time.Duration
}

// busiest simulates the fleet on a clock of its own, and returns the most fetches that began in one second, without the
// processes' first ones. Where together is set, no process draws times of its own.
func (f fleet) busiest(t *testing.T, together bool) int {
	var seconds [simulated / time.Second]int
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var all sync.WaitGroup
		begin := time.Now()
		fetch := func(context.Context) (isNew bool, err error) {
			at := time.Since(begin)
			mu.Lock()
			seconds[at/time.Second]++
			mu.Unlock()
			time.Sleep(20 * time.Millisecond)
			if f.down <= at && at < f.up {
				return false, errors.New("down")
			}
			return f.newFrom > 0 && at >= f.newFrom, nil
		}
		for i := range instances {
			random := rand.New(rand.NewPCG(0, uint64(i)))
			limits := f.limits
			limits.Random = random.Float64
			if together {
				limits.Random = func() float64 { return 0 }
			}
			all.Go(func() { f.run(t, begin, random, lastgood.New(fetch, limits, time.Now)) })
		}
		all.Wait()
	})
	if first := seconds[0] + seconds[1]; first != instances {
		t.Errorf("%d fetches at the start, want one for each process", first)
	}
	return slices.Max(seconds[2:])
}

// run is one process.
func (f fleet) run(t *testing.T, begin time.Time, random *rand.Rand, v *lastgood.Value[bool]) {
	time.Sleep(time.Duration(random.Float64() * float64(time.Second)))
	for at := time.Since(begin); at < simulated; at = time.Since(begin) {
		if _, err := v.Get(t.Context()); err != nil {
			t.Error(err)
		}
		if f.newFrom > 0 && random.Float64()*float64(f.turnover) < float64(at-f.newFrom) {
			_, _ = v.Renew(t.Context(), func(isNew bool) bool { return isNew })
		}
		time.Sleep(time.Duration(random.ExpFloat64() * float64(pause)))
	}
}

// Many processes that begin together do not come to the server together, again and again. docs/reference/scaling.md has the
// figures.
func TestManyProcessesAreSpread(t *testing.T) {
	const second, minute = time.Second, time.Minute
	for _, x := range []struct {
		name string
		fleet
		most     int // fetches in one second
		together int // at least as many where all wait equally long; 0: not tried
	}{
		{"the secret", fleet{limits: secret.Limits}, 100, 300},
		{"the secret, not readable for two minutes", fleet{limits: secret.Limits, down: 100 * second, up: 220 * second}, 200, 0},
		{"keys", fleet{limits: jwt.Limits}, 25, 300},
		{"keys, not there for two minutes", fleet{limits: jwt.Limits, down: 290 * second, up: 410 * second}, 100, 0},
		// Calls begin to need a new key one by one, as tokens are renewed; so nothing else need spread them.
		{"a new key, tokens of five minutes", fleet{limits: jwt.Limits, newFrom: 100 * second, turnover: 5 * minute}, 60, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			spread := x.busiest(t, false)
			t.Logf("%d fetches in the busiest second", spread)
			if spread > x.most {
				t.Errorf("want at most %d", x.most)
			}
			if x.together == 0 {
				return
			}
			together := x.busiest(t, true)
			t.Logf("%d where all wait equally long", together)
			if together < x.together {
				t.Errorf("want at least %d: the test shows nothing", x.together)
			}
		})
	}
}
