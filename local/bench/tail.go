package main

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"os"
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
)

const (
	// parallel is how many instances are called at the same time.
	parallel = 8
	// quietInstances is how many are called that are frozen between two calls, frozenTime long.
	quietInstances = 100
	frozenTime     = 300 * time.Millisecond
	// outageTime is how long a provider is down.
	outageTime = 3 * time.Second
	// pace is the time between two calls of an instance in a run with an outage.
	pace = 25 * time.Millisecond
)

// load is what came of calls to several instances at the same time.
type load struct {
	name     string
	took     time.Duration
	calls    []outcome
	requests int
}

func (l *load) warm() samples {
	all := make(samples, len(l.calls))
	for i, o := range l.calls {
		all[i] = o.took
	}
	return all
}

// faults counts the calls that were not good, by kind.
func (l *load) faults() (kinds map[string]int, bad int) {
	kinds = map[string]int{}
	for _, o := range l.calls {
		if o.fault != "" {
			kinds[o.fault]++
			bad++
		}
	}
	return kinds, bad
}

func (l *load) good() float64 {
	_, bad := l.faults()
	return 1 - float64(bad)/float64(len(l.calls))
}

func (l *load) requestsPerCall() float64 { return float64(l.requests) / float64(len(l.calls)) }

// atLeast is the share of good calls that a load of this size shows with 95 % confidence: without a bad call by the rule of
// three, else by a normal approximation of their count.
func (l *load) atLeast() float64 {
	most := 3.0
	if _, bad := l.faults(); bad > 0 {
		most = float64(bad) + 1.645*math.Sqrt(float64(bad)) + 2
	}
	return 1 - most/float64(len(l.calls))
}

// part is of the calls that began from one time on and before another.
func (l *load) part(from, to time.Time) *load {
	part := &load{}
	for _, o := range l.calls {
		if !o.begin.Before(from) && o.begin.Before(to) {
			part.calls = append(part.calls, o)
			part.requests += o.requests
		}
	}
	return part
}

// several calls instances at the same time. calls makes those of one of them, which begin at the time that it gets.
func (s *subject) several(ctx context.Context, instances int, calls func(*instance, time.Time) ([]outcome, error)) (*load, error) {
	var running []*instance
	for range instances {
		i, err := s.run(ctx)
		if err != nil {
			return nil, err
		}
		defer i.Stop()
		running = append(running, i)
	}
	l, begin, requests := &load{name: s.name}, time.Now(), s.provider.requests.Load()
	var mu sync.Mutex
	err := each(running, func(i *instance) error {
		made, err := calls(i, begin)
		mu.Lock()
		defer mu.Unlock()
		l.calls = append(l.calls, made...)
		return err
	})
	l.took, l.requests = time.Since(begin), int(s.provider.requests.Load()-requests)
	return l, err
}

// stalledRequests calls several instances at a time, as fast as they respond, without TLS: so many calls would take longer with it.
func (b *bench) stalledRequests(ctx context.Context) error {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // so many lines would fill this process's memory
	if err != nil {
		return err
	}
	defer nowhere.Close()
	for _, x := range []struct {
		name             string
		stalled          float64
		calls, instances int
	}{ // with 5 % each instance waits for most of its time
		{"1 % of requests stalled", 0.01, b.effort.stalls1, parallel}, {"5 % of requests stalled", 0.05, b.effort.stalls5, 2 * parallel},
	} {
		s := b.introspecting(x.name, behaviour{plain: true, stalled: x.stalled})
		s.config.Output = nowhere
		l, err := s.several(ctx, x.instances, func(i *instance, _ time.Time) (all []outcome, err error) {
			for err == nil && len(all) < x.calls/x.instances {
				var o outcome
				o, err = i.call(ctx)
				all = append(all, o)
			}
			return all, err
		})
		if err != nil {
			return err
		}
		b.loads = append(b.loads, l)
	}
	return b.err
}

// quietInstances freezes each instance after every call, as Lambda does. Meanwhile its connection may be closed, or die
// without a sign. A frozen instance's time goes on.
func (b *bench) quietInstances(ctx context.Context) error {
	s := b.introspecting("quiet instances", behaviour{latency: near, stalled: 0.01, closed: 0.3, silent: 0.05})
	l, err := s.several(ctx, quietInstances, func(i *instance, begin time.Time) (all []outcome, err error) {
		for err == nil && time.Since(begin) < b.effort.quiet {
			err = i.Freeze()
			time.Sleep(frozenTime)
			o, callErr := outcome{}, i.Thaw()
			if callErr == nil {
				o, callErr = i.call(ctx)
			}
			all, err = append(all, o), cmp.Or(err, callErr)
		}
		return all, err
	})
	b.loads = append(b.loads, l)
	return cmp.Or(err, b.err)
}

// outage is a run in the middle of which the provider is down.
type outage struct {
	name               string
	run, inside, after *load
}

// outageRuns calls several instances at a pace. Requests are what the log lines say: those that are refused reach no server.
func (b *bench) outageRuns(ctx context.Context) error {
	for _, name := range []string{"refused", "silent"} {
		s := b.introspecting(name, behaviour{plain: true, latency: near})
		var down, up time.Time
		var once sync.Once
		broken := make(chan error, 1)
		run, err := s.several(ctx, parallel, func(i *instance, begin time.Time) ([]outcome, error) {
			once.Do(func() {
				down = begin.Add((b.effort.outage - outageTime) / 2)
				up = down.Add(outageTime)
				go func() { broken <- s.provider.breakDown(name == "refused", down, up) }()
			})
			return i.atPace(ctx, begin.Add(b.effort.outage))
		})
		if err != nil {
			return err
		}
		if err := <-broken; err != nil {
			return err
		}
		end := up.Add(time.Hour)
		b.outages = append(b.outages, &outage{name, run.part(time.Time{}, end), run.part(down, up), run.part(up, end)})
	}
	return b.err
}

// atPace makes calls until a time, each when the pace allows and the one before has ended.
func (i *instance) atPace(ctx context.Context, end time.Time) (all []outcome, err error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for time.Now().Before(end) {
		<-tick.C
		o, err := i.call(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := i.AwaitLog(ctx, all[len(all)-1].id); err != nil {
		return nil, err
	}
	requests := map[any]float64{}
	for _, text := range i.Logs() {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil {
			requests[line[contract.FieldRequestID]], _ = line[contract.FieldIdPRequests].(float64)
		}
	}
	for k := range all {
		all[k].requests = int(requests[all[k].id])
	}
	return all, nil
}

// latencies are those of the providers that the service time is measured with, beside one that responds at once.
var latencies = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

// serviceTimes measures how long an instance is busy with a call, one call after the other.
func (b *bench) serviceTimes(ctx context.Context) error {
	for _, latency := range latencies {
		b.service = append(b.service, b.introspecting("service", behaviour{latency: latency}))
	}
	return cmp.Or(b.err, each(b.service, func(s *subject) error { return s.warmly(ctx, b.effort.service, noPause) }))
}
