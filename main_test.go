package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
	// The CDK's own rules for templates would take most of the time; the tests of the stacks have them checked.
	command.Env = append(os.Environ(), asApp+"=1", "CDK_CONTEXT_JSON="+string(encoded), "CDK_OUTDIR="+outdir, "CDK_VALIDATION=false")
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

// A literal is in the assembly, as the warning says. A reference is there in the place of its value. What comes at
// deploy time is nowhere, though it is in the environment of whoever synthesizes.
func TestWhereCredentialsAre(t *testing.T) {
	const clientSecret, apiKey = "hunter-2-client", "hunter-2-key"
	t.Setenv("CLIENT_SECRET", clientSecret)
	t.Setenv("SRV_API_KEY", apiKey)
	const reference = "{{resolve:secretsmanager:idp:SecretString:client_secret}}"
	for _, test := range []struct {
		name    string
		changes map[string]any
		found   []string // the files that hold the values
		says    string   // among the warnings
	}{
		{"literal", map[string]any{"clientSecret": clientSecret, "srvAPIKey": apiKey},
			[]string{"sof-hl-Secret.template.json", "tree.json"}, "leave it out and run make deploy with CLIENT_SECRET"},
		{"reference", map[string]any{"clientSecret": reference, "srvAPIKey": reference}, nil, ""},
		{"empty", map[string]any{"clientSecret": "", "srvAPIKey": ""}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stderr, outdir := run(t, test.changes)
			if status != 0 {
				t.Fatalf("exit status %d:\n%s", status, stderr)
			}
			if strings.Contains(stderr, "hunter") {
				t.Errorf("a value is in\n%s", stderr)
			}
			if warned := strings.Contains(stderr, "clientSecret"); warned != (test.says != "") ||
				!strings.Contains(stderr, test.says) {
				t.Errorf("warnings:\n%s", stderr)
			}
			for _, value := range []string{clientSecret, apiKey} {
				if found := filesWith(t, outdir, value); !slices.Equal(found, test.found) {
					t.Errorf("a value is in %q, want it in %q", found, test.found)
				}
			}
			if got := len(filesWith(t, outdir, reference)); (got > 0) != (test.name == "reference") {
				t.Errorf("the reference is in %d files", got)
			}
		})
	}
}

// filesWith are the files below dir that contain text, by their names.
func filesWith(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), text) {
			names = append(names, entry.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The tests that docs/security.md names as evidence exist.
func TestEvidenceExists(t *testing.T) {
	document, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, dir := range []string{".", "cmd", "internal", "lambda", "local", "stacks"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || (entry.IsDir() && dir == "." && path != ".") {
				return cmp.Or(err, fs.SkipDir)
			}
			if !strings.HasSuffix(path, "_test.go") {
				return nil
			}
			content, err := os.ReadFile(path)
			tests.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z]*)`").FindAllStringSubmatch(string(document), -1)
	if len(names) == 0 {
		t.Error("no test is named")
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") {
			t.Errorf("no %s anywhere", name[1])
		}
	}
}

// What go.mod names is what is built.
func TestNothingIsReplaced(t *testing.T) {
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^\s*replace\b`).Match(module) {
		t.Error("go.mod replaces a module")
	}
}
