// Package cdkcontext reads the CDK context as the CDK command line does, and changes single keys of its file.
package cdkcontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// File is the name of the project's context file.
const File = "cdk.context.json"

// Read returns the context of the CDK project in dir. Of a key that stands in several places counts, as for the CDK
// itself, the command line's value (assignments, each "key=value", the last one of a key), then cdk.context.json's, then
// that of "context" in cdk.json. A file that is not there holds nothing.
func Read(dir string, assignments []string) (map[string]any, error) {
	var project struct {
		Context map[string]any `json:"context"`
	}
	if err := readJSON(filepath.Join(dir, "cdk.json"), &project); err != nil {
		return nil, err
	}
	context := map[string]any{}
	maps.Copy(context, project.Context)
	var file map[string]any
	if err := readJSON(filepath.Join(dir, File), &file); err != nil {
		return nil, err
	}
	maps.Copy(context, file)
	for _, assignment := range assignments {
		key, value, ok := strings.Cut(assignment, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("-c %q is not key=value", key)
		}
		context[key] = value
	}
	return context, nil
}

// readJSON leaves into alone where there is no such file. Its errors quote nothing of the file: a secret may be in it.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
			return fmt.Errorf("%s: not JSON, line %d", filepath.Base(path), line)
		}
		return fmt.Errorf("%s: not a JSON object", filepath.Base(path))
	}
	return nil
}

// Setting is a key and the text that it is to hold.
type Setting struct{ Key, Value string }

// Write puts settings into dir's cdk.context.json, which is made if it is not there. Every other byte stays as it is: a
// key that is there keeps its place, a new one comes last. The file is replaced at once, never seen half written.
func Write(dir string, settings []Setting) error {
	path := filepath.Join(dir, File)
	text, err := os.ReadFile(path)
	mode := fs.FileMode(0o644)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = []byte("{}\n")
	case err != nil:
		return err
	default:
		// The file that a link points to, so that the link stays.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	for _, s := range settings {
		if text, err = set(text, s); err != nil {
			return fmt.Errorf("%s: %w", File, err)
		}
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), File+"-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Chmod(mode), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// set changes one key of a JSON object's text.
func set(text []byte, s Setting) ([]byte, error) {
	value, err := quote(s.Value)
	if err != nil {
		return nil, err
	}
	m, err := scan(text, s.Key)
	if err != nil {
		return nil, err
	}
	if m.valueEnd > 0 {
		return splice(text, m.valueStart, m.valueEnd, value), nil
	}
	key, err := quote(s.Key)
	if err != nil {
		return nil, err
	}
	member := append(append(key, ": "...), value...)
	if m.lastEnd == 0 {
		return splice(text, m.open, m.close, []byte("\n  "+string(member)+"\n")), nil
	}
	// The white space in front of the last key is the file's own indentation.
	return splice(text, m.lastEnd, m.lastEnd, []byte(","+m.space+string(member))), nil
}

// members is where an object's parts are in its text, as byte offsets.
type members struct {
	open, close          int    // behind the opening brace, and at the closing one
	valueStart, valueEnd int    // of the key that was looked for; 0 where there is none
	lastEnd              int    // behind the last value; 0 in an empty object
	space                string // in front of the last key
}

func scan(text []byte, key string) (members, error) {
	var m members
	notObject := errors.New("not one JSON object")
	if !json.Valid(text) {
		return m, notObject
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return m, notObject
	}
	m.open = int(d.InputOffset())
	for d.More() {
		before := max(m.open, m.lastEnd)
		token, err := d.Token()
		if err != nil {
			return m, notObject
		}
		gap := strings.Replace(string(text[before:d.InputOffset()]), ",", "", 1)
		m.space = gap[:strings.IndexByte(gap, '"')]
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return m, notObject
		}
		m.lastEnd = int(d.InputOffset())
		if token == key {
			if m.valueEnd > 0 {
				return m, fmt.Errorf("the key %s is there twice", key)
			}
			m.valueStart, m.valueEnd = m.lastEnd-len(value), m.lastEnd
		}
	}
	if _, err := d.Token(); err != nil {
		return m, notObject
	}
	m.close = int(d.InputOffset()) - 1
	return m, nil
}

func splice(text []byte, from, to int, with []byte) []byte {
	return append(append(append([]byte{}, text[:from]...), with...), text[to:]...)
}

// quote is a JSON string without the HTML escapes that encoding/json adds by default.
func quote(s string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
