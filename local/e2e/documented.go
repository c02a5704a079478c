package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// documents are those whose commands are meant to be typed, in the order in which somebody reads them.
var documents = []string{
	"README.md", "CONTRIBUTING.md", "docs/preflight.md", "docs/operations.md", "docs/security.md", "docs/upgrading.md",
	"docs/providers/README.md", "docs/providers/cognito.md",
}

// fenced is a block between fences, with its language.
var fenced = regexp.MustCompile(`(?ms)^ *` + "```" + `(\w*)\n(.*?)^ *` + "```" + `$`)

// program is how a line begins that is a command, and not a program's output.
var program = regexp.MustCompile(`^(?:[A-Z_]+=\S* )*(?:aws|curl|echo|go|make|npm|npx|python3|sed) `)

// comment is what follows a command on its line.
var comment = regexp.MustCompile(`\s{2,}# .*$`)

// continued is where a command goes on on the next line.
var continued = regexp.MustCompile(`\\\n\s*`)

// shown is where the documents show a command first.
type shown struct{ document, block string }

// documented are the commands that the documents show.
func documented(root string) (map[string]shown, error) {
	found := map[string]shown{}
	for _, name := range documents {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, fmt.Errorf("documents: %w", err)
		}
		for _, block := range blocks(string(text)) {
			for _, command := range commands(block) {
				if _, ok := found[command]; !ok {
					found[command] = shown{name, block}
				}
			}
		}
	}
	return found, nil
}

// blocks are a document's fenced blocks without a language: commands stand in such.
func blocks(document string) (all []string) {
	for _, match := range fenced.FindAllStringSubmatch(document, -1) {
		if match[1] == "" {
			all = append(all, match[2])
		}
	}
	return all
}

// commands are those of a block, without comments, each on one line.
func commands(block string) (all []string) {
	for line := range strings.Lines(continued.ReplaceAllString(block, "")) {
		line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""))
		if program.MatchString(line) {
			all = append(all, line)
		}
	}
	return all
}
