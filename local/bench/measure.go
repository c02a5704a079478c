package main

import (
	"archive/zip"
	"bufio"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	_ "embed"

	"healthlake-smart-on-fhir/local/build"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
)

//go:embed memstats.go.txt
var memstats string

//go:embed nojwt.go.txt
var noJWT string

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
	rs256, es256   figures
	withJWT, noJWT figures         // starts alone, of the function with JWT support and without
	sizes, noSizes map[string]size // with it and without, by architecture
	service        []samples       // by latency, as in latencies
}

// figures are one function's.
type figures struct {
	start, first, warm samples
	rss, rssMost       float64 // MiB
	objects, bytes     float64 // allocated, a call
	before, asked      int     // requests to the provider, before the warm calls and during them
	secretReads        int     // during the warm calls
	tail               tailFigures
}

// tailFigures are of the calls to the stalling provider.
type tailFigures struct {
	took samples
	good int // answered, and within HealthLake's second
	both int // of the function's that were not good: those for which both requests went out
}

func (t tailFigures) share() float64 { return 100 * float64(t.good) / float64(max(len(t.took), 1)) }

// size is in bytes.
type size struct{ binary, zipped int64 }

// bench holds what a run needs.
type bench struct {
	effort
	dir, root                string
	function, noJWT, minimal string // paths of the executables
	real, mini, cached       subject
	rs256, es256             subject
}

// trial is a subject and where its figures go.
type trial struct {
	subject
	into *figures
}

func (b *bench) trials(m *measured) []trial {
	return []trial{
		{b.real, &m.function}, {b.mini, &m.mini}, {b.cached, &m.cached}, {b.rs256, &m.rs256}, {b.es256, &m.es256},
	}
}

func measure(ctx context.Context, root, dir string, e effort, step func(string)) (m *measured, err error) {
	m = &measured{when: time.Now(), machine: machine(), loadBefore: load(), effort: e}
	b := &bench{effort: e, dir: dir, root: root}
	step("build")
	if err := b.build(ctx, m); err != nil {
		return nil, err
	}
	defer func() {
		for _, x := range b.trials(m) {
			x.close()
		}
	}()
	if err := b.subjects(); err != nil {
		return nil, err
	}
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

func (b *bench) subjects() (err error) {
	if b.real, err = real("checkToken", b.function, b.dir, slowness{}); err != nil {
		return err
	}
	if b.cached, err = real("checkToken with a cache", b.function, b.dir, slowness{}); err != nil {
		return err
	}
	b.cached.env["INTROSPECTION_CACHE_SECONDS"] = "300"
	if b.mini, err = minimal(b.minimal, b.dir, slowness{}); err != nil {
		return err
	}
	rsaKey, err := idp.NewRSAKey("rsa", 2048)
	if err != nil {
		return err
	}
	if b.rs256, err = verifying("checkToken with RS256", b.function, b.dir, rsaKey); err != nil {
		return err
	}
	ecKey, err := idp.NewECKey("ec")
	if err != nil {
		return err
	}
	b.es256, err = verifying("checkToken with ES256", b.function, b.dir, ecKey)
	return err
}

// build makes the function for both architectures, with JWT support and without, and the minimal one.
func (b *bench) build(ctx context.Context, m *measured) error {
	overlay, err := b.withoutJWT()
	if err != nil {
		return err
	}
	m.sizes, m.noSizes = map[string]size{}, map[string]size{}
	for _, arch := range []string{"arm64", "amd64"} {
		for _, x := range []struct {
			dir   string
			into  map[string]size
			jwt   bool
			flags []string
		}{
			{arch, m.sizes, true, nil},
			{arch + "-without-jwt", m.noSizes, false, []string{"-overlay", overlay}},
		} {
			path := filepath.Join(b.dir, x.dir, "bootstrap")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := build.Binary(ctx, b.root, "./lambda/checktoken", path, arch, x.flags...); err != nil {
				return err
			}
			linked, err := links(path, "github.com/go-jose/go-jose/v4")
			if err != nil {
				return err
			}
			if linked != x.jwt {
				return fmt.Errorf("%s: go-jose is linked: %t, want %t", path, linked, x.jwt)
			}
			if x.into[arch], err = sizeOf(path); err != nil {
				return err
			}
		}
	}
	b.function = filepath.Join(b.dir, runtime.GOARCH, "bootstrap")
	b.noJWT = filepath.Join(b.dir, runtime.GOARCH+"-without-jwt", "bootstrap")
	b.minimal = filepath.Join(b.dir, "minimal")
	return build.Binary(ctx, filepath.Join(b.root, "local"), "./bench/minimal", b.minimal, runtime.GOARCH)
}

// withoutJWT is an overlay with a package internal/jwt that has the names which the function uses, and nothing behind them.
func (b *bench) withoutJWT() (string, error) {
	stub := filepath.Join(b.dir, "nojwt.go")
	if err := os.WriteFile(stub, []byte(noJWT), 0o600); err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(b.root, "internal", "jwt", "*.go"))
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for _, file := range files {
		replace[file] = "" // as if it were not there
	}
	replace[filepath.Join(b.root, "internal", "jwt", "jwt.go")] = stub
	return b.overlay("without-jwt.json", replace)
}

