// Package runtimeapi runs a Lambda function on this machine as Lambda does: it serves the Lambda Runtime API on loopback,
// starts the function's bootstrap with the environment that Lambda would give it, sends it one event at a time and
// receives its responses.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
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

// initLimit is how long Lambda waits for a process to ask for its first event.
const initLimit = 10 * time.Second

// Config says what to run. Only Bootstrap is required.
type Config struct {
	Bootstrap  string        // path of the function's executable
	Name       string        // "function" where empty
	Region     string        // us-east-1 where empty
	MemorySize int           // MiB, 512 where zero; the function sees it, nothing enforces it
	Timeout    time.Duration // for one event, 10 s where zero; then the process is killed
	// Env is added to the variables that Lambda sets, and wins over them. Nothing is inherited from this process.
	Env map[string]string
	// Cgroup is the directory of a control group, which the process is in before it runs its own code. "" is none.
	Cgroup string
	// Output gets what the process writes to stdout and stderr. Nil: Logs keeps it.
	Output io.Writer
}

// Function is a running function. Its methods may be called from several goroutines; it works on one event at a time.
type Function struct {
	cfg      Config
	api      *httptest.Server
	cmd      *exec.Cmd
	initTime time.Duration

	invoking sync.Mutex
	events   chan *event
	ready    chan struct{} // has a value once the process has asked for its first event
	exited   chan struct{} // closed when the process has ended

	mu      sync.Mutex
	current *event
	lines   []string
	partial []byte // of the line that the process has not finished
}

type event struct {
	id       string
	payload  []byte
	deadline time.Time
	done     chan Result
}

// FunctionError is what a function reports in place of a response, in the form that Lambda passes on to the caller.
type FunctionError struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// Result is the end of one call.
type Result struct {
	// Payload is the function's response, or its error as JSON.
	Payload []byte
	// FunctionError is nil if the function responded. The runtime itself reports the types Sandbox.Timedout and
	// Runtime.ExitError.
	FunctionError *FunctionError
	// RequestID is the call's id, which the function sees too.
	RequestID string
	// Duration is the time from Invoke to the response: what a caller beside the function would have waited.
	Duration time.Duration
}

