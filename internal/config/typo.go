package config

import (
	"maps"
	"slices"
	"strings"
)

// typos reports, in alphabetical order, the keys of the context that are not known but look like a typo of a known one.
// Other unknown keys are left alone: the CDK keeps feature flags and cached look-ups in the context.
func (p *parser) typos() {
	for _, name := range slices.Sorted(maps.Keys(p.context)) {
		if _, known := position[name]; known {
			continue
		}
		if meant, ok := nearest(name); ok {
			p.report(meant, Problem{Key: name, Got: UnknownKey, Want: meant})
		}
	}
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

// nearest is the key, in its documented spelling, that name is a typo of.
func nearest(name string) (string, bool) {
	for _, same := range []func(a, b string) bool{strings.EqualFold, oneEdit} {
		for _, k := range keys {
			for _, s := range k.spellings() {
				if same(name, s) {
					return k.name, true
				}
			}
		}
	}
	return "", false
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
