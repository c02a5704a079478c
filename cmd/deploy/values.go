package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nextValues returns the values that the parameters of a stack will have, as CloudFormation and the CDK choose them: what is
// given to cdk deploy, else the value of the last deploy, else the default.
func nextValues(after template, before deployed, given map[string]string, keeps bool) map[string]string {
	values := map[string]string{}
	for name, p := range after.Parameters {
		if p.Default != nil {
			values[name] = fmt.Sprint(p.Default)
		}
		if value, had := before.values[name]; had && keeps {
			values[name] = value
		}
		if value, ok := given[name]; ok {
			values[name] = value
		}
	}
	return values
}

// asDeployed returns values for those parameters that the stack does not have yet, and that stand for a property of a deployed
// resource: the property's own value. A stack of an earlier version has the properties themselves in its template.
func asDeployed(after, before any, stack deployed, into map[string]string) {
	if name, ok := reference(after); ok {
		_, had := stack.values[name]
		if value, plain := text(before); plain && !had {
			into[name] = value
		}
		return
	}
	now, _ := after.(map[string]any)
	was, _ := before.(map[string]any)
	for key := range now {
		asDeployed(now[key], was[key], stack, into)
	}
}

// resolve puts values in the place of references to parameters. Booleans and numbers become texts, as CloudFormation has them.
func resolve(v any, values map[string]string) any {
	if name, ok := reference(v); ok {
		if value, known := values[name]; known {
			return value
		}
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		resolved := map[string]any{}
		for key, inner := range v {
			resolved[key] = resolve(inner, values)
		}
		return resolved
	case []any:
		resolved := make([]any, len(v))
		for i, inner := range v {
			resolved[i] = resolve(inner, values)
		}
		return resolved
	}
	if s, ok := text(v); ok {
		return s
	}
	return v
}

// reference returns the name in {"Ref": name}.
func reference(v any) (name string, ok bool) {
	m, _ := v.(map[string]any)
	name, ok = m["Ref"].(string)
	return name, ok && len(m) == 1
}

// text returns a scalar as CloudFormation writes it.
func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// optionValues returns the values of an option, which has several spellings and may come several times.
func optionValues(args []string, spellings ...string) (values []string) {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		switch {
		case !slices.Contains(spellings, name):
		case joined:
			values = append(values, value)
		case i+1 < len(args):
			values = append(values, args[i+1])
		}
	}
	return values
}

// givenValues returns the values that the options of cdk deploy have for a stack's parameters, and whether the parameters
// without one keep their values.
func givenValues(args []string, stackName string) (values map[string]string, keeps bool) {
	values = map[string]string{}
	for _, option := range optionValues(args, "--parameters") {
		name, value, _ := strings.Cut(option, "=")
		if stack, rest, found := strings.Cut(name, ":"); found {
			if stack != stackName {
				continue
			}
			name = rest
		}
		values[name] = value
	}
	// The option has many spellings ("--previous-parameters false", "--previousParameters=no"), and the default needs none.
	mentioned := slices.ContainsFunc(args, func(arg string) bool {
		arg = strings.ToLower(arg)
		return strings.HasPrefix(arg, "--no-previous") || strings.HasPrefix(arg, "--previous")
	})
	return values, !mentioned
}

// options are parameters as cdk deploy takes them.
func options(stackName string, values map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, stackName+":"+name+"="+values[name])
	}
	return list
}
