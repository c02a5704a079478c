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
	"sync"
	"time"

	_ "embed"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/functionbinary"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
)

//go:embed memstats.go.txt
var memstats string

// stalls is the provider with a slow tail.
var stalls = slowness{stall: 2 * time.Second, share: 0.01}

// latencies are those of the providers that the service time is measured with.
var latencies = []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

// parallel is how many instances share the calls to the stalling provider.
const parallel = 4

// size is in bytes.
type size struct{ binary, zipped int64 }

// bench is a run and what it found.
type bench struct {
	effort
	root, dir                 string
	functionPath, minimalPath string     // of the executables
	subjects                  []*subject // all that were started

	when                         time.Time
	machine, before, after       string // before and after are load averages
	sizes                        map[string]size
	real, mini, cached           *subject
	rs256, es256                 *subject
	stallingReal, stallingSingle *subject
	service                      []*subject // by latency, as in latencies
}

// inTurns are the subjects that are started and called in turns.
func (b *bench) inTurns() []*subject { return []*subject{b.real, b.mini, b.cached, b.rs256, b.es256} }

func (b *bench) close() {
	for _, s := range b.subjects {
		s.close()
	}
}

func (b *bench) measure(ctx context.Context, step func(string)) error {
	b.when, b.machine, b.before = time.Now(), machine(), load()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"build", b.build}, {"providers", b.providers}, {"starts", b.starts}, {"warm calls", b.warmCalls},
		{"tail", b.tails}, {"service time", b.serviceCalls},
	} {
		step(part.name)
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.after = load()
	return nil
}

// build makes the function for both architectures to see how large it is, and then what is measured: the function and the
// minimal one, each with a file added that counts allocations when it is asked.
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
	b.functionPath, b.minimalPath = filepath.Join(b.dir, "function"), filepath.Join(b.dir, "minimal")
	return cmp.Or(
		functionbinary.Compile(ctx, b.root, "./lambda/checktoken", b.functionPath, runtime.GOARCH, "-overlay", overlay),
		functionbinary.Compile(ctx, local, "./bench/minimal", b.minimalPath, runtime.GOARCH, "-overlay", overlay))
}

func (b *bench) providers(context.Context) error {
	fast := slowness{}
	var errs [7]error
	b.real, errs[0] = b.checkToken("checkToken", fast, contract.Environment{})
	b.mini, errs[1] = b.minimal(fast)
	b.cached, errs[2] = b.checkToken("checkToken, cache hits", fast, contract.Environment{IntrospectionCache: 5 * time.Minute})
	b.rs256, errs[3] = b.verifying("JWT, RS256", idp.NewRSAKey("rsa", 2048))
	b.es256, errs[4] = b.verifying("JWT, ES256", idp.NewECKey("ec"))
	b.stallingReal, errs[5] = b.checkToken("checkToken", stalls, contract.Environment{})
	b.stallingSingle, errs[6] = b.minimal(stalls)
	for _, latency := range latencies {
		s, err := b.checkToken("checkToken", slowness{always: latency}, contract.Environment{})
		if err != nil {
			return err
		}
		b.service = append(b.service, s)
	}
	return cmp.Or(errs[:]...)
}

// starts starts each function a number of times, each time a new process, in turns that begin with another one each, and
// makes one call to each.
func (b *bench) starts(ctx context.Context) error {
	subjects := b.inTurns()
	for i := range b.effort.starts {
		for k := range subjects {
			s := subjects[(i+k)%len(subjects)]
			f, err := s.run(ctx)
			if err != nil {
				return err
			}
			took, err := s.must(ctx, f)
			if err := cmp.Or(err, f.Stop()); err != nil {
				return err
			}
			s.start, s.first = append(s.start, f.InitDuration()), append(s.first, took)
		}
	}
	return nil
}

// warmCalls calls the functions in turns that begin with another one each.
func (b *bench) warmCalls(ctx context.Context) error {
	subjects := b.inTurns()
	var functions []*runtimeapi.Function
	for _, s := range subjects {
		before := s.requests.Load()
		f, err := s.run(ctx)
		if err != nil {
			return err
		}
		defer f.Stop()
		functions = append(functions, f)
		if _, err := s.must(ctx, f); err != nil {
			return err
		}
		if s.objects, s.bytes, err = allocated(ctx, f, 1); err != nil {
			return err
		}
		s.before = int(s.requests.Load() - before)
		s.asked, s.secretReads = -int(s.requests.Load()), -s.reads()
	}
	for i := range b.effort.calls {
		for k := range subjects {
			n := (i + k) % len(subjects)
			took, err := subjects[n].must(ctx, functions[n])
			if err != nil {
				return err
			}
			subjects[n].warm = append(subjects[n].warm, took)
		}
	}
	for n, s := range subjects {
		s.asked += int(s.requests.Load())
		s.secretReads += s.reads()
		objects, bytes, err := allocated(ctx, functions[n], 2)
		if err != nil {
			return err
		}
		s.objects, s.bytes = (objects-s.objects)/float64(len(s.warm)), (bytes-s.bytes)/float64(len(s.warm))
		if s.rss, s.rssMost, err = memory(functions[n].Pid()); err != nil {
			return err
		}
	}
	return nil
}

// tails calls both functions with the stalling provider. The minimal one waits for nine tenths of a second at every stall, so
// it gets fewer calls.
func (b *bench) tails(ctx context.Context) error {
	if err := b.stalled(ctx, b.stallingReal, b.effort.tail); err != nil {
		return err
	}
	return b.stalled(ctx, b.stallingSingle, b.effort.tail/10)
}

// stalled shares the calls among several instances.
func (b *bench) stalled(ctx context.Context, s *subject, calls int) error {
	var mu sync.Mutex
	var wait sync.WaitGroup
	var errs [parallel]error
	for i := range parallel {
		wait.Go(func() {
			var warm samples
			good, both := 0, 0
			warm, good, both, errs[i] = s.repeat(ctx, calls/parallel)
			mu.Lock()
			defer mu.Unlock()
			s.warm, s.good, s.both = append(s.warm, warm...), s.good+good, s.both+both
		})
	}
	wait.Wait()
	return cmp.Or(errs[:]...)
}

// serviceCalls measures how long an instance is busy with a call, one call after the other.
func (b *bench) serviceCalls(ctx context.Context) error {
	for _, s := range b.service {
		var err error
		if s.warm, s.good, s.both, err = s.repeat(ctx, b.effort.service); err != nil {
			return err
		}
		if s.good < len(s.warm) {
			return fmt.Errorf("%d of %d calls failed", len(s.warm)-s.good, len(s.warm))
		}
	}
	return nil
}

// repeat calls a new instance. It counts the responses that are good, and of the others those for which both requests went
// out.
func (s *subject) repeat(ctx context.Context, calls int) (warm samples, good, both int, err error) {
	f, err := s.run(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	defer f.Stop()
	for range calls {
		took, ok, err := s.call(ctx, f)
		if err != nil {
			return nil, 0, 0, err
		}
		warm = append(warm, took)
		if ok && took < sandbox.TimeLimit {
			good++
		}
	}
	for _, line := range f.Logs() {
		var call struct {
			Outcome  string
			Requests int `json:"idp_requests"`
		}
		if json.Unmarshal([]byte(line), &call) == nil && call.Outcome == "error" && call.Requests == 2 {
			both++
		}
	}
	return warm, good, both, nil
}

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

// load is how many processes wanted a core in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
