// Package runtimeapi runs a Lambda function on this machine as Lambda does: it serves the Lambda Runtime API on
// loopback, starts the function's bootstrap binary with the environment that Lambda would give it, hands it one event
// at a time and takes its answers.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	account = "123456789012"

	// initLimit is how long Lambda waits for a process to ask for its first event.
	initLimit = 10 * time.Second

	// payloadLimit is Lambda's limit for events and answers of synchronous calls.
	payloadLimit = 6 << 20
)

// Config says what to run. Bootstrap is required.
type Config struct {
	// Bootstrap is the path of the function's executable.
	Bootstrap string
	// Name is the function's name; "function" where empty.
	Name string
	// Region is what the function sees as AWS_REGION; us-east-1 where empty.
	Region string
	// MemorySize is what the function sees as its memory, in MiB; 512 where zero. It is not enforced.
	MemorySize int
	// Timeout is the time the function has for one event; 10 s where zero. Afterwards its process is killed.
	Timeout time.Duration
	// Env is the function's own environment. It wins over the variables that Lambda sets. Nothing is inherited from
	// the calling process.
	Env map[string]string
}

// Function is a running function. Its methods may be called from several goroutines; it works on one event at a time.
type Function struct {
	cfg      Config
	arn      string
	listener net.Listener
	server   *http.Server
	cmd      *exec.Cmd
	initTime time.Duration

	invoking sync.Mutex
	events   chan *event

	ready    chan struct{} // closed when the process asks for its first event
	readyOne sync.Once
	initFail chan FunctionError
	exited   chan struct{} // closed when the process has ended; exitErr is set before
	exitErr  error

	mu      sync.Mutex
	current *event
	log     []string
	logged  chan struct{} // closed and replaced at every new line
	partial []byte
}

type event struct {
	id       string
	payload  []byte
	deadline time.Time
	done     chan outcome
}

type outcome struct {
	payload []byte
	failed  bool
}

// FunctionError is what a function reports in place of an answer, in the form that Lambda passes on to the caller.
type FunctionError struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// Result is the end of one call.
type Result struct {
	// Payload is the function's answer, or its error as JSON.
	Payload []byte
	// FunctionError is nil if the function answered. Types of the runtime's own are Sandbox.Timedout and
	// Runtime.ExitError.
	FunctionError *FunctionError
	// RequestID is the call's id, which the function sees too.
	RequestID string
	// Duration is the time from Invoke to the answer: what a caller beside the function would have waited.
	Duration time.Duration
}

