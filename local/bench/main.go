// Command bench measures the function against a minimal one that makes the same request and nothing more. Both run as Lambda
// runs them, and in turns, so that whatever else the machine does affects both. It prints its tables and writes
// docs/reference/benchmarks.md. Every figure there is of the run that wrote it.
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

	"healthlake-smart-on-fhir/local/functionbinary"
)

// effort is how much is measured.
type effort struct {
	starts  int // of each function
	calls   int // warm calls of each function
	tail    int // calls of the function to the stalling provider; the minimal one makes a tenth of them
	service int // calls to each provider with a latency
}

func main() {
	quick := flag.Bool("quick", false, "measure little, print the tables and write nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool) error {
	e := effort{starts: 40, calls: 10_000, tail: 200_000, service: 100}
	if quick {
		e = effort{starts: 5, calls: 1_000, tail: 2_000, service: 10}
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s, Linux is needed: the memory of a process is read from its /proc", runtime.GOOS)
	}
	root, err := functionbinary.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{effort: e, root: root, dir: dir}
	defer b.close()
	if err := b.measure(ctx, func(step string) { fmt.Fprintln(os.Stderr, step) }); err != nil {
		return err
	}
	for _, t := range []table{b.compared(), b.verified(), b.serviceTimes()} {
		fmt.Println(t.text())
	}
	if quick {
		return nil
	}
	return os.WriteFile(filepath.Join(root, "docs", "reference", "benchmarks.md"), []byte(b.report()), 0o644)
}
