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
	Resources  map[string]resource
}

// resources returns the properties of the resources of a type, by logical id.
func (t template) resources(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, r := range t.Resources {
		if r.Type == kind {
			found[id] = r.Properties
		}
	}
	return found
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
