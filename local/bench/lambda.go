package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"healthlake-smart-on-fhir/local/idp"
)

const (
	// wholeCore is the memory size in MB for which Lambda gives one core.
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
	wholeCore = 1769
	// period is how often a control group gets its share anew.
	period = 20 * time.Millisecond
	// near is how long the provider takes that memory sizes are compared with.
	near = 20 * time.Millisecond
)

// column is the function with the share of a core that Lambda gives for a memory size.
type column struct {
	memory                      int // MB; 0 is no limit
	introspection, rs256, es256 *subject
	cold, hedged                samples // calls on a new connection, and whose first request stalls
}

func (c *column) Name() string {
	if c.memory == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%s MB", thousands(c.memory))
}

// asLambda measures all memory sizes at the same time: a call needs little of a core.
func (b *bench) asLambda(ctx context.Context) error {
	rsaKey, ecKey := idp.NewRSAKey("rsa", 2048), idp.NewECKey("ec")
	rsaEvents, ecEvents := signed(rsaKey, b.effort.lambda/2+1), signed(ecKey, b.effort.lambda/2+1)
	var verifying []*subject
	for _, memory := range []int{128, 256, 512, 1024, wholeCore, 0} {
		c := &column{memory: memory}
		c.introspection = b.introspecting(c.Name(), behaviour{latency: near})
		c.rs256, c.es256 = b.verifying(c.Name()+", RS256", rsaKey, rsaEvents), b.verifying(c.Name()+", ES256", ecKey, ecEvents)
		if b.noGroups = b.limit(memory, c.introspection, c.rs256, c.es256); b.noGroups != nil {
			b.columns = nil
			return nil
		}
		b.columns, verifying = append(b.columns, c), append(verifying, c.rs256, c.es256)
	}
	for range b.effort.starts / 2 {
		for _, c := range b.columns {
			if err := c.introspection.startOnce(ctx); err != nil {
				return err
			}
		}
	}
	return cmp.Or(b.err,
		each(b.columns, func(c *column) error {
			return c.introspection.warmly(ctx, b.effort.lambda, noPause, func(i *instance) error {
				return cmp.Or(c.coldCalls(ctx, i, b.effort.starts/2), c.hedgedCalls(ctx, i, b.effort.starts/2))
			})
		}),
		each(verifying, func(s *subject) error {
			pause := func() { time.Sleep(time.Duration((0.75 + rand.Float64()/2) * float64(near))) }
			return s.warmly(ctx, b.effort.lambda/2, pause)
		}))
}

func (c *column) coldCalls(ctx context.Context, i *instance, n int) (err error) {
	c.cold, err = i.repeat(ctx, n, func() {
		i.subject.provider.CloseClientConnections()
		time.Sleep(3 * period)
	})
	return err
}

// hedgedCalls makes other calls between them, which pay for the second requests.
func (c *column) hedgedCalls(ctx context.Context, i *instance, n int) error {
	for range n {
		if _, err := i.repeat(ctx, 15, noPause); err != nil {
			return err
		}
		i.subject.provider.stallNext.Store(true)
		took, err := i.must(ctx)
		if err != nil {
			return err
		}
		c.hedged = append(c.hedged, took)
	}
	return nil
}

// chosen is the smallest memory size whose p99 is at most a tenth above the one without a limit; nil if there is none.
func (b *bench) chosen() *column {
	for _, c := range b.columns {
		free := b.columns[len(b.columns)-1].introspection
		if c.memory > 0 && float64(c.introspection.warm().quantile(.99)) <= 1.1*float64(free.warm().quantile(.99)) {
			return c
		}
	}
	return nil
}

// collectorSettings measures settings of the garbage collector with the smallest memory size and the one that is chosen.
func (b *bench) collectorSettings(ctx context.Context) error {
	if len(b.columns) == 0 {
		return nil
	}
	sizes := []int{b.columns[0].memory}
	if c := b.chosen(); c != nil && c.memory != sizes[0] {
		sizes = append(sizes, c.memory)
	}
	for _, memory := range sizes {
		for _, percent := range []string{"100", "200", "400", "off"} {
			s := b.introspecting("GOGC="+percent, behaviour{latency: near})
			s.config.Env["GOGC"] = percent
			if percent == "off" {
				s.config.Env["GOMEMLIMIT"] = fmt.Sprintf("%dMiB", memory/2)
				s.name += ", GOMEMLIMIT=" + s.config.Env["GOMEMLIMIT"]
			}
			if err := b.limit(memory, s); err != nil {
				return err
			}
			b.collectors = append(b.collectors, s)
		}
	}
	return each(b.collectors, func(s *subject) error { return s.warmly(ctx, b.effort.lambda, noPause) })
}

// limit gives instances of each subject the share of a core for a memory size in MB, 0 for no limit.
func (b *bench) limit(memory int, subjects ...*subject) error {
	for _, s := range subjects {
		dir, err := newGroup("/sys/fs/cgroup", period.Microseconds()*int64(memory)/wholeCore)
		if err != nil {
			return err
		}
		b.groups, s.config.Cgroup, s.config.MemorySize = append(b.groups, dir), dir, memory
	}
	return nil
}

// newGroup makes a control group with a quota in microseconds of each period (0: none), by version 1 or 2 of the interface,
// whichever is mounted at root.
// https://docs.kernel.org/scheduler/sched-bwc.html https://docs.kernel.org/admin-guide/cgroup-v2.html
func newGroup(root string, quota int64) (dir string, err error) {
	parent, none := filepath.Join(root, "cpu"), "-1"
	_, missing := os.Stat(filepath.Join(parent, "cpu.cfs_quota_us"))
	if missing != nil {
		parent, none = root, "max"
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0o644); err != nil {
			return "", err
		}
	}
	if dir, err = os.MkdirTemp(parent, "bench"); err != nil {
		return "", err
	}
	write := func(file, value string) error { return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644) }
	share := none
	if quota > 0 {
		share = fmt.Sprint(quota)
	}
	if missing != nil {
		return dir, write("cpu.max", fmt.Sprintf("%s %d", share, period.Microseconds()))
	}
	return dir, cmp.Or(write("cpu.cfs_period_us", fmt.Sprint(period.Microseconds())), write("cpu.cfs_quota_us", share))
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
