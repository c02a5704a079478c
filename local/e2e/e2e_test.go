// Package e2e proves the deployment against real parts. It deploys the stacks with the CDK's command line to a local AWS,
// takes what was deployed from there, runs the deployed binary as Lambda does, and sends it HealthLake's events with tokens
// of ORY Hydra and of a second identity provider. docs/evidence/tested.md says what was looked at last.
//
// It takes minutes, so it needs a flag: go test ./e2e -v -e2e, and with -run TestEndToEnd/Tokens one part alone.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	enabled = flag.Bool("e2e", false, "run the end-to-end test")
	report  = flag.String("report", "", "file to write what was tested to, if every part ran and passed")
)

// TestEndToEnd runs the parts in this order. Each deploys what it needs and is not deployed yet.
func TestEndToEnd(t *testing.T) {
	if !*enabled {
		t.Skip("make e2e runs it")
	}
	l := newLab(t)
	parts := []struct {
		name  string
		about string
		run   func(*lab, *testing.T)
	}{
		{"Preflight", "Preflight, with ORY Hydra and oidc-provider", preflight},
		{"Deployments", "Four deployments side by side", deployments},
		{"Tokens", "Tokens", tokens},
		{"Metrics", "Metrics", metrics},
		{"Outage", "ORY Hydra away", outage},
		{"Issuers", "Two providers at one function, and a private key", issuers},
		{"Secret", "A secret changed by hand", secret},
		{"Changes", "Changes by deployment", changes},
		{"InPlace", "The datastore's settings, in place", inPlace},
		{"Adoption", "A datastore that another function served", adoption},
		{"Protection", "Protection", protection},
		{"Replacement", "Replacement", replacement},
		{"Deletion", "A deleted secret", deletion},
		{"Removal", "Removal", removal},
	}
	ran := 0
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) {
			ran++
			l.section("%s", part.about)
			part.run(l, t)
		})
	}
	if t.Failed() {
		t.Logf("the servers' logs are in %s", l.logs)
	} else if *report != "" && ran == len(parts) {
		if err := os.WriteFile(*report, []byte(l.report(t)), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// section begins a part of the output and of the report.
func (l *lab) section(format string, args ...any) {
	title := fmt.Sprintf(format, args...)
	fmt.Printf("\n%s\n", title)
	fmt.Fprintf(&l.passed, "\n### %s\n\n", title)
}

// note is a line of the report for something that does not apply.
func (l *lab) note(text string) { fmt.Fprintf(&l.passed, "- %s\n", text) }

// step is a named step, which the report has if it passed. It tells whether it did.
func (l *lab) step(t *testing.T, name string, run func(context.Context) error) bool {
	t.Helper()
	begin, err := time.Now(), run(t.Context())
	verdict := "ok   "
	if err != nil {
		verdict = "FAIL "
		t.Errorf("%s: %v", name, err)
	}
	fmt.Printf("%7.1fs  %s %s\n", time.Since(begin).Seconds(), verdict, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.passed, "- %s\n", name)
	return err == nil
}

// must is a step without which the part cannot go on.
func (l *lab) must(t *testing.T, name string, run func(context.Context) error) {
	t.Helper()
	if !l.step(t, name, run) {
		t.FailNow()
	}
}

// report is docs/evidence/tested.md. It has no times, so that it changes only if what was tested did.
func (l *lab) report(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# What was tested, and with what\n\n" +
		"Written by `make e2e` when it last passed, not by hand. It deploys all stacks with the CDK's command line to a\n" +
		"local AWS, reads back what was deployed, and runs the deployed binary against real identity providers.\n\n" +
		"| part | version |\n| --- | --- |\n")
	for _, v := range l.versions(t) {
		fmt.Fprintf(&b, "| %s | %s |\n", v[0], v[1])
	}
	return b.String() + "\n## What passed\n" + l.passed.String()
}

func equal(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%s is %v, want %v", what, got, want)
}

// contains fails unless the text has all of these parts.
func contains(what, text string, parts ...string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
	return nil
}

// within repeats a check until it tells that it is done or fails, for this long at most.
func within(ctx context.Context, limit, interval time.Duration, check func() (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return fmt.Errorf("not within %s", limit)
		}
	}
}
