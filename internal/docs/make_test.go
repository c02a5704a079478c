package docs

import (
	"os/exec"
	"strings"
	"testing"
)

// Words after preflight are its options: make takes those with hyphens for its own, unless a lone -- comes first.
func TestOptionsOfPreflight(t *testing.T) {
	for args, want := range map[string]string{
		"preflight":                             "bin/preflight",
		"preflight offline":                     "bin/preflight --offline",
		"preflight write trust-new-hosts":       "bin/preflight --write --trust-new-hosts",
		"preflight ENV=dev token-stdin":         "bin/preflight -c env=dev --token-stdin",
		"preflight -- --from-lambda --json":     "bin/preflight --from-lambda --json",
		"preflight offline ARGS=--json":         "bin/preflight --offline --json",
		"preflight offline ARGS=-c=prefix=mine": "bin/preflight --offline -c=prefix=mine",
	} {
		command := exec.Command("make", append([]string{"--dry-run"}, strings.Fields(args)...)...)
		command.Dir = root
		out, err := command.CombinedOutput()
		_, got, found := strings.Cut(strings.ReplaceAll(string(out), "  ", " "), "&& ")
		got, _, _ = strings.Cut(got, "\n")
		if got = strings.Join(strings.Fields(got), " "); err != nil || !found || got != want {
			t.Errorf("make %s: %v\n%s\nwant %s", args, err, out, want)
		}
	}
	command := exec.Command("make", "--dry-run", "offline")
	command.Dir = root
	if out, err := command.CombinedOutput(); err == nil {
		t.Errorf("make offline alone does something:\n%s", out)
	}
}