// Start starts the function and returns when it has asked for its first event. A process that ends before, or reports
// an initialization error, is an error, which carries the end of the process's log.
func Start(ctx context.Context, cfg Config) (*Function, error) {
	if cfg.Name == "" {
		cfg.Name = "function"
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.MemorySize == 0 {
		cfg.MemorySize = 512
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	bootstrap, err := filepath.Abs(cfg.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("runtimeapi: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtimeapi: %w", err)
	}

	f := &Function{
		cfg:      cfg,
		arn:      fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s:live", cfg.Region, account, cfg.Name),
		listener: listener,
		events:   make(chan *event),
		ready:    make(chan struct{}),
		initFail: make(chan FunctionError, 1),
		exited:   make(chan struct{}),
		logged:   make(chan struct{}),
	}
	f.server = &http.Server{Handler: f.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = f.server.Serve(listener) }() // ends with Close

	f.cmd = exec.Command(bootstrap)
	f.cmd.Dir = filepath.Dir(bootstrap)
	f.cmd.Env = f.environment()
	output := logWriter{f}
	f.cmd.Stdout, f.cmd.Stderr = output, output // the same writer twice: one pipe, the order is kept
	begin := time.Now()
	if err := f.cmd.Start(); err != nil {
		_ = f.server.Close()
		return nil, fmt.Errorf("runtimeapi: start the function: %w", err)
	}
	go func() {
		f.exitErr = f.cmd.Wait()
		close(f.exited)
	}()

	limit := time.NewTimer(initLimit)
	defer limit.Stop()
	select {
	case <-f.ready:
		f.initTime = time.Since(begin)
		return f, nil
	case failure := <-f.initFail:
		err = fmt.Errorf("runtimeapi: initialization failed: %s: %s", failure.Type, failure.Message)
	case <-f.exited:
		err = fmt.Errorf("runtimeapi: the function ended (%s) before it asked for an event", f.cmd.ProcessState)
	case <-limit.C:
		err = fmt.Errorf("runtimeapi: the function did not ask for an event within %s", initLimit)
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = f.Stop()
	if tail := f.Logs(); len(tail) > 0 {
		err = fmt.Errorf("%w; its log ends:\n%s", err, strings.Join(tail[max(0, len(tail)-10):], "\n"))
	}
	return nil, err
}

// environment is what Lambda sets for an OS-only runtime, then the function's own variables.
func (f *Function) environment() []string {
	env := map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          f.listener.Addr().String(),
		"AWS_LAMBDA_FUNCTION_NAME":        f.cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "1",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.cfg.MemorySize),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "provisioned-concurrency",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local",
		"AWS_REGION":                      f.cfg.Region,
		"AWS_DEFAULT_REGION":              f.cfg.Region,
		"_HANDLER":                        "bootstrap",
		"LAMBDA_TASK_ROOT":                f.cmd.Dir,
		"LAMBDA_RUNTIME_DIR":              f.cmd.Dir,
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin",
		"TZ":                              ":UTC",
	}
	for name, value := range f.cfg.Env {
		env[name] = value
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// InitDuration is the time from the process's start to its first request for an event.
func (f *Function) InitDuration() time.Duration { return f.initTime }

// Pid is the process id of the function.
func (f *Function) Pid() int { return f.cmd.Process.Pid }

// Invoke hands one event to the function and waits for its answer. An error that the function reports, its death and
// its timeout are results with a FunctionError; Invoke's own error means that there was no call: the process has ended,
// the payload is too large, or ctx is done.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	if len(payload) > payloadLimit {
		return Result{}, fmt.Errorf("runtimeapi: event of %d bytes; the limit is %d", len(payload), payloadLimit)
	}
	f.invoking.Lock()
	defer f.invoking.Unlock()

	begin := time.Now()
	ev := &event{
		id:       uuid.NewString(),
		payload:  payload,
		deadline: begin.Add(f.cfg.Timeout),
		done:     make(chan outcome, 1), // an answer that nobody waits for any more does not block its handler
	}
	result := func(out outcome) Result {
		r := Result{Payload: out.payload, RequestID: ev.id, Duration: time.Since(begin)}
		if out.failed {
			r.FunctionError = new(FunctionError)
			if err := json.Unmarshal(out.payload, r.FunctionError); err != nil {
				r.FunctionError.Type, r.FunctionError.Message = "Runtime.Unknown", "the function's error is not JSON"
			}
		}
		return r
	}
	timeout := time.NewTimer(f.cfg.Timeout)
	defer timeout.Stop()

	select {
	case f.events <- ev:
	case <-f.exited:
		return Result{}, fmt.Errorf("runtimeapi: the function has ended (%s)", f.cmd.ProcessState)
	case <-timeout.C:
		return result(f.timedOut(ev)), nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	select {
	case out := <-ev.done:
		return result(out), nil
	case <-f.exited:
		select {
		case out := <-ev.done: // it answered or reported before it ended
			return result(out), nil
		default:
		}
		return result(failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %s", ev.id,
			f.cmd.ProcessState)), nil
	case <-timeout.C:
		return result(f.timedOut(ev)), nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// timedOut kills the process, as Lambda does.
func (f *Function) timedOut(ev *event) outcome {
	_ = f.kill()
	return failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", ev.id,
		f.cfg.Timeout.Seconds())
}

func failure(kind, format string, args ...any) outcome {
	payload, err := json.Marshal(FunctionError{Type: kind, Message: fmt.Sprintf(format, args...)})
	if err != nil {
		panic(err) // two strings always marshal
	}
	return outcome{payload, true}
}

// Freeze stops the process without ending it, as Lambda does between two events. Time goes on meanwhile: connections
// are closed by their other ends, deadlines pass.
func (f *Function) Freeze() error { return f.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (f *Function) Thaw() error { return f.cmd.Process.Signal(syscall.SIGCONT) }

// Stop kills the process, waits for its end and closes the Runtime API. It may be called more than once.
func (f *Function) Stop() error {
	err := f.kill()
	if closeErr := f.server.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (f *Function) kill() error {
	// SIGKILL, since it ends a frozen process too, and since Lambda gives a function without extensions no other.
	if err := f.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("runtimeapi: stop the function: %w", err)
	}
	<-f.exited
	return nil
}

// Logs returns the lines that the process has written to stdout and stderr so far.
func (f *Function) Logs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// AwaitLog returns the first line that contains part, and waits for it until ctx is done: a line may arrive a moment
// after the answer of the call that wrote it.
func (f *Function) AwaitLog(ctx context.Context, part string) (string, error) {
	for seen := 0; ; {
		f.mu.Lock()
		lines, more := f.log[seen:], f.logged
		seen = len(f.log)
		f.mu.Unlock()
		for _, line := range lines {
			if strings.Contains(line, part) {
				return line, nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return "", fmt.Errorf("runtimeapi: no log line contains %q: %w", part, ctx.Err())
		}
	}
}

// logWriter cuts the process's output into lines.
type logWriter struct{ f *Function }

func (w logWriter) Write(p []byte) (int, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	w.f.partial = append(w.f.partial, p...)
	for {
		line, rest, found := strings.Cut(string(w.f.partial), "\n")
		if !found {
			return len(p), nil
		}
		w.f.log = append(w.f.log, line)
		w.f.partial = []byte(rest)
		close(w.f.logged)
		w.f.logged = make(chan struct{})
	}
}

func (f *Function) handler() http.Handler {
	const base = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/invocation/next", f.serveNext)
	mux.HandleFunc("POST "+base+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		f.serveOutcome(w, r, false)
	})
	mux.HandleFunc("POST "+base+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		f.serveOutcome(w, r, true)
	})
	mux.HandleFunc("POST "+base+"/init/error", f.serveInitError)
	return mux
}

func (f *Function) serveNext(w http.ResponseWriter, r *http.Request) {
	f.readyOne.Do(func() { close(f.ready) })
	select {
	case ev := <-f.events:
		f.mu.Lock()
		f.current = ev
		f.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", ev.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(ev.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", f.arn)
		h.Set("Lambda-Runtime-Trace-Id", traceID(ev))
		_, _ = w.Write(ev.payload) // a process that is gone is noticed by its exit
	case <-r.Context().Done():
	}
}

// traceID makes an X-Ray trace header for an event that is not sampled.
func traceID(ev *event) string {
	hex := strings.ReplaceAll(ev.id, "-", "")
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", ev.deadline.Unix(), hex[:24], hex[:16])
}

func (f *Function) serveOutcome(w http.ResponseWriter, r *http.Request, failed bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, payloadLimit))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		// What Lambda tells the caller of a function whose answer is too large.
		body, failed = failure("Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (%d bytes).", payloadLimit).payload, true
	} else if err != nil {
		return
	}
	f.mu.Lock()
	ev := f.current
	known := ev != nil && ev.id == r.PathValue("id")
	if known {
		f.current = nil
	}
	f.mu.Unlock()
	if !known {
		reply(w, http.StatusBadRequest, FunctionError{Type: "InvalidRequestID", Message: "Invalid request ID"})
		return
	}
	ev.done <- outcome{body, failed}
	reply(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func (f *Function) serveInitError(w http.ResponseWriter, r *http.Request) {
	var failure FunctionError
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, payloadLimit)).Decode(&failure); err != nil {
		failure = FunctionError{Type: r.Header.Get("Lambda-Runtime-Function-Error-Type"), Message: "not JSON"}
	}
	select {
	case f.initFail <- failure:
	default: // only the first one counts
	}
	reply(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
