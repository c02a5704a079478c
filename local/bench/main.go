// Command bench measures the function as Lambda runs it, and against what is the least that such a function can take. What is
// compared runs in turns, so that whatever else the machine does affects both alike. It prints its goals and writes
// docs/reference/benchmarks.md with its picture. Every figure there is of the run that wrote it. Nothing that it measures makes it fail.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/local/functionbinary"
)

// effort is how much is measured.
type effort struct {
	rounds, calls int           // of warm calls in turns: rounds, and calls of each function in each
	long          int           // calls to one instance of the function
	starts        int           // of each function
	lambda        int           // warm calls for each memory size
	stalls1       int           // calls to a provider that stalls 1 % of the requests
	stalls5       int           // the same with 5 %
	outage        time.Duration // how long a run with an outage takes, the outage included
	quiet         time.Duration // how long quiet instances are called
	service       int           // calls to each provider with a latency
}

var full = effort{
	rounds: 5, calls: 1500, long: 10_000, starts: 40, lambda: 1600, stalls1: 500_000, stalls5: 100_000,
	outage: 12 * time.Second, quiet: 30 * time.Second, service: 100,
}

// times is that share of an effort, or so much of it that every figure can be computed.
func (e effort) times(share float64) effort {
	n := func(count, least int) int { return max(int(float64(count)*share), least) }
	d := func(long, least time.Duration) time.Duration { return max(time.Duration(float64(long)*share), least) }
	return effort{
		rounds: n(e.rounds, 3), calls: n(e.calls, 100), long: n(e.long, 100), starts: n(e.starts, 5), lambda: n(e.lambda, 100),
		stalls1: n(e.stalls1, 1000), stalls5: n(e.stalls5, 1000),
		outage: d(e.outage, 2*outageTime), quiet: d(e.quiet, 3*time.Second), service: n(e.service, 10),
	}
}

func main() {
	quick := flag.Bool("quick", false, "compare the calls and the starts alone, with few of them, and write nothing")
	share := flag.Float64("effort", 1, "share of the calls to make; below 1 the report is printed and not written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *quick, *share); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool, share float64) error {
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
	b := &bench{effort: full.times(share), root: root, dir: dir}
	if quick {
		b.effort = effort{rounds: 5, calls: 500, long: 100, starts: 15}
	}
	defer b.close()
	debug.SetGCPercent(400) // what this process does of its own must not disturb
	if err := b.measure(ctx, quick); err != nil {
		return err
	}
	fmt.Println(b.goals(quick).text())
	switch {
	case quick:
		return nil
	case share < 1:
		fmt.Print(b.report())
		return nil
	}
	return b.write()
}

// write writes the report and its picture.
func (b *bench) write() error {
	docs := filepath.Join(b.root, "docs")
	project, err := cdkcontext.Read(b.root, nil)
	if err != nil {
		return err
	}
	settings, problems := config.Parse(project.Values)
	if config.HasErrors(problems) {
		return fmt.Errorf("%s has errors; make preflight shows them", cdkcontext.File)
	}
	first, last := b.turns.edges()
	drawn := picture(figures{
		start: b.turns.tls.start.quantile(.5), call: b.turns.tls.warm().quantile(.5), first: first.quantile(.5), last: last.quantile(.5),
		memory: b.turns.long.rss, configured: float64(settings.LambdaMemorySize),
	})
	return cmp.Or(
		os.WriteFile(filepath.Join(docs, "images", "benchmarks.svg"), []byte(drawn), 0o644),
		os.WriteFile(filepath.Join(docs, "reference", "benchmarks.md"), []byte(b.report()), 0o644))
}
