package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
)

// wholeCore is the memory size in MB for which Lambda gives one core.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const wholeCore = 1769

// period is how often a control group gets its share anew.
const period = 20 * time.Millisecond

// near is how long the provider takes that memory sizes are compared with.
const near = 20 * time.Millisecond

// column is the function with the share of a core that Lambda gives for a memory size. Zero is no limit.
type column struct {
	memory        int // MB
	introspection *subject
	rs256, es256  *subject
	cold, hedged  samples // calls on a new connection, and whose first request stalls
}

func (c *column) Name() string {
	if c.memory == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%s MB", thousands(c.memory))
}

func (c *column) subjects() []*subject { return []*subject{c.introspection, c.rs256, c.es256} }

// asLambda measures every memory size at the same time: a call needs little of a core.
func (b *bench) asLambda(ctx context.Context) error {
	rsaKey, ecKey := idp.NewRSAKey("rsa", 2048), idp.NewECKey("ec")
	var columns []*column
	for _, memory := range []int{128, 256, 512, 1024, wholeCore, 0} {
		c := &column{memory: memory}
		var errs [3]error
		c.introspection, errs[0] = b.introspecting(c.Name(), behaviour{latency: near}, contract.Environment{})
		c.rs256, errs[1] = b.verifying(c.Name()+", RS256", rsaKey)
		c.es256, errs[2] = b.verifying(c.Name()+", ES256", ecKey)
		if err := cmp.Or(errs[:]...); err != nil {
			return err
		}
		columns = append(columns, c)
	}
	for _, c := range columns {
		for _, s := range c.subjects() {
			remove, err := s.limit(c.memory)
			if err != nil {
				b.noGroups = err
				return nil
			}
			defer remove()
		}
	}
	for range b.effort.starts / 2 {
		for _, c := range columns {
			if err := c.introspection.startOnce(ctx); err != nil {
				return err
			}
		}
	}
	b.columns = columns
	return cmp.Or(
		each(columns, func(c *column) error { return c.introspect(ctx, b.effort.lambda) }),
		each(columns, func(c *column) error {
			return each([]*subject{c.rs256, c.es256}, func(s *subject) error { return s.paced(ctx, b.effort.lambda/2, near) })
		}))
}

// introspect makes warm calls, then those that need a new connection and those that need a second request.
func (c *column) introspect(ctx context.Context, calls int) error {
	return c.introspection.warmly(ctx, calls, 0, func(i *instance) error {
		for range 20 {
			i.subject.provider.CloseClientConnections()
			time.Sleep(period * 3)
			took, err := i.must(ctx)
			if err != nil {
				return err
			}
			c.cold = append(c.cold, took)
		}
		for range 20 {
			for range 15 { // which pay for a second request
				if _, err := i.must(ctx); err != nil {
					return err
				}
			}
			i.subject.provider.stallNext.Store(true)
			took, err := i.must(ctx)
			if err != nil {
				return err
			}
			c.hedged = append(c.hedged, took)
		}
		return nil
	})
}

// paced makes warm calls, with a pause of about this length before each.
func (s *subject) paced(ctx context.Context, calls int, pause time.Duration) error {
	return s.warmly(ctx, calls, pause, func(*instance) error { return nil })
}

// warmly makes warm calls to a new instance, notes its memory, and goes on to what is after.
func (s *subject) warmly(ctx context.Context, calls int, pause time.Duration, after func(*instance) error) error {
	i, err := s.run(ctx)
	if err != nil {
		return err
	}
	defer i.Stop()
	if _, err := i.must(ctx); err != nil {
		return err
	}
	before, err := i.heapNow(ctx)
	if err != nil {
		return err
	}
	var warm samples
	for range calls {
		if pause > 0 {
			time.Sleep(time.Duration((0.75 + rand.Float64()/2) * float64(pause)))
		}
		took, err := i.must(ctx)
		if err != nil {
			return err
		}
		warm = append(warm, took)
	}
	s.rounds = append(s.rounds, warm)
	now, err := i.heapNow(ctx)
	if err != nil {
		return err
	}
	s.heap = now.minus(before)
	if s.rss, err = i.mostMemory(); err != nil {
		return err
	}
	return after(i)
}

