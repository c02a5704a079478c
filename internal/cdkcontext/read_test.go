package cdkcontext

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

func TestPrecedence(t *testing.T) {
	dir := project(t, map[string]string{
		"cdk.json":              `{"app": "x", "context": {"a": 1, "b": 1, "c": 1}}`,
		File:                    `{"a": 2, "b": 2, "c": 2, "d": null, "g": 2}`,
		"cdk.context.dev.json":  `{"b": 3, "c": 3}`,
		"cdk.context.prod.json": `{"g": 4}`,
		"cdk.context.old.json":  `{`, // another environment's mistake is that environment's
	})
	t.Setenv("HOME", project(t, map[string]string{".cdk.json": `{"context": {"a": 9, "h": 9}}`}))
	got, err := Read(dir, []string{"c=3", "e=a=b", "c=4", "f=", "env=dev"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": 1.0, "b": 3.0, "c": "4", "d": nil, "e": "a=b", "f": "", "g": 2.0, "h": 9.0, "env": "dev"}
	if !maps.Equal(got.Values, want) || got.Environment != "dev" {
		t.Errorf("got %v, want %v", got, want)
	}
	others := []config.Environment{{Name: "prod", File: "cdk.context.prod.json",
		Context: map[string]any{"a": 1.0, "b": 1.0, "c": 1.0, "d": nil, "g": 4.0, "h": 9.0}}}
	if !reflect.DeepEqual(got.Others, others) {
		t.Errorf("others %v, want %v", got.Others, others)
	}

	if got, err = Read(dir, nil); err != nil || got.Values["b"] != 1.0 || got.Environment != "" || len(got.Others) != 2 {
		t.Errorf("without an environment: %v, %v", got, err)
	}
}

func TestOverlay(t *testing.T) {
	dir := project(t, map[string]string{
		File:                   `{"a": 1, "b": 1, "c": [1], "d": {"x": 1}}`,
		"cdk.context.dev.json": `{"a": 2, "b": 2, "c": [2], "d": {"y": 2}, "e": 2}`,
	})
	merged := map[string]any{"a": 1.0, "b": "5", "c": []any{1.0}, "d": map[string]any{"x": 1.0}, "env": "dev", "aws:cdk:x": true}
	got, err := Overlay(dir, merged)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": 2.0, "b": "5", "c": []any{2.0}, "d": map[string]any{"y": 2.0}, "e": 2.0, "env": "dev",
		"aws:cdk:x": true}
	if !reflect.DeepEqual(got.Values, want) {
		t.Errorf("got %v, want %v", got.Values, want)
	}
	delete(merged, "env")
	if got, err := Overlay(dir, merged); err != nil || !reflect.DeepEqual(got.Values, merged) {
		t.Errorf("without an environment: %v, %v", got.Values, err)
	}
}

func TestReadErrors(t *testing.T) {
	sample := map[string]string{File: "{}", "cdk.context.dev.json": "{}", "cdk.context.prod.json": "{,}"}
	for _, test := range []struct {
		files      map[string]string
		assignment string
		want       string
	}{
		{map[string]string{File: `["hidden"]`}, "a=b", "cdk.context.json: not a JSON object; the file must begin with { and end with }"},
		{map[string]string{File: `null`}, "a=b", "cdk.context.json: not a JSON object; the file must begin with { and end with }"},
		{map[string]string{File: "{}", "cdk.json": `{`}, "a=b", "cdk.json, line 1, column 2: the file ends too early; the closing }, ] or \" is missing"},
		{sample, "account", `-c "account" is not key=value`},
		{sample, "=hidden", `-c "" is not key=value`},
		{sample, "env=prod", "cdk.context.prod.json, line 1, column 2: a key without quotes; write it between two \""},
		{sample, "env=../dev", `env: got "../dev", want an environment that has a file cdk.context.<environment>.json; there are: dev, prod`},
		{map[string]string{File: "{}"}, "env=dev", `env: got "dev", want an environment that has a file cdk.context.<environment>.json; there is none`},
	} {
		_, err := Read(project(t, test.files), []string{test.assignment})
		if err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	dir := t.TempDir()
	_, err := Read(dir, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "cdk.context.json: there is no such file in "+dir+"; ") {
		t.Errorf("got %v for a missing file", err)
	}
}
