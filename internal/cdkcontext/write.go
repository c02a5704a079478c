package cdkcontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Setting is a key and its new value.
type Setting struct{ Key, Value string }

// Write puts settings into a context file. Every other byte stays the same: an existing key keeps its place, a new one comes
// last. The file is replaced atomically.
func Write(path string, settings []Setting) error {
	name := filepath.Base(path)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// Replace what a symbolic link points to, not the link.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	for _, s := range settings {
		if text, err = set(text, s); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), name+"-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Close()); err != nil {
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
	// The white space before the last key is the file's indentation.
	return splice(text, m.lastEnd, m.lastEnd, []byte(","+m.space+string(member))), nil
}

// members has byte offsets in the text of an object.
type members struct {
	open, close          int    // after the opening brace, and at the closing one
	valueStart, valueEnd int    // of the key that was looked for; 0 if there is none
	lastEnd              int    // after the last value; 0 in an empty object
	space                string // before the last key
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
				return m, fmt.Errorf("the key %s occurs twice", key)
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

// quote returns a JSON string without the HTML escapes that encoding/json adds by default.
func quote(s string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
