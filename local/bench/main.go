// Command bench measures the function against a minimal one that makes the same request and nothing more, both as Lambda
// runs them and in turns, so that whatever else the machine does meets both. It prints its tables and writes
// docs/benchmarks.md, docs/benchmarks.svg and docs/scaling.md. Every figure in them is of the run that wrote them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"healthlake-smart-on-fhir/local/build"
)

// effort is how much is measured.
type effort struct {
	starts      int // starts of each function
	pairs       int // starts with JWT support, and as many without
	calls       int // warm calls of each function
	allocations int // calls over which allocations are counted
	tail        int // calls of the function to the stalling provider; the minimal one makes a tenth of them
	service     int // calls to each provider with a latency
}

func main() {
	quick := flag.Bool("quick", false, "measure little, print the table and write nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool) error {
	e := effort{starts: 40, pairs: 200, calls: 10_000, allocations: 2_000, tail: 200_000, service: 100}
	if quick {
		e = effort{starts: 5, pairs: 40, calls: 1_000, allocations: 200, tail: 2_000, service: 10}
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s, Linux is needed: what memory a process holds is read from its /proc", runtime.GOOS)
	}
	root, err := build.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := measure(ctx, root, dir, e, func(step string) { fmt.Fprintln(os.Stderr, step) })
	if err != nil {
		return err
	}
	for _, t := range []table{m.table(), m.verified(), m.support()} {
		fmt.Println(t.text())
	}
	if quick {
		return nil
	}
	for name, text := range map[string]string{
		"benchmarks.md": m.benchmarks(), "benchmarks.svg": m.plot(), "scaling.md": m.scaling(),
	} {
		if err := os.WriteFile(filepath.Join(root, "docs", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
