package runtimeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var echo string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "runtimeapi")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		echo = filepath.Join(dir, "bootstrap")
		build := exec.Command("go", "build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", echo, "./internal/echo")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build internal/echo: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func start(t *testing.T, cfg Config) *Function {
	t.Helper()
	cfg.Bootstrap = echo
	f, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func invoke(t *testing.T, f *Function, event string) Result {
	t.Helper()
	r, err := f.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCallsOneAfterTheOther(t *testing.T) {
	f := start(t, Config{})
	if f.InitDuration() <= 0 {
		t.Error("the time to start was not taken")
	}
	for i := range 20 {
		r := invoke(t, f, fmt.Sprintf(`{"name":"call %d"}`, i))
		if want := fmt.Sprintf(`{"echo":"call %d"}`, i); string(r.Payload) != want || r.FunctionError != nil {
			t.Fatalf("answer %s, error %v, want %s", r.Payload, r.FunctionError, want)
		}
		line, err := f.AwaitLog(t.Context(), r.RequestID)
		if err != nil || line != "handling "+r.RequestID {
			t.Fatalf("log line %q, %v", line, err)
		}
	}
}

func TestContext(t *testing.T) {
	f := start(t, Config{Name: "sof-hl-checkToken", Region: "eu-west-1", Timeout: 5 * time.Second})
	r := invoke(t, f, `{"do":"context"}`)
	var got struct {
		ID, Arn, Name, Trace string
		LeftMs               int64 `json:"left_ms"`
	}
	if err := json.Unmarshal(r.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != r.RequestID || got.Arn != "arn:aws:lambda:eu-west-1:123456789012:function:sof-hl-checkToken:live" ||
		got.Name != "sof-hl-checkToken" || !strings.HasPrefix(got.Trace, "Root=1-") {
		t.Errorf("got %+v", got)
	}
	if got.LeftMs <= 0 || got.LeftMs > 5000 {
		t.Errorf("%d ms left, want at most 5000", got.LeftMs)
	}
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	t.Setenv("AWS_PROFILE", "somebody")
	t.Setenv("AWS_REGION", "ap-south-1")
	f := start(t, Config{Env: map[string]string{"SECRET_ID": "SOF-HL", "TZ": "Etc/GMT-5"}})
	var got struct{ Env []string }
	if err := json.Unmarshal(invoke(t, f, `{"do":"env"}`).Payload, &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SECRET_ID=SOF-HL", "AWS_REGION=us-east-1", "_HANDLER=bootstrap", "TZ=Etc/GMT-5"} {
		if !slices.Contains(got.Env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, line := range got.Env {
		name, _, _ := strings.Cut(line, "=")
		if name == "HTTPS_PROXY" || name == "AWS_PROFILE" || name == "HOME" {
			t.Errorf("%s was inherited", name)
		}
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name, event string
		want        string // the error's type
		message     string
		alive       bool // the function goes on to serve
	}{
		{"an error is reported", `{"do":"fail"}`, "errorString", "no such patient", true},
		{"an event it cannot read", `[1]`, "UnmarshalTypeError", "cannot unmarshal", true},
		{"an answer over 6 MiB", `{"do":"large"}`, "Function.ResponseSizeTooLarge", "exceeded", true},
		{"the process ends", `{"do":"exit"}`, "Runtime.ExitError", "exit status 7", false},
		{"the process hangs", `{"do":"hang"}`, "Sandbox.Timedout", "timed out after 3.00 seconds", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := start(t, Config{Timeout: 3 * time.Second})
			r := invoke(t, f, test.event)
			if r.FunctionError == nil || r.FunctionError.Type != test.want ||
				!strings.Contains(r.FunctionError.Message, test.message) {
				t.Fatalf("error %+v, want %s with %q", r.FunctionError, test.want, test.message)
			}
			next, err := f.Invoke(t.Context(), []byte(`{"name":"next"}`))
			if alive := err == nil && string(next.Payload) == `{"echo":"next"}`; alive != test.alive {
				t.Errorf("the next call: %s, %v; want alive %t", next.Payload, err, test.alive)
			}
		})
	}
}

func TestEventOverLimit(t *testing.T) {
	f := start(t, Config{})
	if _, err := f.Invoke(t.Context(), make([]byte, 6<<20+1)); err == nil {
		t.Error("an event over 6 MiB was taken")
	}
}

func TestStartFails(t *testing.T) {
	_, err := Start(t.Context(), Config{Bootstrap: echo, Env: map[string]string{"DIE_AT_START": "1"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") ||
		!strings.Contains(err.Error(), "missing setting") {
		t.Errorf("error %v, want the exit status and the log", err)
	}
	if _, err := Start(t.Context(), Config{Bootstrap: filepath.Join(t.TempDir(), "bootstrap")}); err == nil {
		t.Error("a missing file was started")
	}
}

func TestFreezeAndThaw(t *testing.T) {
	f := start(t, Config{})
	invoke(t, f, `{"name":"before"}`)
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if r, err := f.Invoke(ctx, []byte(`{"name":"frozen"}`)); err == nil {
		t.Fatalf("a frozen function answered %s", r.Payload)
	}
	if err := f.Thaw(); err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, f, `{"name":"after"}`); string(r.Payload) != `{"echo":"after"}` {
		t.Errorf("answer after the thaw: %s", r.Payload)
	}
}

func TestStopEndsAFrozenProcess(t *testing.T) {
	f := start(t, Config{})
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if f.cmd.ProcessState == nil {
		t.Error("the process was not waited for")
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil {
		t.Error("a stopped function took an event")
	}
}
