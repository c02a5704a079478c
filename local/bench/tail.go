package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
)

const (
	// parallel is how many instances share the calls where several are called at the same time.
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
	warm     samples
	requests int
	faults   map[string]int // of the calls that were not good, by kind
}

func (l *load) add(calls []outcome) {
	for _, o := range calls {
		l.warm = append(l.warm, o.took)
		if o.fault != "" {
			l.faults[o.fault]++
		}
	}
}

func (l *load) bad() (bad int) {
	for _, n := range l.faults {
		bad += n
	}
	return bad
}

func (l *load) good() float64 { return 1 - float64(l.bad())/float64(len(l.warm)) }

func (l *load) requestsPerCall() float64 { return float64(l.requests) / float64(len(l.warm)) }

// measure runs instances at the same time, until the function has made all calls that it wants to make to one.
func (l *load) measure(ctx context.Context, s *subject, instances int, calls func(*instance) ([]outcome, error)) error {
	l.faults = map[string]int{}
	running, err := s.several(ctx, instances)
	defer stop(running)
	if err != nil {
		return err
	}
	requests, begin := s.provider.requests.Load(), time.Now()
	var mu sync.Mutex
	err = each(running, func(i *instance) error {
		made, err := calls(i)
		mu.Lock()
		defer mu.Unlock()
		l.add(made)
		return err
	})
	l.took, l.requests = time.Since(begin), int(s.provider.requests.Load()-requests)
	return err
}

// several starts instances. They are to be stopped, those too that come with an error.
func (s *subject) several(ctx context.Context, n int) (all []*instance, err error) {
	for range n {
		i, err := s.run(ctx)
		if err != nil {
			return all, err
		}
		all = append(all, i)
	}
	return all, nil
}

func stop(all []*instance) {
	for _, i := range all {
		_ = i.Stop() // a process that has ended already is as good
	}
}

// repeat calls an instance n times, one call after the other.
func (i *instance) repeat(ctx context.Context, n int) ([]outcome, error) {
	all := make([]outcome, 0, n)
	for range n {
		o, err := i.call(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// stalledRequests calls several instances at a time, as fast as they respond, without TLS: so many calls would take longer with it.
func (b *bench) stalledRequests(ctx context.Context) error {
	for _, run := range []struct {
		name    string
		stalled float64
		calls   int
	}{{"1 % of requests stalled", 0.01, b.stalls1}, {"5 % of requests stalled", 0.05, b.stalls5}} {
		s, err := b.introspecting("stalling", behaviour{plain: true, stalled: run.stalled}, contract.Environment{})
		if err != nil {
			return err
		}
		s.config.Output = io.Discard // the lines of so many calls would fill this process's memory
		l := &load{name: run.name}
		err = l.measure(ctx, s, parallel, func(i *instance) ([]outcome, error) { return i.repeat(ctx, run.calls/parallel) })
		if err != nil {
			return err
		}
		b.stalls = append(b.stalls, l)
	}
	return nil
}

// quietInstances freezes each instance after every call, as Lambda does. Meanwhile its connection may be closed, or die
// without a sign. A frozen instance's time goes on.
func (b *bench) quietInstances(ctx context.Context) error {
	s, err := b.introspecting("quiet", behaviour{latency: near, stalled: 0.01, closed: 0.3, silent: 0.1}, contract.Environment{})
	if err != nil {
		return err
	}
	b.quiet = &load{name: "quiet instances"}
	return b.quiet.measure(ctx, s, quietInstances, func(i *instance) (all []outcome, err error) {
		for end := time.Now().Add(b.effort.quiet); time.Now().Before(end); {
			if err := i.Freeze(); err != nil {
				return nil, err
			}
			time.Sleep(frozenTime)
			if err := i.Thaw(); err != nil {
				return nil, err
			}
			o, err := i.call(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, o)
		}
		return all, nil
	})
}

// outage is a run in the middle of which the provider is down. Requests are what the log lines say: those that are refused
// reach no server.
type outage struct {
	name               string
	run, inside, after counts
}

// counts are of the calls that began in a time.
type counts struct{ calls, requests, bad int }

func (c counts) perCall() float64 { return float64(c.requests) / float64(c.calls) }

func (b *bench) outageRuns(ctx context.Context) error {
	for _, name := range []string{"refused", "silent"} {
		s, err := b.introspecting(name, behaviour{plain: true, latency: near}, contract.Environment{})
		if err != nil {
			return err
		}
		o := &outage{name: name}
		if err := o.measure(ctx, s, b.effort.outage); err != nil {
			return err
		}
		b.outages = append(b.outages, o)
	}
	return nil
}

func (o *outage) measure(ctx context.Context, s *subject, length time.Duration) error {
	running, err := s.several(ctx, parallel)
	defer stop(running)
	if err != nil {
		return err
	}
	begin := time.Now()
	down := begin.Add((length - outageTime) / 2)
	up := down.Add(outageTime)
	broken := make(chan error, 1)
	go func() { broken <- s.provider.breakDown(o.name == "refused", down, up) }()
	var mu sync.Mutex
	err = each(running, func(i *instance) error {
		calls, err := i.atPace(ctx, begin.Add(length))
		if err != nil {
			return err
		}
		requests, err := i.requests(ctx, calls)
		mu.Lock()
		defer mu.Unlock()
		for _, c := range calls {
			o.run.add(c, requests[c.id])
			switch {
			case c.begin.After(up):
				o.after.add(c, requests[c.id])
			case c.begin.After(down):
				o.inside.add(c, requests[c.id])
			}
		}
		return err
	})
	return cmp.Or(err, <-broken)
}

func (c *counts) add(o outcome, requests int) {
	c.calls++
	c.requests += requests
	if o.fault != "" {
		c.bad++
	}
}

// breakDown lets the provider refuse connections from one time to another, or say nothing.
func (p *provider) breakDown(refuse bool, down, up time.Time) error {
	time.Sleep(time.Until(down))
	end := func() error {
		p.down.Store(false)
		return nil
	}
	if refuse {
		var err error
		if end, err = p.refuse(); err != nil {
			return err
		}
	} else {
		p.down.Store(true)
	}
	time.Sleep(time.Until(up))
	return end()
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
	return all, nil
}

// requests is how many requests each call sent, by its log line.
func (i *instance) requests(ctx context.Context, calls []outcome) (map[string]int, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := i.AwaitLog(ctx, calls[len(calls)-1].id); err != nil {
		return nil, err
	}
	requests := map[string]int{}
	for _, text := range i.Logs() {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) != nil {
			continue
		}
		id, _ := line[contract.FieldRequestID].(string)
		n, _ := line[contract.FieldIdPRequests].(float64)
		requests[id] = int(n)
	}
	return requests, nil
}

// latencies are those of the providers that the service time is measured with, beside one that responds at once.
var latencies = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

// serviceTimes measures how long an instance is busy with a call, one call after the other.
func (b *bench) serviceTimes(ctx context.Context) error {
	for _, latency := range latencies {
		s, err := b.introspecting("service", behaviour{latency: latency}, contract.Environment{})
		if err != nil {
			return err
		}
		b.service = append(b.service, s)
	}
	return each(b.service, func(s *subject) error { return s.paced(ctx, b.effort.service, 0) })
}