// overlay writes a file for the flag -overlay of go build.
func (b *bench) overlay(name string, replace map[string]string) (string, error) {
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, name)
	return path, os.WriteFile(path, text, 0o600)
}

// links tells whether a module is in an executable.
func links(path, module string) (bool, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == module }), nil
}

// starts starts the functions in turns, and then the one with JWT support and the one without.
func (b *bench) starts(ctx context.Context, m *measured) error {
	if err := startInTurns(ctx, b.effort.starts, b.trials(m)); err != nil {
		return err
	}
	without := b.real
	without.bootstrap = b.noJWT
	return startInTurns(ctx, b.effort.pairs, []trial{{b.real, &m.withJWT}, {without, &m.noJWT}})
}

// startInTurns starts each subject a number of times, each time a new process and each turn with another one first, and makes
// one call to each.
func startInTurns(ctx context.Context, turns int, trials []trial) error {
	for i := range turns {
		for k := range trials {
			x := trials[(i+k)%len(trials)]
			f, err := x.start(ctx)
			if err != nil {
				return err
			}
			took, err := must(ctx, f, x.event)
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
	trials := b.trials(m)
	var functions []*runtimeapi.Function
	for _, x := range trials {
		before := x.provider.requests.Load()
		f, err := x.start(ctx)
		if err != nil {
			return err
		}
		defer f.Stop()
		functions = append(functions, f)
		if _, err := must(ctx, f, x.event); err != nil {
			return err
		}
		x.into.before = int(x.provider.requests.Load() - before)
		x.into.asked, x.into.secretReads = -int(x.provider.requests.Load()), -x.secretReads()
	}
	for i := range b.effort.calls {
		for k := range trials {
			n := (i + k) % len(trials)
			took, err := must(ctx, functions[n], trials[n].event)
			if err != nil {
				return err
			}
			trials[n].into.warm = append(trials[n].into.warm, took)
		}
	}
	for n, x := range trials {
		x.into.asked += int(x.provider.requests.Load())
		x.into.secretReads += x.secretReads()
		var err error
		if x.into.rss, x.into.rssMost, err = memory(functions[n].Pid()); err != nil {
			return err
		}
	}
	return nil
}

// allocationsPerCall builds the functions once more, with a file added that counts, and lets them count.
func (b *bench) allocationsPerCall(ctx context.Context, m *measured) error {
	extra := filepath.Join(b.dir, "memstats.go")
	if err := os.WriteFile(extra, []byte(memstats), 0o600); err != nil {
		return err
	}
	counting := map[string]string{} // by the executable that does not count
	for path, x := range map[string]struct{ module, pkg string }{
		b.function: {b.root, "lambda/checktoken"},
		b.minimal:  {filepath.Join(b.root, "local"), "bench/minimal"},
	} {
		overlay, err := b.overlay("memstats.json",
			map[string]string{filepath.Join(x.module, x.pkg, "memstats_overlay.go"): extra})
		if err != nil {
			return err
		}
		counting[path] = path + "-counting"
		err = build.Binary(ctx, x.module, "./"+x.pkg, counting[path], runtime.GOARCH, "-overlay", overlay)
		if err != nil {
			return err
		}
	}
	for _, x := range b.trials(m) {
		x.bootstrap = counting[x.bootstrap]
		var err error
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
		if _, err := must(ctx, f, s.event); err != nil {
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
	hedging, err := real("checkToken", b.function, b.dir, stalls)
	defer hedging.close()
	if err != nil {
		return err
	}
	single, err := minimal(b.minimal, b.dir, stalls)
	defer single.close()
	if err != nil {
		return err
	}
	for _, x := range []struct {
		subject
		calls int
		into  *tailFigures
	}{{hedging, b.effort.tail, &m.function.tail}, {single, b.effort.tail / 10, &m.mini.tail}} {
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
		took, ok, err := call(ctx, f, s.event)
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
		s, err := real("checkToken", b.function, b.dir, slowness{always: latency})
		if err != nil {
			s.close()
			return err
		}
		taken, err := b.back(ctx, s)
		s.close()
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
		took, err := must(ctx, f, s.event)
		if err != nil {
			return nil, err
		}
		taken = append(taken, took)
	}
	return taken, nil
}

// sizeOf returns the size of a file, and of a zip archive with it in.
func sizeOf(path string) (size, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return size{}, err
	}
	var n counter
	archive := zip.NewWriter(&n)
	w, err := archive.Create("bootstrap")
	if err != nil {
		return size{}, err
	}
	if _, err := w.Write(content); err != nil {
		return size{}, err
	}
	if err := archive.Close(); err != nil {
		return size{}, err
	}
	return size{int64(len(content)), int64(n)}, nil
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
