package main

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	_ "embed"

	"healthlake-smart-on-fhir/local/build"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

//go:embed memstats.go.txt
var memstats string

// stalls is the provider with a slow tail.
var stalls = slowness{stall: 2 * time.Second, share: 0.01}

// latencies are those of the providers that the service time is measured with.
var latencies = []time.Duration{
	0, 5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
}

// parallel is how many instances share the calls to the stalling provider.
const parallel = 4

// measured is what a run found.
type measured struct {
	when           time.Time
	machine        string
	loadBefore     string
	loadAfter      string
	effort         effort
	function, mini figures
	cached         figures
	binary, zipped map[string]int64 // bytes, by architecture
	service        []samples        // by latency, as in latencies
}

// figures are one function's.
type figures struct {
	start, first, warm samples
	rss, rssMost       float64 // MiB
	objects, bytes     float64 // allocated, a call
	tail               tailFigures
}

// tailFigures are of the calls to the stalling provider.
type tailFigures struct {
	took samples
	good int // answered, and within HealthLake's second
	both int // of the function's that were not good: those for which both requests went out
}

func (t tailFigures) share() float64 { return 100 * float64(t.good) / float64(max(len(t.took), 1)) }

// bench holds what a run needs.
type bench struct {
	effort
	dir, root          string
	secrets            *secretsmanager.Server
	function, minimal  string // paths of the executables
	quick              *provider
	real, mini, cached subject
	event              []byte
}

