// Package docs checks the documents of the repository.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]+`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	// notInSlug is what GitHub leaves out of a heading's anchor.
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	ownPath   = regexp.MustCompile("`((?:cmd|events|internal|lambda|local|stacks)/[\\w./-]*)`")
	mention   = regexp.MustCompile(`\bdocs/[\w/-]+\.md\b`)
)

// Every relative link of a document leads to a file, and its fragment to a heading of that file.
func TestLinks(t *testing.T) {
	for _, page := range files(t, func(name string) bool { return strings.HasSuffix(name, ".md") }) {
		text := code.ReplaceAllString(fence.ReplaceAllString(read(t, page), ""), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], ":") { // https://, mailto:
				continue
			}
			path, fragment, _ := strings.Cut(match[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: no such file: %s", page, match[1])
			} else if fragment != "" && !slices.Contains(anchors(read(t, target)), fragment) {
				t.Errorf("%s: no such heading: %s", page, match[1])
			}
		}
	}
}

// Every path that a document names is there.
func TestPaths(t *testing.T) {
	for _, page := range files(t, func(name string) bool { return strings.HasSuffix(name, ".md") }) {
		for _, match := range ownPath.FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("%s: no such file: %s", page, match[1])
			}
		}
	}
}

// Every page that code, a message or a script names is there.
func TestMentions(t *testing.T) {
	extensions := []string{".go", ".py", ".js", ".tmpl", ""} // Makefile and .ci/run have none
	for _, file := range files(t, func(name string) bool { return slices.Contains(extensions, filepath.Ext(name)) }) {
		for _, page := range mention.FindAllString(read(t, file), -1) {
			if _, err := os.Stat(filepath.Join(root, page)); err != nil {
				t.Errorf("%s names %s, which does not exist", file, page)
			}
		}
	}
}

// anchors are the fragments that GitHub gives a document's headings.
func anchors(text string) (all []string) {
	seen := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")
		seen[slug]++
		if n := seen[slug]; n > 1 {
			slug = fmt.Sprintf("%s-%d", slug, n-1)
		}
		all = append(all, slug)
	}
	return all
}

// files are the repository's own files whose names are wanted, but not what tools write.
func files(t *testing.T, wanted func(name string) bool) (found []string) {
	t.Helper()
	written := []string{".git", "node_modules", "cdk.out", "bin", ".cache"}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(written, entry.Name()):
			if entry.IsDir() {
				return filepath.SkipDir
			}
		case entry.Type().IsRegular() && wanted(entry.Name()):
			found = append(found, path)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("%d files, %v", len(found), err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
