// Command e2e proves the deployment against real parts: it deploys the stacks with the CDK's command line to a local
// AWS, takes what was deployed from there, runs the deployed binary as Lambda would, and sends it HealthLake's events
// with tokens of ORY Hydra and of a second identity provider. See docs/evidence/tested.md for what it looked at last.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/process"
	"healthlake-smart-on-fhir/local/functionbinary"
)

// limit ends a run that hangs. A first run, which builds Hydra, takes a few minutes.
const limit = 30 * time.Minute

var errInterrupted = errors.New("interrupted")

func main() {
	report := flag.String("report", "", "file to write what was tested to, if everything passed")
	flag.Parse()
	os.Exit(run(*report))
}

// run returns the exit status: 0 if everything passed.
func run(report string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel(errInterrupted)
	}()

	root, err := functionbinary.Root()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	logs, work, err := directories(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(work)

	s := &suite{root: root, work: work, group: process.NewGroup(logs), steps: newSteps(os.Stdout)}
	s.run(ctx)
	s.close()
	if failed := s.steps.failed(); len(failed) > 0 {
		for name, lines := range s.functionLogs {
			if err := os.WriteFile(filepath.Join(logs, "function-"+name+".log"), lines, 0o644); err != nil {
				fmt.Fprintln(os.Stderr, "e2e:", err)
			}
		}
		fmt.Printf("\n%d of %d steps failed. Logs: %s\n", len(failed), s.steps.count(), logs)
		return 1
	}
	if err := os.RemoveAll(logs); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	fmt.Printf("\nAll %d steps passed in %s.\n", s.steps.count(), s.steps.elapsed())
	if report != "" {
		if err := os.WriteFile(report, s.report(), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
	}
	return 0
}

// directories makes one directory for logs, which outlives a failed run, and one for everything else.
func directories(root string) (logs, work string, err error) {
	parent := filepath.Join(root, "local", ".cache", "e2e")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", "", err
	}
	if logs, err = os.MkdirTemp(parent, time.Now().Format("20060102-150405-")); err != nil {
		return "", "", err
	}
	work, err = os.MkdirTemp("", "healthlake-smart-on-fhir-e2e-")
	return logs, work, err
}
