package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Parse reads a whole CDK context, which also holds feature flags, cached look-ups and the like. It reports every problem,
// in the order of the key tables, so that the same context always gives the same problems. If one of them is an error (see
// HasErrors), the Config is the zero value. others are further deployments, whose names this one must not use.
func Parse(context map[string]any, others ...Environment) (Config, []Problem) {
	p := parser{context: context, broken: map[string]bool{}}
	for _, k := range keys {
		p.read(k)
	}
	for _, r := range rules {
		if !p.anyBroken(r.reads) {
			for _, problem := range r.check(p.config) {
				p.report(problem.Key, problem)
			}
		}
	}
	p.shared(others)
	p.unknown()

	slices.SortStableFunc(p.found, func(a, b finding) int { return cmp.Compare(a.position, b.position) })
	var problems []Problem
	for _, f := range p.found {
		problems = append(problems, f.Problem)
	}
	if HasErrors(problems) {
		return Config{}, problems
	}
	return p.config, problems
}

// parser holds what Parse has read so far.
type parser struct {
	context map[string]any
	config  Config
	broken  map[string]bool // names of keys without a valid value
	found   []finding
}

// finding is a problem, and the position of its key in the tables.
type finding struct {
	Problem
	position int
}

// report records a problem of a known key, given in any spelling.
func (p *parser) report(spelling string, problem Problem) {
	p.found = append(p.found, finding{problem, position[spelling]})
}

// read takes one key's value from the context, or its default. A JSON null counts as no key, as in the CDK itself.
func (p *parser) read(k key) {
	var present []string
	for _, s := range k.spellings() {
		if p.context[s] != nil {
			present = append(present, s)
		}
	}
	if len(present) == 0 {
		p.useDefault(k)
		return
	}
	if len(present) > 1 {
		p.broken[k.name] = true
		p.report(k.name, Problem{Key: k.name, Got: "both " + strings.Join(present, " and "),
			Want: "one of the two spellings"})
	}
	for _, s := range present {
		p.use(k, s, p.context[s])
	}
}

func (p *parser) useDefault(k key) {
	v := k.byDefault.of(p.config)
	if v == nil {
		p.broken[k.name] = true
		p.report(k.name, Problem{Key: k.name, Got: "nothing", Want: k.value.want})
		return
	}
	// A default that fails its check is either derived from a key with a problem, which has been reported, or empty; the
	// field then stays empty.
	k.value.set(&p.config, v)
}

// use checks and stores what the context holds under one of k's spellings.
func (p *parser) use(k key, spelling string, raw any) {
	display := show
	if k.secret != "" {
		display = hide
	} else if contains(raw, isReference) {
		p.broken[k.name] = true
		p.report(k.name, Problem{Key: spelling, Got: display(raw), Want: "no {{, which begins a dynamic reference of CloudFormation"})
		return
	}
	if fault, ok := k.value.set(&p.config, raw); !ok {
		p.broken[k.name] = true
		problem := Problem{Key: spelling, Want: k.value.want}
		if inner, ok := fault.(part); ok {
			problem.Got, problem.Want = inner.got, inner.want
		} else {
			problem.Got = display(fault)
		}
		p.report(k.name, problem)
		return
	}
	s, _ := toDigits(raw)
	var want []string
	if contains(raw, isPlaceholder) {
		want = append(want, "your own value: this is a placeholder")
	}
	if k.secret != "" && s != "" && !reference.ok(s) {
		want = append(want, fmt.Sprintf("no %s here: it can be read in cdk.out, in the CDK's assets bucket and in the "+
			"CloudFormation template; leave it out and run make deploy with %s in the environment, or refer to it with "+
			"{{resolve:secretsmanager:…}}", k.name, k.secret))
	}
	if len(want) > 0 {
		p.report(k.name, Problem{Key: spelling, Got: display(raw), Want: strings.Join(want, "; and "), Warning: true})
	}
}

// isReference tells whether a text could hold a dynamic reference. CloudFormation resolves them anywhere in a template, and
// would publish another secret of the account in the datastore's metadata (CloudFormation User Guide, "Get values stored in
// other services using dynamic references").
func isReference(text string) bool { return strings.Contains(text, "{{") }

// placeholders are what the sample and the providers' pages have in the places of people's own values. The tests hold them
// against both.
var placeholders = []string{
	"123456789012", "11111111-2222-3333-4444-555555555555", "abcdefghijklmnopqrstuvxyz", "main-oauth2-server-link.com",
	"srv_pat_aBcDeFgHiJkLmNoPqRsTuVwXyZ", "//clinic.", ".clinic.", "1a2b3c4d5e6f7g8h9", "_Ab1Cd2Ef3", "0a1b2c3d-1111-4222-8333-444455556666",
	"a1a1a1a1-b2b2-4c3c-8d4d-e5e5e5e5e5e5", "5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c1d", "abfba8f6-1111-4222-8333-f2f3e4cafb05",
}

func isPlaceholder(text string) bool {
	return slices.ContainsFunc(placeholders, func(p string) bool { return strings.Contains(text, p) })
}

// contains tells whether something is true of a value, or of a text inside it: an element of a list, a name or a value of an
// object, or a part of a JSON text. A number counts as the text of its digits.
func contains(raw any, is func(string) bool) bool {
	switch v := raw.(type) {
	case string: // perhaps JSON, in which a character may be escaped
		var decoded any
		_ = json.Unmarshal([]byte(v), &decoded)
		_, isString := decoded.(string)
		return is(v) || !isString && decoded != nil && contains(decoded, is)
	case []string:
		return slices.ContainsFunc(v, func(s string) bool { return contains(s, is) })
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return contains(e, is) })
	case map[string]any:
		for name, value := range v {
			if contains(name, is) || contains(value, is) {
				return true
			}
		}
	default:
		text, ok := toDigits(raw)
		return ok && is(text)
	}
	return false
}
