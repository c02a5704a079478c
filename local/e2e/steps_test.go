package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestStepsReport(t *testing.T) {
	var out bytes.Buffer
	s := newSteps(&out)
	s.in("First")
	pass := func(context.Context) error { return nil }
	if !s.do(t.Context(), "passes", pass) {
		t.Error("a passing step did not pass")
	}
	if s.do(t.Context(), "fails", func(context.Context) error { return errors.New("one\ntwo") }) {
		t.Error("a failing step passed")
	}
	s.in("Second")
	s.do(t.Context(), "passes too", pass)

	if got := s.failed(); len(got) != 1 || got[0] != "fails" || s.count() != 3 {
		t.Errorf("%d steps, failed: %v", s.count(), got)
	}
	if !strings.Contains(out.String(), "FAIL  fails\n                one\n                two\n") {
		t.Errorf("got:\n%s", out.String())
	}
	if got, want := s.markdown("First"), "\n### Second\n\n- passes too\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoStepRunsAfterAnInterruption(t *testing.T) {
	s := newSteps(new(bytes.Buffer))
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted)
	s.do(ctx, "late", func(context.Context) error {
		t.Error("it ran")
		return nil
	})
	if got := s.failed(); len(got) != 1 {
		t.Errorf("failed: %v", got)
	}
}

func TestStepsThatHaveNotEndedHaveNotPassed(t *testing.T) {
	s := newSteps(new(bytes.Buffer))
	end := make(chan struct{})
	wait := s.begun(t.Context(), "under way", func(context.Context) error {
		<-end
		return nil
	})
	if len(s.failed()) != 1 {
		t.Error("a step under way counts as passed")
	}
	close(end)
	if !wait() || len(s.failed()) != 0 {
		t.Error("an ended step does not count as passed")
	}
}
