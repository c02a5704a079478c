package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every reason that the function can log is in the guide, and the guide has no other.
func TestGuideHasEveryReason(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(guide), -1) {
		documented = append(documented, row[1])
	}
	logged := []string{}
	for _, dir := range []string{".", "../../internal/authorize", "../../internal/jwt"} {
		logged = append(logged, constants(t, dir, regexp.MustCompile(`^[Rr]eason[A-Z]`))...)
	}
	for _, kind := range constants(t, "../../internal/introspect", regexp.MustCompile(`^Kind[A-Z]`)) {
		logged = append(logged, reasonIdP+kind)
	}
	// Neither a request that was authorized nor a prefix is a reason for a refusal.
	logged = slices.DeleteFunc(logged, func(s string) bool { return s == "active" || strings.HasSuffix(s, "_") })
	slices.Sort(logged)
	slices.Sort(documented)
	if logged = slices.Compact(logged); !slices.Equal(logged, documented) {
		t.Errorf("the function logs\n%q, the guide explains\n%q", logged, documented)
	}
}

// constants returns the values of the string constants in a directory's package whose names match.
func constants(t *testing.T, dir string, name *regexp.Regexp) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", dir, err)
	}
	var values []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !name.MatchString(spec.Names[0].Name) {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			return true
		})
	}
	return values
}