// chosen is the smallest memory size whose p99 is at most a tenth above the one without a limit; nil if there is none.
func (b *bench) chosen() *column {
	p99 := map[int]time.Duration{}
	for _, c := range b.columns {
		p99[c.memory] = c.introspection.warm().quantile(.99)
	}
	for _, c := range b.columns {
		if c.memory > 0 && float64(p99[c.memory]) <= 1.1*float64(p99[0]) {
			return c
		}
	}
	return nil
}

// collector is the function with a setting of the garbage collector.
type collector struct {
	memory   int // MB
	settings string
	function *subject
}

// collectorSettings measures the smallest memory size and the one that is chosen.
func (b *bench) collectorSettings(ctx context.Context) error {
	if len(b.columns) == 0 {
		return nil
	}
	sizes := []int{b.columns[0].memory}
	if c := b.chosen(); c != nil && c.memory != sizes[0] {
		sizes = append(sizes, c.memory)
	}
	for _, memory := range sizes {
		limit := fmt.Sprintf("%dMiB", memory/2)
		for _, env := range []map[string]string{{"GOGC": "100"}, {"GOGC": "200"}, {"GOGC": "400"}, {"GOGC": "off", "GOMEMLIMIT": limit}} {
			s, err := b.introspecting("garbage collector", behaviour{latency: near}, contract.Environment{})
			if err != nil {
				return err
			}
			c := &collector{memory: memory, settings: "GOGC=" + env["GOGC"], function: s}
			for name, value := range env {
				s.config.Env[name] = value
				if name != "GOGC" {
					c.settings += ", " + name + "=" + value
				}
			}
			remove, err := s.limit(memory)
			if err != nil {
				return err
			}
			defer remove()
			b.collectors = append(b.collectors, c)
		}
	}
	return each(b.collectors, func(c *collector) error { return c.function.paced(ctx, b.effort.lambda, 0) })
}

// limit puts the subject's instances into a new control group with the share of a core for a memory size in MB.
func (s *subject) limit(memory int) (remove func(), err error) {
	quota := int64(-1)
	if memory > 0 {
		quota = period.Microseconds() * int64(memory) / wholeCore
		s.config.MemorySize = memory
	}
	s.config.Cgroup, err = newGroup(quota)
	return func() { _ = os.Remove(s.config.Cgroup) }, err
}

// newGroup makes a control group with a quota in microseconds of each period (-1: none), by version 1 or 2 of the interface.
// https://docs.kernel.org/scheduler/sched-bwc.html https://docs.kernel.org/admin-guide/cgroup-v2.html
func newGroup(quota int64) (dir string, err error) {
	const root = "/sys/fs/cgroup"
	write := func(file, value string) {
		err = cmp.Or(err, os.WriteFile(file, []byte(value), 0o644))
	}
	if _, missing := os.Stat(filepath.Join(root, "cpu", "cpu.cfs_quota_us")); missing == nil {
		if dir, err = os.MkdirTemp(filepath.Join(root, "cpu"), "bench"); err == nil {
			write(filepath.Join(dir, "cpu.cfs_period_us"), strconv.FormatInt(period.Microseconds(), 10))
			write(filepath.Join(dir, "cpu.cfs_quota_us"), strconv.FormatInt(quota, 10))
		}
		return dir, err
	}
	write(filepath.Join(root, "cgroup.subtree_control"), "+cpu")
	if err == nil {
		dir, err = os.MkdirTemp(root, "bench")
	}
	if err == nil {
		share := "max"
		if quota > 0 {
			share = strconv.FormatInt(quota, 10)
		}
		write(filepath.Join(dir, "cpu.max"), fmt.Sprintf("%s %d", share, period.Microseconds()))
	}
	return dir, err
}

// each does the same for all at the same time.
func each[T any](all []T, do func(T) error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, one := range all {
		wait.Go(func() { errs[i] = do(one) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
