// Package cdkcontext reads the CDK context as the CDK's command line does, with an environment's file on top, and changes
// single keys of its files.
package cdkcontext

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/config"
)

// File is the name of the project's context file.
const File = "cdk.context.json"

// FileOf is the name of an environment's own context file; without an environment it is File.
func FileOf(environment string) string {
	if environment == "" {
		return File
	}
	return strings.TrimSuffix(File, ".json") + "." + environment + ".json"
}

// Context is the context of one deployment.
type Context struct {
	Values      map[string]any
	Environment string               // "" for none
	Others      []config.Environment // the other environments of the project, sorted by name
}

// Read returns the context of the CDK project in dir. A value in assignments ("key=value"; the last one of a key counts)
// overrides the environment's file, which overrides "context" in cdk.json, which overrides cdk.context.json, which overrides
// "context" in ~/.cdk.json. The last three are the CDK's own order.
func Read(dir string, assignments []string) (Context, error) {
	given := map[string]any{}
	for _, assignment := range assignments {
		key, value, ok := strings.Cut(assignment, "=")
		if !ok || key == "" {
			return Context{}, fmt.Errorf("-c %q is not key=value", key)
		}
		given[key] = value
	}
	base, err := readBase(dir)
	if err != nil {
		return Context{}, err
	}
	named := maps.Clone(base)
	maps.Copy(named, given)
	c, own, err := environment(dir, base, named)
	if err != nil {
		return Context{}, err
	}
	c.Values = merge(base, own, given)
	return c, nil
}

// Overlay is Read for the app, which gets a context that the CDK has merged already. A value that differs from the files' is
// the command line's and stays; one that is the same cannot be told from it, and the environment's file overrides it.
func Overlay(dir string, merged map[string]any) (Context, error) {
	base, err := readBase(dir)
	if err != nil {
		return Context{}, err
	}
	c, own, err := environment(dir, base, merged)
	if err != nil {
		return Context{}, err
	}
	maps.DeleteFunc(own, func(key string, _ any) bool { return !reflect.DeepEqual(merged[key], base[key]) })
	c.Values = merge(merged, own)
	return c, nil
}

// readBase reads what holds for every environment. A missing cdk.json is an empty one: the CDK would not have started.
func readBase(dir string) (map[string]any, error) {
	base, err := readObject(filepath.Join(dir, File))
	if err != nil {
		return nil, err
	}
	user := map[string]any{}
	if home, err := os.UserHomeDir(); err == nil {
		if user, err = contextIn(filepath.Join(home, ".cdk.json")); err != nil {
			return nil, err
		}
	}
	project, err := contextIn(filepath.Join(dir, "cdk.json"))
	if err != nil {
		return nil, err
	}
	return merge(user, base, project), nil
}

// contextIn returns "context" of a file with settings of the CDK, nothing if there is no such file.
func contextIn(path string) (map[string]any, error) {
	if !exists(path) {
		return nil, nil
	}
	settings, err := readObject(path)
	if err != nil {
		return nil, err
	}
	context, _ := settings["context"].(map[string]any)
	return context, nil
}

// environment reads the file of the environment that the context names, and the files of the others.
func environment(dir string, base, context map[string]any) (c Context, own map[string]any, err error) {
	names := environments(dir)
	c.Environment, _ = context[config.KeyEnv].(string)
	if c.Environment != "" && !slices.Contains(names, c.Environment) {
		known := "there is none"
		if len(names) > 0 {
			known = "there are: " + strings.Join(names, ", ")
		}
		return c, nil, fmt.Errorf("%s: got %q, want an environment that has a file %s; %s", config.KeyEnv, c.Environment,
			FileOf("<environment>"), known)
	}
	for _, name := range names {
		values, err := readObject(filepath.Join(dir, FileOf(name)))
		switch {
		case name != c.Environment && err == nil:
			c.Others = append(c.Others, config.Environment{Name: name, File: FileOf(name), Context: merge(base, values)})
		case name == c.Environment && err != nil:
			return c, nil, err
		case name == c.Environment:
			own = values
		}
	}
	return c, own, nil
}

// environments are the names of the environments that have a file.
func environments(dir string) (names []string) {
	before, after, _ := strings.Cut(FileOf("*"), "*")
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), before)
		if name, json := strings.CutSuffix(name, after); ok && json && name != "" {
			names = append(names, name)
		}
	}
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// merge returns a new map; what comes later wins.
func merge(layers ...map[string]any) map[string]any {
	merged := map[string]any{}
	for _, layer := range layers {
		maps.Copy(merged, layer)
	}
	return merged
}
