package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asApp makes the test binary be the app, the way the CDK command line starts it.
const asApp = "TEST_RUN_APP"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
	}
	os.Exit(m.Run())
}

// run starts the app with the sample context and some changes to it.
func run(t *testing.T, changes map[string]any) (status int, stderr, outdir string) {
	t.Helper()
	sample, err := os.ReadFile("cdk.context.json")
	if err != nil {
		t.Fatal(err)
	}
	context := map[string]any{}
	if err := json.Unmarshal(sample, &context); err != nil {
		t.Fatal(err)
	}
	maps.Copy(context, changes)
	context["aws:cdk:bundling-stacks"] = []string{} // the function need not be compiled for this
	encoded, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}

	outdir = t.TempDir()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asApp+"=1", "CDK_CONTEXT_JSON="+string(encoded), "CDK_OUTDIR="+outdir)
	var out strings.Builder
	command.Stderr = &out
	if err := command.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		status = exit.ExitCode()
	}
	return status, out.String(), outdir
}

func TestSampleSynthesizes(t *testing.T) {
	status, stderr, outdir := run(t, nil)
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, stderr)
	}
	templates, err := filepath.Glob(filepath.Join(outdir, "*.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(templates) != 4 {
		t.Errorf("got templates %v, want 4", templates)
	}
	if !strings.Contains(stderr, "placeholder") {
		t.Errorf("no warning about the sample's values:\n%s", stderr)
	}
}

func TestMistakesAreReportedTogether(t *testing.T) {
	status, stderr, outdir := run(t, map[string]any{
		"account":       "12345",
		"authEndpiont":  "https://idp.example/",
		"lambdaTimeout": 7, // no key of this deployment, and not near one
		"preloadData":   "maybe",
		"srvAPIKey":     []any{"hidden-value"},
	})
	if status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	for _, want := range []string{
		`"12345"`, "unknown key authEndpiont, did you mean authEndpoint?", "preloadData", "srvAPIKey",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %s in\n%s", want, stderr)
		}
	}
	for _, trace := range []string{"goroutine", "panic", ".go:", ".js:", "    at ", "hidden-value"} {
		if strings.Contains(stderr, trace) {
			t.Errorf("%q in\n%s", trace, stderr)
		}
	}
	if templates, _ := filepath.Glob(filepath.Join(outdir, "*.template.json")); len(templates) != 0 {
		t.Errorf("synthesized %v all the same", templates)
	}
}
