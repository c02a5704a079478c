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
	} else if hasReference(raw) {
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
	if k.sample != "" && strings.Contains(s, k.sample) {
		want = append(want, "your own value: this is the sample's placeholder")
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

// hasReference tells whether a value, or a string inside it, could hold a dynamic reference. CloudFormation resolves them
// anywhere in a template, and would publish another secret of the account in the datastore's metadata (CloudFormation User
// Guide, "Get values stored in other services using dynamic references").
func hasReference(raw any) bool {
	switch v := raw.(type) {
	case string: // perhaps JSON, in which a brace may be escaped
		var decoded any
		_ = json.Unmarshal([]byte(v), &decoded)
		_, isString := decoded.(string)
		return strings.Contains(v, "{{") || !isString && hasReference(decoded)
	case []string:
		return slices.ContainsFunc(v, func(s string) bool { return hasReference(s) })
	case []any:
		return slices.ContainsFunc(v, hasReference)
	case map[string]any:
		for name, value := range v {
			if hasReference(name) || hasReference(value) {
				return true
			}
		}
	}
	return false
}
