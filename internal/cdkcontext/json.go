package cdkcontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// readObject reads a file with one JSON object. Its errors are one line that says where, what is wrong and what to do. They
// quote keys, but no values: the file may hold a secret.
func readObject(path string) (map[string]any, error) {
	name := filepath.Base(path)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file in %s; run this in the project's folder, or create the file: each "+
			"page in docs/providers has one to copy", name, folder(path))
	}
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if m := check(text); m.cause != "" {
		return nil, fmt.Errorf("%s, %s: %s", name, place(text, m.offset), m.cause)
	}
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%s: not a JSON object; the file must begin with { and end with }", name)
	}
	return object, nil
}

func folder(path string) string {
	if dir, err := filepath.Abs(filepath.Dir(path)); err == nil {
		return dir
	}
	return filepath.Dir(path)
}

// place is a byte offset for people: both counts begin with 1, and a column is a character.
func place(text []byte, offset int) string {
	before := text[:min(offset, len(text))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", 1+bytes.Count(before, []byte("\n")), 1+utf8.RuneCount(line))
}

// mistake is what is wrong with a text and how to correct it; cause is empty if nothing is.
type mistake struct {
	offset int
	cause  string
}

// check looks for what people and their editors put into JSON files.
func check(text []byte) mistake {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return mistake{0, "an invisible byte order mark; save the file as UTF-8 without BOM"}
		}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return mistake{0, "the file is empty; it must hold a JSON object: each page in docs/providers has one to copy"}
	}
	var syntax *json.SyntaxError
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); errors.As(err, &syntax) {
		return diagnose(text, max(0, int(syntax.Offset)-1), syntax.Error())
	}
	d := json.NewDecoder(bytes.NewReader(text))
	return duplicate(d, text)
}

// diagnose says why encoding/json stopped at an offset.
func diagnose(text []byte, offset int, message string) mistake {
	if strings.HasPrefix(message, "unexpected end") {
		return mistake{len(bytes.TrimRight(text, " \t\r\n")), `the file ends too early; the closing }, ] or " is missing`}
	}
	line := bytes.LastIndexByte(text[:offset], '\n') + 1
	// A curly quote does not end a text, so that the fault is noticed only later in the line.
	if i := bytes.IndexAny(text[line:offset], "“”„‟"); i >= 0 {
		return curly(line + i)
	}
	r, _ := utf8.DecodeRune(text[offset:])
	before := bytes.TrimRight(text[:offset], " \t\r\n")
	switch {
	case strings.ContainsRune("“”„‟‘’«»", r):
		return curly(offset)
	case r == '\'':
		return mistake{offset, `a single quote; JSON needs the double quote " on both sides`}
	case r == '/' || r == '#':
		return mistake{offset, "a comment, which JSON does not have; remove it"}
	case (r == '}' || r == ']') && bytes.HasSuffix(before, []byte(",")):
		return mistake{len(before) - 1, fmt.Sprintf("a comma before the closing %c; remove it", r)}
	case r == ',' && bytes.HasSuffix(before, []byte(",")):
		return mistake{offset, "a second comma; remove it"}
	case strings.Contains(message, "in string literal"):
		return mistake{offset, `a line end or tab inside a text; close the text with " before it`}
	case strings.Contains(message, "after top-level value"):
		return mistake{offset, "text after the end of the object; remove it"}
	case strings.Contains(message, "after object key:value pair"), strings.Contains(message, "after array element"):
		return mistake{len(before), "a comma is missing here"}
	case strings.Contains(message, "after object key"):
		return mistake{offset, "a colon is missing before this"}
	case strings.Contains(message, "beginning of object key"):
		return mistake{offset, `a key without quotes; write it between two "`}
	}
	return mistake{offset, `not a JSON value; put text between two ", other values are true, false, null and numbers`}
}

func curly(offset int) mistake {
	return mistake{offset, `a curly quote; replace it by the straight "`}
}

// duplicate finds a key that an object has twice, of which programs would use one or the other.
func duplicate(d *json.Decoder, text []byte) mistake {
	token, err := d.Token()
	if err != nil {
		return mistake{}
	}
	seen := map[any]int{}
	for delim, nested := token.(json.Delim); nested && d.More(); {
		if delim == '{' {
			at := int(d.InputOffset())
			at += bytes.IndexByte(text[at:], '"')
			key, err := d.Token()
			if err != nil {
				return mistake{}
			}
			if first, again := seen[key]; again {
				return mistake{at, fmt.Sprintf("the key %q for the second time, first in %s; remove one of the two", key, place(text, first))}
			}
			seen[key] = at
		}
		if m := duplicate(d, text); m.cause != "" {
			return m
		}
	}
	if _, nested := token.(json.Delim); nested {
		if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
			return mistake{}
		}
	}
	return mistake{}
}
