package cdkcontext

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWriteKeepsTheRest(t *testing.T) {
	for _, test := range []struct{ before, key, after string }{
		{"{\n  \"b\": 1,\n  \"k\": \"old\",\n  \"a\": {\"k\": 2}\n}\n", "k",
			"{\n  \"b\": 1,\n  \"k\": \"https://x/?a&b\",\n  \"a\": {\"k\": 2}\n}\n"},
		{"{\n\t\"b\": 1,\n\t\"a\": [1, 2]\n}", "k", "{\n\t\"b\": 1,\n\t\"a\": [1, 2],\n\t\"k\": \"https://x/?a&b\"\n}"},
		{`{"b":1,"k" : null ,"c":2}`, "k", `{"b":1,"k" : "https://x/?a&b" ,"c":2}`},
		{`{"b":1}`, "k", `{"b":1,"k": "https://x/?a&b"}`},
		{"{}\n", "k", "{\n  \"k\": \"https://x/?a&b\"\n}\n"},
		{" {\n } ", "k", " {\n  \"k\": \"https://x/?a&b\"\n} "},
		{`{"\u006b": 1}`, "k", `{"\u006b": "https://x/?a&b"}`},
	} {
		dir := project(t, map[string]string{File: test.before})
		if err := Write(filepath.Join(dir, File), []Setting{{test.key, "https://x/?a&b"}}); err != nil {
			t.Errorf("%s: %v", test.before, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, File))
		if err != nil || string(got) != test.after {
			t.Errorf("%s: got\n%s\nwant\n%s (%v)", test.before, got, test.after, err)
		}
		info, err := os.Stat(filepath.Join(dir, File))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want that of before (%v)", info.Mode(), err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", "{", `{"k": 1, "k": 2}`, `{} {}`} {
		dir := project(t, map[string]string{File: text})
		if err := Write(filepath.Join(dir, File), []Setting{{"k", "v"}}); err == nil {
			t.Errorf("%q: written", text)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, File)); string(got) != text {
			t.Errorf("%q: changed to %q", text, got)
		}
	}
}

func TestWriteThroughLink(t *testing.T) {
	dir := project(t, map[string]string{"real.json": "{}"})
	if err := os.Symlink("real.json", filepath.Join(dir, File)); err != nil {
		t.Skip(err)
	}
	if err := Write(filepath.Join(dir, File), []Setting{{"k", "v"}}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "real.json")); !strings.Contains(string(got), `"k": "v"`) {
		t.Errorf("the link's target holds %q", got)
	}
}

// FuzzSet: whatever the object, the key holds the value afterwards and every other key what it held before.
func FuzzSet(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":1,"k":2}`, "{\n  \"a\": {\"k\": [1, \"}\"]}\n}", `{"\u006b":"\""}`, `{ }`, `[]`} {
		f.Add([]byte(text), "k", "v")
	}
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		changed, err := set(text, Setting{key, value})
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if json.Unmarshal(text, &before) != nil {
			t.Fatalf("%q is no object, and was changed", text)
		}
		if err := json.Unmarshal(changed, &after); err != nil {
			t.Fatalf("%q became %q: %v", text, changed, err)
		}
		quotedKey, _ := quote(key)
		quotedValue, _ := quote(value)
		var name string // as JSON reads it: what is not UTF-8 is replaced
		if err := json.Unmarshal(quotedKey, &name); err != nil {
			t.Fatal(err)
		}
		if string(after[name]) != string(quotedValue) {
			t.Fatalf("%q: %q holds %s, want %s", changed, name, after[name], quotedValue)
		}
		delete(before, name)
		delete(after, name)
		if !maps.EqualFunc(before, after, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Fatalf("%q became %q", text, changed)
		}
	})
}
