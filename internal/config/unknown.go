package config

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// unknown reports, in alphabetical order, the keys of the context that are neither ours nor the CDK's.
func (p *parser) unknown() {
	for _, name := range slices.Sorted(maps.Keys(p.context)) {
		if _, known := position[name]; known || p.context[name] == nil || isCDKs(name) {
			continue
		}
		meant := nearest(name)
		problem := Problem{Key: name, Got: UnknownKey, Want: "all keys are in docs/reference/configuration.md"}
		place := len(keys)
		if len(meant) > 0 {
			problem.Want, place = "did you mean "+alternatives(meant)+"?", position[meant[0]]
		}
		p.found = append(p.found, finding{problem, place})
	}
}

// isCDKs tells whether the CDK itself, or its command line, puts a key of this name into the context: feature flags and
// settings (with a namespace), cached look-ups (<provider>:account=…, <provider>:region=…), answers that it keeps.
func isCDKs(name string) bool {
	if strings.HasPrefix(name, "@") {
		return strings.Contains(name, "/")
	}
	namespace, rest, ok := strings.Cut(name, ":")
	return ok && (namespace == "aws" || namespace == "aws-cdk" || strings.Contains(rest, "=")) ||
		name == "acknowledged-issue-numbers" || name == "cli-telemetry"
}

// position is each accepted spelling's place in the table.
var position = func() map[string]int {
	m := map[string]int{}
	for i, k := range keys {
		for _, s := range k.spellings() {
			m[s] = i
		}
	}
	return m
}()

// nearest are the keys, in their documented spelling and in the tables' order, that name may stand for: the one that it is a
// typo of, else all that have the most words in common with it.
func nearest(name string) (names []string) {
	for _, same := range []func(a, b string) bool{strings.EqualFold, oneEdit} {
		for _, k := range keys {
			for _, s := range k.spellings() {
				if same(name, s) {
					return []string{k.name}
				}
			}
		}
	}
	most := 1
	for _, k := range keys {
		switch n := common(words(name), words(k.name)); {
		case n > most:
			most, names = n, []string{k.name}
		case n == most:
			names = append(names, k.name)
		}
	}
	return names
}

// words are the words of a name in camelCase, snake_case or kebab-case, in small letters and without the s of a plural.
func words(name string) (list []string) {
	word := ""
	flush := func() {
		if len(word) > 1 {
			list = append(list, strings.TrimSuffix(strings.ToLower(word), "s"))
		}
		word = ""
	}
	upper := false
	for _, r := range name {
		if !unicode.IsLetter(r) || unicode.IsUpper(r) && !upper {
			flush()
		}
		if unicode.IsLetter(r) {
			word += string(r)
		}
		upper = unicode.IsUpper(r)
	}
	flush()
	return list
}

// common is how many words of a are in b.
func common(a, b []string) (n int) {
	for _, word := range a {
		if slices.Contains(b, word) {
			n++
		}
	}
	return n
}

// alternatives joins names for a question.
func alternatives(names []string) string {
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return names[0]
}

// oneEdit reports whether a becomes b by inserting, leaving out or replacing one character, or by swapping two
// neighbours: whether their Damerau-Levenshtein distance is 1.
func oneEdit(a, b string) bool {
	ra, rb := []rune(a), []rune(b)
	for len(ra) > 0 && len(rb) > 0 && ra[0] == rb[0] {
		ra, rb = ra[1:], rb[1:]
	}
	for len(ra) > 0 && len(rb) > 0 && ra[len(ra)-1] == rb[len(rb)-1] {
		ra, rb = ra[:len(ra)-1], rb[:len(rb)-1]
	}
	switch {
	case len(ra) <= 1 && len(rb) <= 1:
		return len(ra)+len(rb) > 0
	case len(ra) == 2 && len(rb) == 2:
		return ra[0] == rb[1] && ra[1] == rb[0]
	}
	return false
}
