package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The test's own executable is the function, too.
func TestMain(m *testing.M) {
	if os.Getenv("DIE_AT_START") != "" {
		fmt.Fprintln(os.Stderr, "missing setting")
		os.Exit(3)
	}
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		lambda.Start(echo)
	}
	os.Exit(m.Run())
}

// echo does what the event says.
func echo(ctx context.Context, event struct{ Do string }) (map[string]any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	fmt.Println("handling " + lc.AwsRequestID)
	switch event.Do {
	case "fail":
		return nil, errors.New("no such patient")
	case "exit":
		os.Exit(7)
	case "hang":
		<-time.After(time.Minute)
	}
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"do": event.Do, "env": os.Environ(), "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn,
		"name": lambdacontext.FunctionName, "left_ms": time.Until(deadline).Milliseconds(),
	}, nil
}

func start(t *testing.T, cfg Config) *Function {
	t.Helper()
	var err error
	if cfg.Bootstrap, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
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

func TestCalls(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	t.Setenv("AWS_PROFILE", "somebody")
	t.Setenv("AWS_REGION", "ap-south-1")
	f := start(t, Config{Name: "sof-hl-checkToken", Region: "eu-west-1", Timeout: 5 * time.Second,
		Env: map[string]string{"SECRET_ID": "SOF-HL", "TZ": "Etc/GMT-5"}})
	for i := range 20 {
		r := invoke(t, f, fmt.Sprintf(`{"do":"call %d"}`, i))
		var got struct {
			Do, ID, Arn, Name string
			LeftMs            int64 `json:"left_ms"`
			Env               []string
		}
		if err := json.Unmarshal(r.Payload, &got); err != nil || got.Do != fmt.Sprintf("call %d", i) {
			t.Fatalf("response %s, %v", r.Payload, err)
		}
		if got.ID != r.RequestID || got.Arn != "arn:aws:lambda:eu-west-1:123456789012:function:sof-hl-checkToken:live" ||
			got.Name != "sof-hl-checkToken" || got.LeftMs <= 0 || got.LeftMs > 5000 {
			t.Errorf("got %+v", got)
		}
		for _, want := range []string{"SECRET_ID=SOF-HL", "AWS_REGION=eu-west-1", "_HANDLER=bootstrap", "TZ=Etc/GMT-5"} {
			if !slices.Contains(got.Env, want) {
				t.Errorf("%s is missing", want)
			}
		}
		for _, line := range got.Env {
			if name, _, _ := strings.Cut(line, "="); name == "HTTPS_PROXY" || name == "AWS_PROFILE" || name == "HOME" {
				t.Errorf("%s was inherited", name)
			}
		}
		if line, err := f.AwaitLog(t.Context(), r.RequestID); err != nil || line != "handling "+r.RequestID {
			t.Fatalf("log line %q, %v", line, err)
		}
	}
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		event         string
		kind, message string // of the error
		alive         bool   // the function goes on to serve
	}{
		{`{"do":"fail"}`, "errorString", "no such patient", true},
		{`[1]`, "UnmarshalTypeError", "cannot unmarshal", true},
		{`{"do":"exit"}`, "Runtime.ExitError", "exit status 7", false},
		{`{"do":"hang"}`, "Sandbox.Timedout", "timed out after 1.00 seconds", false},
	} {
		t.Run(test.event, func(t *testing.T) {
			f := start(t, Config{Timeout: time.Second})
			r := invoke(t, f, test.event)
			if r.FunctionError == nil || r.FunctionError.Type != test.kind ||
				!strings.Contains(r.FunctionError.Message, test.message) {
				t.Fatalf("error %+v, want %s with %q", r.FunctionError, test.kind, test.message)
			}
			next, err := f.Invoke(t.Context(), []byte(`{}`))
			if alive := err == nil && next.FunctionError == nil; alive != test.alive {
				t.Errorf("the next call: %s, %v; want alive %t", next.Payload, err, test.alive)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	bootstrap, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Config{Bootstrap: bootstrap, Env: map[string]string{"DIE_AT_START": "1"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "missing setting") {
		t.Errorf("error %v, want the exit status and the log", err)
	}
	if _, err := Start(t.Context(), Config{Bootstrap: filepath.Join(t.TempDir(), "bootstrap")}); err == nil {
		t.Error("a missing file was started")
	}
}

// A directory stands in for a control group: its cgroup.procs gets the id of the process that becomes the function.
func TestCgroupAndOutput(t *testing.T) {
	dir := t.TempDir()
	var output bytes.Buffer
	f := start(t, Config{Cgroup: dir, Output: &output})
	r := invoke(t, f, `{"do":"it"}`)
	joined, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil || strings.TrimSpace(string(joined)) != strconv.Itoa(f.Pid()) {
		t.Errorf("%q joined, %v; want %d", joined, err, f.Pid())
	}
	if err := f.Stop(); err != nil { // then all that it wrote has arrived
		t.Fatal(err)
	}
	if !strings.Contains(output.String(), "handling "+r.RequestID) || len(f.Logs()) > 0 {
		t.Errorf("output %q, logs %q", &output, f.Logs())
	}
}

func TestFreeze(t *testing.T) {
	f := start(t, Config{})
	invoke(t, f, `{}`)
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if r, err := f.Invoke(ctx, []byte(`{}`)); err == nil {
		t.Fatalf("a frozen function responded with %s", r.Payload)
	}
	if err := f.Thaw(); err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, f, `{"do":"after"}`); !strings.Contains(string(r.Payload), `"do":"after"`) {
		t.Errorf("response after the thaw: %s", r.Payload)
	}
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil {
		t.Error("a stopped function took an event")
	}
}
