package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stack is a synthesized stack.
type stack struct {
	Name, Account, Region string
	template              template
}

// template is the part of a CloudFormation template that matters here. The zero value is an empty template.
type template struct {
	Parameters map[string]parameter
	Conditions map[string]any
	Resources  map[string]resource
}

// resources returns the properties of the resources of a type, by logical id.
func (t template) resources(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, r := range t.Resources {
		if r.Type == kind {
			found[id], _ = t.references(r.Properties).(map[string]any)
		}
	}
	return found
}

// references puts {"Ref": p} in the place of {"Fn::If": [c, true, false]} where the condition c is that the parameter p is "true":
// that is how the stacks make a boolean of a parameter.
func (t template) references(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if choice, _ := object["Fn::If"].([]any); len(choice) == 3 && choice[1] == true && choice[2] == false {
		name, _ := choice[0].(string)
		condition, _ := t.Conditions[name].(map[string]any)
		if equal, _ := condition["Fn::Equals"].([]any); len(equal) == 2 && equal[1] == "true" {
			return equal[0]
		}
	}
	replaced := map[string]any{}
	for key, inner := range object {
		replaced[key] = t.references(inner)
	}
	return replaced
}

type parameter struct {
	Description string
	Default     any
}

type resource struct {
	Type       string
	Properties map[string]any
}

// readAssembly reads the stacks in a cloud assembly, the output of cdk synth, sorted by name.
func readAssembly(dir string) (stacks []stack, err error) {
	var manifest struct {
		Artifacts map[string]struct {
			Type        string
			Environment string // aws://<account>/<region>
			Properties  struct{ TemplateFile, StackName string }
		}
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(manifest.Artifacts)) {
		artifact := manifest.Artifacts[id]
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		s := stack{Name: id}
		if artifact.Properties.StackName != "" {
			s.Name = artifact.Properties.StackName
		}
		s.Account, s.Region, _ = strings.Cut(strings.TrimPrefix(artifact.Environment, "aws://"), "/")
		if err := readJSON(filepath.Join(dir, artifact.Properties.TemplateFile), &s.template); err != nil {
			return nil, err
		}
		stacks = append(stacks, s)
	}
	if len(stacks) == 0 {
		return nil, fmt.Errorf("%s has no stacks", dir)
	}
	return stacks, nil
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
