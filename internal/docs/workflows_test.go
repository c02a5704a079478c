package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every target of make that a workflow runs is there, and every action is pinned to a commit.
func TestWorkflows(t *testing.T) {
	makefile := read(t, filepath.Join(root, "Makefile"))
	workflows, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(workflows) < 2 {
		t.Fatalf("workflows %v, %v", workflows, err)
	}
	targets := 0
	for _, path := range workflows {
		text := read(t, path)
		for _, match := range regexp.MustCompile(`\bmake ([a-z0-9 -]+)`).FindAllStringSubmatch(text, -1) {
			for _, target := range strings.Fields(match[1]) {
				targets++
				if !strings.Contains(makefile, "\n"+target+":") {
					t.Errorf("%s: no target %s", path, target)
				}
			}
		}
		for _, match := range regexp.MustCompile(`uses: *(\S+)`).FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(match[1]) {
				t.Errorf("%s: %s is not pinned to a commit", path, match[1])
			}
		}
	}
	if targets < 5 {
		t.Errorf("only %d targets found", targets)
	}
}
