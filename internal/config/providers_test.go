package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// The contexts that the documentation offers to copy hold nothing wrong. Preflight's tests show that they are complete.
func TestContextsOfTheProviderPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/providers/*.md")
	if err != nil || len(pages) < 8 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	contexts := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range jsonBlock.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(block[1], `"account"`) {
				continue
			}
			contexts++
			var context map[string]any
			if err := json.Unmarshal([]byte(block[1]), &context); err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			// The endpoints are preflight's to fill in.
			_, problems := Parse(context)
			for _, p := range problems {
				if p.Got != "nothing" && (!p.Warning || !strings.Contains(p.Want, "your own value")) {
					t.Errorf("%s: %s", page, p)
				}
			}
		}
	}
	if contexts < 7 {
		t.Errorf("%d contexts, want one a provider at least", contexts)
	}
}
