package main

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	_ "embed"

	"healthlake-smart-on-fhir/local/functionbinary"
)

// bench is a run and what it found.
type bench struct {
	effort                               effort
	root, dir                            string
	functionPath, minimalPath, alonePath string     // of the executables
	subjects                             []*subject // all that there are, to be closed
	groups                               []string   // the control groups, to be removed
	err                                  error      // the first of what was prepared

	when                   time.Time
	took                   time.Duration
	machine, before, after string // before and after are load averages
	sizes                  map[string]size
	turns                  turns
	starts                 []*starting
	columns                []*column // by memory size; empty where there are no control groups
	noGroups               error     // why there are none
	collectors             []*subject
	loads                  []*load // with 1 % and 5 % of requests stalled, quiet instances
	outages                []*outage
	service                []*subject // by latency, as in latencies
}

func (b *bench) close() {
	for _, s := range b.subjects {
		s.close()
	}
	for _, dir := range b.groups {
		_ = os.Remove(dir)
	}
}

// measure does everything, or what is for quick alone.
func (b *bench) measure(ctx context.Context, quick bool) error {
	b.when, b.machine, b.before = time.Now(), machine(), loadAverage()
	for _, part := range []struct {
		name  string
		quick bool
		do    func(context.Context) error
	}{
		{"build", true, b.build},
		{"warm calls", true, b.warmCalls},
		{"starts", true, b.startTimes},
		{"as Lambda runs it", false, b.asLambda},
		{"garbage collector", false, b.collectorSettings},
		{"stalled requests", false, b.stalledRequests},
		{"outages", false, b.outageRuns},
		{"quiet instances", false, b.quietInstances},
		{"service time", false, b.serviceTimes},
	} {
		if quick && !part.quick {
			continue
		}
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "%s ...", part.name)
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(os.Stderr, " %.0f s\n", time.Since(begin).Seconds())
	}
	b.took, b.after = time.Since(b.when), loadAverage()
	return nil
}

// build makes the function for both architectures to see how large it is, and then what is measured: the function and the
// minimal one, each with a file added that tells of its memory when it is asked.
func (b *bench) build(ctx context.Context) error {
	b.sizes = map[string]size{}
	for _, arch := range []string{"arm64", "amd64"} {
		path := filepath.Join(b.dir, arch)
		if err := functionbinary.Compile(ctx, b.root, "./lambda/checktoken", path, arch); err != nil {
			return err
		}
		var err error
		if b.sizes[arch], err = sizeOf(path); err != nil {
			return err
		}
	}
	local, extra, overlay := filepath.Join(b.root, "local"), filepath.Join(b.dir, "memstats.go"), filepath.Join(b.dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(b.root, "lambda", "checktoken", "memstats_overlay.go"): extra,
		filepath.Join(local, "bench", "minimal", "memstats_overlay.go"):      extra,
	}})
	if err := cmp.Or(err, os.WriteFile(extra, []byte(memstats), 0o600), os.WriteFile(overlay, text, 0o600)); err != nil {
		return err
	}
	path := func(name string) string { return filepath.Join(b.dir, name) }
	b.functionPath, b.minimalPath, b.alonePath = path("function"), path("minimal"), path("alone")
	return cmp.Or(
		functionbinary.Compile(ctx, b.root, "./lambda/checktoken", b.functionPath, runtime.GOARCH, "-overlay", overlay),
		functionbinary.Compile(ctx, local, "./bench/minimal", b.minimalPath, runtime.GOARCH, "-overlay", overlay),
		functionbinary.Compile(ctx, local, "./bench/alone", b.alonePath, runtime.GOARCH))
}

//go:embed memstats.go.txt
var memstats string

// size is in bytes.
type size struct{ binary, zipped int64 }

// sizeOf returns the size of a file, and of a zip archive with it in.
func sizeOf(path string) (size, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return size{}, err
	}
	var archive strings.Builder
	z := zip.NewWriter(&archive)
	w, err := z.Create("bootstrap")
	if err != nil {
		return size{}, err
	}
	if _, err := w.Write(content); err != nil {
		return size{}, err
	}
	err = z.Close()
	return size{int64(len(content)), int64(archive.Len())}, err
}

func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // arm64's has no model
	name := runtime.GOARCH
	if found := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(text); found != nil {
		name = string(found[1])
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), name, runtime.GOOS, runtime.Version())
}

// loadAverage is how many processes wanted a core in the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