// Start starts the function and returns when it has asked for its first event. A process that ends before is an error,
// which contains the end of the process's log.
func Start(ctx context.Context, cfg Config) (*Function, error) {
	cfg.Name = cmp.Or(cfg.Name, "function")
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	cfg.MemorySize = cmp.Or(cfg.MemorySize, 512)
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	bootstrap, err := filepath.Abs(cfg.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("runtimeapi: %w", err)
	}
	f := &Function{
		cfg:    cfg,
		cmd:    command(bootstrap, cfg.Cgroup),
		events: make(chan *event),
		ready:  make(chan struct{}, 1),
		exited: make(chan struct{}),
	}
	f.api = httptest.NewServer(f.handler())
	f.cmd.Dir = filepath.Dir(bootstrap)
	f.cmd.Env = f.environment()
	f.cmd.Stdout = cfg.Output
	if cfg.Output == nil {
		f.cmd.Stdout = (*logWriter)(f)
	}
	f.cmd.Stderr = f.cmd.Stdout // the same writer: the order is kept
	begin := time.Now()
	if err := f.cmd.Start(); err != nil {
		f.api.Close()
		return nil, fmt.Errorf("runtimeapi: start the function: %w", err)
	}
	go func() {
		_ = f.cmd.Wait() // ProcessState says how it ended
		close(f.exited)
	}()
	select {
	case <-f.ready:
		f.initTime = time.Since(begin)
		return f, nil
	case <-f.exited:
		err = fmt.Errorf("the function ended (%s) before it asked for an event", f.cmd.ProcessState)
	case <-time.After(initLimit):
		err = fmt.Errorf("the function did not ask for an event within %s", initLimit)
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = f.Stop()
	log := f.Logs()
	return nil, fmt.Errorf("runtimeapi: %w; its log ends:\n%s", err, strings.Join(log[max(0, len(log)-10):], "\n"))
}

// command runs an executable, in a control group if one is given. The shell joins it, and the executable takes the shell's place.
func command(path, cgroup string) *exec.Cmd {
	if cgroup == "" {
		return exec.Command(path)
	}
	return exec.Command("/bin/sh", "-c", `echo $$ >"$1/cgroup.procs" && exec "$2"`, "sh", cgroup, path)
}

// environment is what Lambda sets for an OS-only runtime, and the function's own variables.
func (f *Function) environment() []string {
	env := map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          f.api.Listener.Addr().String(),
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
	maps.Copy(env, f.cfg.Env)
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// InitDuration is the time from the process's start to its first request for an event.
func (f *Function) InitDuration() time.Duration { return f.initTime }

// Pid is the process id of the function.
func (f *Function) Pid() int { return f.cmd.Process.Pid }

// Invoke sends one event to the function and waits for its response. An error that the function reports, its death and its
// timeout are results with a FunctionError; Invoke's own error means that there was no call: the process has ended, or ctx
// is done.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	f.invoking.Lock()
	defer f.invoking.Unlock()
	begin := time.Now()
	ev := &event{
		id:       uuid.NewString(),
		payload:  payload,
		deadline: begin.Add(f.cfg.Timeout),
		done:     make(chan Result, 1), // a response that comes too late does not block its handler
	}
	result, err := f.wait(ctx, ev)
	result.RequestID, result.Duration = ev.id, time.Since(begin)
	return result, err
}

func (f *Function) wait(ctx context.Context, ev *event) (Result, error) {
	timeout := time.NewTimer(f.cfg.Timeout)
	defer timeout.Stop()
	events := f.events
	for {
		select {
		case events <- ev:
			events = nil // it is sent once
		case result := <-ev.done:
			return result, nil
		case <-f.exited:
			if events != nil {
				return Result{}, fmt.Errorf("runtimeapi: the function has ended (%s)", f.cmd.ProcessState)
			}
			select {
			case result := <-ev.done: // it responded before it ended
				return result, nil
			default:
				return failure("Runtime.ExitError", "Runtime exited with error: "+f.cmd.ProcessState.String()), nil
			}
		case <-timeout.C:
			_ = f.kill() // as Lambda does
			return failure("Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", f.cfg.Timeout.Seconds())), nil
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
}

func failure(kind, message string) Result {
	failed := &FunctionError{Type: kind, Message: message}
	payload, err := json.Marshal(failed)
	if err != nil {
		panic(err) // two strings always marshal
	}
	return Result{Payload: payload, FunctionError: failed}
}

// Freeze stops the process without ending it, as Lambda does between two events. Time goes on meanwhile: connections are
// closed by their other ends, deadlines pass.
func (f *Function) Freeze() error {
	err := f.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(5 * time.Millisecond) // its threads stop a moment after the signal is sent
	return err
}

// Thaw lets a frozen process go on.
func (f *Function) Thaw() error { return f.cmd.Process.Signal(syscall.SIGCONT) }

// Stop kills the process, waits for its end and closes the Runtime API. It may be called more than once.
func (f *Function) Stop() error {
	err := f.kill()
	f.api.Close()
	return err
}

// kill uses SIGKILL, which ends a frozen process too; Lambda gives a function without extensions no other signal.
func (f *Function) kill() error {
	if err := f.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("runtimeapi: stop the function: %w", err)
	}
	<-f.exited
	return nil
}

// Logs returns the lines that the process has written to stdout and stderr so far. Config.Output takes them away.
func (f *Function) Logs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

// AwaitLog returns the first line that contains part, and waits for it until ctx is done: a line may arrive a moment after
// the response of the call that wrote it.
func (f *Function) AwaitLog(ctx context.Context, part string) (string, error) {
	for {
		lines := f.Logs()
		if i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, part) }); i >= 0 {
			return lines[i], nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("runtimeapi: no log line contains %q: %w", part, ctx.Err())
		}
	}
}

// logWriter cuts the process's output into lines.
type logWriter Function

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.lines, w.partial = append(w.lines, string(line)), rest
	}
}

func (f *Function) handler() http.Handler {
	const invocation = "/2018-06-01/runtime/invocation/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+invocation+"next", f.serveNext)
	mux.HandleFunc("POST "+invocation+"{id}/response", func(w http.ResponseWriter, r *http.Request) {
		f.serveResult(w, r, func(body []byte) Result { return Result{Payload: body} })
	})
	mux.HandleFunc("POST "+invocation+"{id}/error", func(w http.ResponseWriter, r *http.Request) {
		f.serveResult(w, r, func(body []byte) Result {
			var failed FunctionError
			if err := json.Unmarshal(body, &failed); err != nil {
				return failure("Runtime.Unknown", "the function's error is not JSON")
			}
			return Result{Payload: body, FunctionError: &failed}
		})
	})
	return mux
}

func (f *Function) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case f.ready <- struct{}{}:
	default:
	}
	select {
	case ev := <-f.events:
		f.mu.Lock()
		f.current = ev
		f.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", ev.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(ev.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn",
			fmt.Sprintf("arn:aws:lambda:%s:123456789012:function:%s:live", f.cfg.Region, f.cfg.Name))
		_, _ = w.Write(ev.payload) // a process that is gone is noticed by its exit
	case <-r.Context().Done():
	}
}

func (f *Function) serveResult(w http.ResponseWriter, r *http.Request, result func(body []byte) Result) {
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	ev := f.current
	f.mu.Unlock()
	if err != nil || ev == nil || ev.id != r.PathValue("id") {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	select {
	case ev.done <- result(body):
	default: // a second response to one event is ignored
	}
	w.WriteHeader(http.StatusAccepted)
}