func measure(ctx context.Context, root, dir string, e effort, step func(string)) (m *measured, err error) {
	m = &measured{when: time.Now(), machine: machine(), loadBefore: load(), effort: e}
	b := &bench{effort: e, dir: dir, root: root, event: sandbox.Event("ory_at_" + strings.Repeat("x", 87))}
	step("build")
	if err := b.build(ctx, m); err != nil {
		return nil, err
	}
	if b.secrets, err = secretsmanager.Start(); err != nil {
		return nil, err
	}
	defer b.secrets.Stop()
	if b.quick, err = startProvider(dir, slowness{}); err != nil {
		return nil, err
	}
	defer b.quick.close()
	if b.real, err = real("checkToken", b.function, b.quick, b.secrets, "0"); err != nil {
		return nil, err
	}
	if b.cached, err = real("checkToken with a cache", b.function, b.quick, b.secrets, "300"); err != nil {
		return nil, err
	}
	b.mini = minimal(b.minimal, b.quick)
	for _, part := range []struct {
		name string
		do   func(context.Context, *measured) error
	}{
		{"starts", b.starts}, {"warm calls", b.warm}, {"allocations", b.allocationsPerCall}, {"tail", b.tails},
		{"service time", b.serviceTimes},
	} {
		step(part.name)
		if err := part.do(ctx, m); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	m.loadAfter = load()
	return m, nil
}

func (b *bench) build(ctx context.Context, m *measured) (err error) {
	m.binary, m.zipped = map[string]int64{}, map[string]int64{}
	for _, arch := range []string{"arm64", "amd64"} {
		path := filepath.Join(b.dir, arch, "bootstrap")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := build.Binary(ctx, b.root, "./lambda/checktoken", path, arch); err != nil {
			return err
		}
		if m.binary[arch], m.zipped[arch], err = sizes(path); err != nil {
			return err
		}
	}
	b.function, b.minimal = filepath.Join(b.dir, runtime.GOARCH, "bootstrap"), filepath.Join(b.dir, "minimal")
	return build.Binary(ctx, filepath.Join(b.root, "local"), "./bench/minimal", b.minimal, runtime.GOARCH)
}

// starts starts the functions in turns, each time a new process, and makes one call to each.
func (b *bench) starts(ctx context.Context, m *measured) error {
	for range b.effort.starts {
		for _, x := range []struct {
			subject
			into *figures
		}{{b.real, &m.function}, {b.mini, &m.mini}} {
			f, err := x.start(ctx)
			if err != nil {
				return err
			}
			took, err := must(ctx, f, b.event)
			if stopErr := f.Stop(); err == nil {
				err = stopErr
			}
			if err != nil {
				return err
			}
			x.into.start = append(x.into.start, f.InitDuration())
			x.into.first = append(x.into.first, took)
		}
	}
	return nil
}

// warm calls the functions in turns, and each time begins with another one.
func (b *bench) warm(ctx context.Context, m *measured) error {
	into := []*figures{&m.function, &m.mini, &m.cached}
	var functions []*runtimeapi.Function
	for _, s := range []subject{b.real, b.mini, b.cached} {
		f, err := s.start(ctx)
		if err != nil {
			return err
		}
		defer f.Stop()
		functions = append(functions, f)
		if _, err := must(ctx, f, b.event); err != nil {
			return err
		}
	}
	for i := range b.effort.calls {
		for k := range functions {
			n := (i + k) % len(functions)
			took, err := must(ctx, functions[n], b.event)
			if err != nil {
				return err
			}
			into[n].warm = append(into[n].warm, took)
		}
	}
	for n, f := range functions {
		var err error
		if into[n].rss, into[n].rssMost, err = memory(f.Pid()); err != nil {
			return err
		}
	}
	return nil
}

// allocationsPerCall builds both functions once more, with a file added that counts, and lets them count.
func (b *bench) allocationsPerCall(ctx context.Context, m *measured) error {
	extra := filepath.Join(b.dir, "memstats.go")
	if err := os.WriteFile(extra, []byte(memstats), 0o600); err != nil {
		return err
	}
	for _, x := range []struct {
		subject
		module, pkg string
		into        *figures
	}{
		{b.real, b.root, "lambda/checktoken", &m.function},
		{b.mini, filepath.Join(b.root, "local"), "bench/minimal", &m.mini},
		{b.cached, b.root, "lambda/checktoken", &m.cached},
	} {
		overlay, err := json.Marshal(map[string]any{
			"Replace": map[string]string{filepath.Join(x.module, x.pkg, "memstats_overlay.go"): extra},
		})
		if err != nil {
			return err
		}
		overlayFile := filepath.Join(b.dir, "overlay.json")
		if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
			return err
		}
		x.bootstrap = filepath.Join(b.dir, "counting")
		if err := build.Binary(ctx, x.module, "./"+x.pkg, x.bootstrap, runtime.GOARCH, "-overlay", overlayFile); err != nil {
			return err
		}
		if x.into.objects, x.into.bytes, err = b.count(ctx, x.subject); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) count(ctx context.Context, s subject) (objects, bytes float64, err error) {
	f, err := s.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer f.Stop()
	const before = 200 // calls, after which pools are filled
	var from, fromBytes float64
	for i := range before + b.effort.allocations {
		if i == before {
			if from, fromBytes, err = allocated(ctx, f, 1); err != nil {
				return 0, 0, err
			}
		}
		if _, err := must(ctx, f, b.event); err != nil {
			return 0, 0, err
		}
	}
	to, toBytes, err := allocated(ctx, f, 2)
	n := float64(b.effort.allocations)
	return (to - from) / n, (toBytes - fromBytes) / n, err
}

// tails calls both functions with the stalling provider. The minimal one waits for nine tenths of a second at every stall,
// so it gets fewer calls.
func (b *bench) tails(ctx context.Context, m *measured) error {
	p, err := startProvider(b.dir, stalls)
	if err != nil {
		return err
	}
	defer p.close()
	hedging, err := real("checkToken", b.function, p, b.secrets, "0")
	if err != nil {
		return err
	}
	for _, x := range []struct {
		subject
		calls int
		into  *tailFigures
	}{{hedging, b.effort.tail, &m.function.tail}, {minimal(b.minimal, p), b.effort.tail / 10, &m.mini.tail}} {
		var (
			mu   sync.Mutex
			wait sync.WaitGroup
			errs = make([]error, parallel)
		)
		for i := range parallel {
			wait.Go(func() {
				t, err := b.stalled(ctx, x.subject, x.calls/parallel)
				mu.Lock()
				defer mu.Unlock()
				errs[i] = err
				x.into.took = append(x.into.took, t.took...)
				x.into.good += t.good
				x.into.both += t.both
			})
		}
		wait.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) stalled(ctx context.Context, s subject, calls int) (t tailFigures, err error) {
	f, err := s.start(ctx)
	if err != nil {
		return t, err
	}
	defer f.Stop()
	for range calls {
		took, ok, err := call(ctx, f, b.event)
		if err != nil {
			return t, err
		}
		t.took = append(t.took, took)
		if ok && took < sandbox.Budget {
			t.good++
		}
	}
	for _, line := range f.Logs() {
		var call struct {
			Outcome  string
			Requests int `json:"idp_requests"`
		}
		if json.Unmarshal([]byte(line), &call) == nil && call.Outcome == "error" && call.Requests == 2 {
			t.both++
		}
	}
	return t, nil
}

// serviceTimes measures how long an instance is busy with a call, one call after the other.
func (b *bench) serviceTimes(ctx context.Context, m *measured) error {
	for _, latency := range latencies {
		p, err := startProvider(b.dir, slowness{always: latency})
		if err != nil {
			return err
		}
		s, err := real("checkToken", b.function, p, b.secrets, "0")
		if err != nil {
			return err
		}
		taken, err := b.back(ctx, s)
		p.close()
		if err != nil {
			return err
		}
		m.service = append(m.service, taken)
	}
	return nil
}

func (b *bench) back(ctx context.Context, s subject) (samples, error) {
	f, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Stop()
	var taken samples
	for range b.effort.service {
		took, err := must(ctx, f, b.event)
		if err != nil {
			return nil, err
		}
		taken = append(taken, took)
	}
	return taken, nil
}

// sizes returns the size of a file, and of a zip archive with it in.
func sizes(path string) (plain, zipped int64, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	var n counter
	archive := zip.NewWriter(&n)
	w, err := archive.Create("bootstrap")
	if err != nil {
		return 0, 0, err
	}
	if _, err := w.Write(content); err != nil {
		return 0, 0, err
	}
	if err := archive.Close(); err != nil {
		return 0, 0, err
	}
	return int64(len(content)), int64(n), nil
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func machine() string {
	name := runtime.GOARCH
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		defer file.Close()
		for lines := bufio.NewScanner(io.LimitReader(file, 1<<20)); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), name, runtime.GOOS, runtime.Version())
}

// load is how many processes wanted a core in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
