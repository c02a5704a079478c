// Package scopes reads SMART scopes for FHIR resources: v1 such as patient/Observation.read, v2 such as
// patient/Observation.rs, and v2.2 such as patient/Observation.rs?category=laboratory (SMART App Launch 2.2, "Scopes for
// requesting FHIR Resources"). It reads strictly: what it cannot read grants nothing.
package scopes

import "strings"

// Level is whose data a scope is about.
type Level string

// The levels.
const (
	Patient Level = "patient" // one patient's
	User    Level = "user"    // what the user may see
	System  Level = "system"  // a backend service's, without a user
)

// Permissions is a set of interactions.
type Permissions uint8

// The interactions, in the order in which a scope must name them.
const (
	Create Permissions = 1 << iota
	Read
	Update
	Delete
	Search
)

// Write is every interaction that changes a record.
const Write = Create | Update | Delete

// Scope is one scope for FHIR resources.
type Scope struct {
	Level       Level
	Resource    string // a type such as Observation, or * for every type
	Permissions Permissions
	V2          bool // written in v2's grammar
	Filtered    bool // has search parameters (v2.2)
}

// v1 has the permissions by v1's words.
var v1 = map[string]Permissions{"read": Read | Search, "write": Write, "*": Read | Search | Write}

// Parse reads one scope. ok is false for every other scope, such as openid or launch/patient, and for what is not written as
// the grammar has it. A filter is not allowed on a wildcard (HealthLake developer guide, SMART on FHIR scopes).
func Parse(text string) (scope Scope, ok bool) {
	level, rest, _ := strings.Cut(text, "/")
	resource, permissions, _ := strings.Cut(rest, ".")
	permissions, filter, filtered := strings.Cut(permissions, "?")
	scope = Scope{Level: Level(level), Resource: resource, Filtered: filtered}
	switch scope.Level {
	case Patient, User, System:
	default:
		return Scope{}, false
	}
	if resource != "*" && !isType(resource) || filtered && (resource == "*" || !isFilter(filter)) {
		return Scope{}, false
	}
	if p, ok := v1[permissions]; ok && !filtered {
		scope.Permissions = p
		return scope, true
	}
	scope.V2 = true
	scope.Permissions, ok = parseV2(permissions)
	if !ok {
		return Scope{}, false
	}
	return scope, true
}

// All returns the FHIR resource scopes of a scope claim, whose words are separated by spaces (RFC 6749 section 3.3).
func All(claim string) []Scope {
	var all []Scope
	for word := range strings.SplitSeq(claim, " ") {
		if scope, ok := Parse(word); ok {
			all = append(all, scope)
		}
	}
	return all
}

// parseV2 reads any of c, r, u, d and s, at least one, each once, in this order.
func parseV2(text string) (Permissions, bool) {
	const letters = "cruds"
	var set Permissions
	next := 0
	for _, letter := range text {
		i := strings.IndexRune(letters[next:], letter)
		if i < 0 {
			return 0, false
		}
		set |= 1 << (next + i)
		next += i + 1
	}
	return set, set != 0
}

// isType tells whether a text may name a FHIR resource type: letters, the first a capital.
func isType(text string) bool {
	for i, r := range text {
		if (r < 'A' || r > 'Z') && (i == 0 || r < 'a' || r > 'z') {
			return false
		}
	}
	return text != ""
}

// isFilter tells whether a text is one or more search parameters with values, in the characters of a scope (RFC 6749
// section 3.3).
func isFilter(text string) bool {
	for parameter := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if name == "" || value == "" {
			return false
		}
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}
