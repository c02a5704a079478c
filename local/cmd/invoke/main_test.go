package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInvoke(t *testing.T) {
	tests := []struct {
		name, event string
		want        []string // in the output
	}{
		{"a placeholder", `{"datastoreEndpoint":"https://example.com/r4/","bearerToken":"<valid: a remark>"}`,
			[]string{"Response after", `"isAuthorized": true`, `"outcome":"authorized"`, `"bearerToken":"[redacted]"`}},
		{"a token", `{"datastoreEndpoint":"https://example.com/r4/","bearerToken":"some-token"}`,
			[]string{"Response after", `"isAuthorized": false`, `"outcome":"denied"`, "Only the local identity provider was asked"}},
		{"no token", `{"datastoreEndpoint":"https://example.com/r4/"}`,
			[]string{"Error after", "bearerToken is missing", `"outcome":"error"`}},
		{"no object", `7`, []string{"Error after", `"outcome":"error"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(t.Context(), []string{write(t, test.event)}, &out); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %s in\n%s", want, &out)
				}
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no argument", nil, "want one event file"},
		{"an empty argument", []string{""}, "want one event file"},
		{"a missing file", []string{"events/nope.json"}, "events/nope.json does not exist"},
		{"not JSON", []string{write(t, "{\n \"bearerToken\": x\n}")}, "is not JSON: line 2"},
		{"an unfinished file", []string{write(t, "{\n")}, "is not JSON: line 2"},
		{"an unknown placeholder", []string{write(t, `{"bearerToken":"<vaild>"}`)}, `"<vaild>"; want a token or`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), test.args, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, test.want)
			}
		})
	}
}

func write(t *testing.T, event string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(event), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
