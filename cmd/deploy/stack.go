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

// template is what matters here of a CloudFormation template. The zero value is one without anything.
type template struct {
	Parameters map[string]parameter
	Resources  map[string]resource
}

type parameter struct {
	Description string
	Default     any
}

type resource struct {
	Type       string
	Properties map[string]any
}

// readAssembly reads the stacks that cdk synth wrote, in the order of their names.
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
	return stacks, nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// unusable are the states in which a stack has no resources and keeps no parameters: the CDK deletes it and starts
// anew.
var unusable = []string{"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"}

// deployed is the template that CloudFormation has for the stack; the zero value if there is none.
func (s stack) deployed() (template, error) {
	status, err := aws("cloudformation", "describe-stacks", "--stack-name", s.Name, "--region", s.Region,
		"--query", "Stacks[0].StackStatus", "--output", "text")
	if err != nil {
		// CloudFormation has no error code of its own for this.
		if strings.Contains(err.Error(), "ValidationError") && strings.Contains(err.Error(), "does not exist") {
			return template{}, nil
		}
		return template{}, err
	}
	if slices.Contains(unusable, strings.TrimSpace(string(status))) {
		return template{}, nil
	}
	out, err := aws("cloudformation", "get-template", "--stack-name", s.Name, "--region", s.Region, "--output", "json")
	if err != nil {
		return template{}, err
	}
	var answer struct{ TemplateBody template }
	if err := json.Unmarshal(out, &answer); err != nil {
		return template{}, fmt.Errorf("the deployed template of stack %s: %w", s.Name, err)
	}
	return answer.TemplateBody, nil
}
