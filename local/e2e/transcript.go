package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// transcript is what was typed and what came of it.
type transcript []scene

type scene struct {
	section, about, command, output string
	status                          int
	last                            int // of the output's lines are shown; 0 for all
}

// markdown is docs/commands.md. Not every output is the same at the next run: ids, ports and times differ.
func (t transcript) markdown(versions [][2]string, untried map[string]string) []byte {
	var b strings.Builder
	b.WriteString("# Every command, and what it prints\n\n" +
		"Written by `make commands`, not by hand. Each command in the documents' code blocks was typed into a shell, in this\n" +
		"order, in a new copy of the project. The provider is ORY Hydra and AWS a local one, both on the same machine: hence addresses\n" +
		"of 127.0.0.1 and plain http, which preflight warns of, and a datastore that is there at once. `make e2e` types them too.\n\n" +
		"| part | version |\n| --- | --- |\n")
	for _, v := range versions {
		fmt.Fprintf(&b, "| %s | %s |\n", v[0], v[1])
	}
	section := ""
	for _, s := range t {
		if s.section != section {
			section = s.section
			fmt.Fprintf(&b, "\n## %s\n", section)
		}
		fmt.Fprintf(&b, "\n%s\n\n```console\n$ %s\n%s```\n", s.about, s.command, s.shown())
	}
	b.WriteString("\n## Not tried\n\n| command | why |\n| --- | --- |\n")
	for _, command := range slices.Sorted(maps.Keys(untried)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", command, untried[command])
	}
	return []byte(b.String())
}

// shown is the output, or the end of it, and the status if it says that the command failed.
func (s scene) shown() string {
	lines := strings.Split(strings.TrimRight(s.output, "\n"), "\n")
	if rest := len(lines) - s.last; s.last > 0 && rest > 0 {
		lines = append([]string{fmt.Sprintf("… %d lines", rest)}, lines[rest:]...)
	}
	if s.status != 0 {
		lines = append(lines, fmt.Sprintf("(exit status %d)", s.status))
	}
	if text := strings.TrimLeft(strings.Join(lines, "\n"), "\n"); text != "" {
		return text + "\n"
	}
	return ""
}
