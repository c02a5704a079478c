package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// slow is when a step that is still under way is announced.
const slow = 5 * time.Second

// steps runs named steps and prints a line for each as it ends. Steps may run at the same time.
type steps struct {
	out   io.Writer
	begin time.Time

	mu      sync.Mutex
	section string
	all     []*step
}

type step struct {
	section, name string
	err           error
	ended         bool
}

func newSteps(out io.Writer) *steps { return &steps{out: out, begin: time.Now()} }

// in names the part of the run that the next steps belong to.
func (s *steps) in(section string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.section = section
	fmt.Fprintf(s.out, "\n%s\n", section)
}

// do runs a step and tells whether it passed. Nothing is run any more when ctx is done.
func (s *steps) do(ctx context.Context, name string, run func(context.Context) error) bool {
	return s.begun(ctx, name, run)()
}

// begun starts a step in the background; the function that it returns waits for its end and tells whether it passed.
func (s *steps) begun(ctx context.Context, name string, run func(context.Context) error) (wait func() bool) {
	s.mu.Lock()
	st := &step{section: s.section, name: name}
	s.all = append(s.all, st)
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		defer close(done)
		begin := time.Now()
		announce := time.AfterFunc(slow, func() { s.print("%8s  ...   %s", "", name) })
		err := context.Cause(ctx)
		began := err == nil
		if began {
			err = run(ctx)
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause // whatever else went wrong, it went wrong because of this
		}
		announce.Stop()
		s.mu.Lock()
		st.err, st.ended = err, true
		s.mu.Unlock()
		if !began {
			return // it is counted, but to say so of every step would hide what happened
		}
		took := fmt.Sprintf("%7.1fs", time.Since(begin).Seconds())
		if err != nil {
			s.print("%8s  FAIL  %s\n%s", took, name, indent(err.Error()))
			return
		}
		s.print("%8s  ok    %s", took, name)
	}()
	return func() bool {
		<-done
		return st.err == nil
	}
}

func (s *steps) print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// failed are the names of the steps that did not pass.
func (s *steps) failed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, st := range s.all {
		if st.err != nil || !st.ended {
			names = append(names, st.name)
		}
	}
	return names
}

func (s *steps) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

func (s *steps) elapsed() time.Duration { return time.Since(s.begin).Round(time.Second) }

// markdown lists the steps by section, in the order in which they began, without the sections named.
func (s *steps) markdown(without ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	section := ""
	for _, st := range s.all {
		if slices.Contains(without, st.section) {
			continue
		}
		if st.section != section {
			section = st.section
			fmt.Fprintf(&b, "\n### %s\n\n", section)
		}
		fmt.Fprintf(&b, "- %s\n", st.name)
	}
	return b.String()
}

func indent(text string) string {
	return "                " + strings.ReplaceAll(text, "\n", "\n                ")
}
