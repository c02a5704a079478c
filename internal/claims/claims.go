// Package claims reads the JSON object in which an authorization server states facts about a token: an introspection
// answer (RFC 7662 section 2.2) or a JWT's claims set (RFC 7519 section 4). It reads strictly, because two readers who
// understand one object differently are how a denied token passes.
package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth is far above what any provider nests and far below what could exhaust a stack.
const maxDepth = 32

// maxNames bounds the names in one object, which are compared with each other.
const maxNames = 512

// maxTime is the last second of the year 9999. A time beyond it is a fault, not a long life.
const maxTime = 253402300799

// Set holds each claim as the JSON text that the authorization server sent, so that what passes through passes unchanged.
type Set map[string]json.RawMessage

// Parse reads exactly one JSON object. It refuses what RFC 8259 leaves to the reader: text that is not UTF-8, names that
// occur twice in one object, at any depth, and nesting deeper than 32. The error never quotes the text. The set refers to
// text, which must not change afterwards.
func Parse(text []byte) (Set, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	if !json.Valid(text) || skipSpace(text)[0] != '{' {
		return nil, errNotObject
	}
	return split(text)
}

var errNotObject = errors.New("not a JSON object")

// split takes an object apart. text is known to be valid JSON, so it need not be decoded: a string before a colon is a name,
// and a value reaches to the next comma or bracket of its own depth.
func split(text []byte) (Set, error) {
	var (
		set    = Set{}
		names  []string // of all objects that are open, the innermost's last
		starts []int    // where in names each open object or array begins
		name   string   // of the value of the outermost object that is being read, which begins at value
		value  int
	)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{', '[':
			if len(starts) == maxDepth {
				return nil, errors.New("nested too deeply")
			}
			starts = append(starts, len(names))
		case ',', '}', ']':
			last := len(starts) - 1
			if last == 0 && len(names) > 0 {
				set[name] = trimSpace(text[value:i:i])
			}
			if c != ',' {
				names, starts = names[:starts[last]], starts[:last]
			}
		case '"':
			end := endOfString(text, i)
			literal := text[i:end]
			i = end - 1
			rest := skipSpace(text[end:])
			if len(rest) == 0 || rest[0] != ':' {
				continue
			}
			next, err := unquote(literal)
			if err != nil {
				return nil, err
			}
			if err := checkName(next, names[starts[len(starts)-1]:]); err != nil {
				return nil, err
			}
			names = append(names, next)
			i = len(text) - len(rest)
			if len(starts) == 1 {
				name, value = next, i+1
			}
		}
	}
	return set, nil
}

// checkName refuses a name that one of the same object's has already, and a name too many.
func checkName(name string, siblings []string) error {
	if len(siblings) == maxNames {
		return errors.New("too many names in one object")
	}
	if slices.Contains(siblings, name) {
		return errors.New("a name occurs twice in one object")
	}
	return nil
}

// endOfString returns where the JSON string that begins at i ends.
func endOfString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

const space = " \t\r\n" // of JSON (RFC 8259 section 2)

func skipSpace(text []byte) []byte { return bytes.TrimLeft(text, space) }

func trimSpace(text []byte) []byte { return bytes.Trim(text, space) }

// unquote reads a JSON string, of which most have no escape in them.
func unquote(literal []byte) (string, error) {
	if !bytes.ContainsRune(literal, '\\') {
		return string(literal[1 : len(literal)-1]), nil
	}
	var text string
	if err := json.Unmarshal(literal, &text); err != nil {
		return "", errNotObject
	}
	return text, nil
}

// Has tells whether the claim is there with a value other than null.
func (s Set) Has(name string) bool {
	value, ok := s[name]
	return ok && string(value) != "null"
}

// True tells whether the claim is exactly the JSON literal true; "true" and 1 are not.
func (s Set) True(name string) bool {
	return string(s[name]) == "true"
}

// Text returns a string claim, "" where Has is false, and an error where the claim is anything but a string.
func (s Set) Text(name string) (string, error) {
	if !s.Has(name) {
		return "", nil
	}
	if literal := s[name]; len(literal) > 1 && literal[0] == '"' {
		if value, err := unquote(literal); err == nil {
			return value, nil
		}
	}
	return "", fmt.Errorf("claim %s is not a string", name)
}

// List returns a claim that is a string or an array of strings, as aud is (RFC 7519 section 4.1.3); nil where Has is
// false; and an error where it is anything else.
func (s Set) List(name string) ([]string, error) {
	if !s.Has(name) {
		return nil, nil
	}
	if bytes.HasPrefix(s[name], []byte(`"`)) {
		one, err := s.Text(name)
		return []string{one}, err
	}
	// Pointers, because null inside the array must not read as an empty string.
	var values []*string
	if err := s.decode(name, &values); err != nil {
		return nil, fmt.Errorf("claim %s is neither a string nor an array of strings", name)
	}
	list := make([]string, len(values))
	for i, value := range values {
		if value == nil {
			return nil, fmt.Errorf("claim %s is neither a string nor an array of strings", name)
		}
		list[i] = *value
	}
	return list, nil
}

// Time returns a NumericDate claim (RFC 7519 section 2) in whole seconds since 1970, rounded down. Providers also send
// such a number inside a string; that is read too. ok is false where Has is false. A negative time, one after the year
// 9999 and anything that is not a number are errors.
func (s Set) Time(name string) (seconds int64, ok bool, err error) {
	if !s.Has(name) {
		return 0, false, nil
	}
	number := []byte(s[name])
	if text, err := s.Text(name); err == nil {
		number = []byte(text)
	}
	// The grammar of a JSON number keeps out what ParseFloat also takes: hexadecimal, Inf and NaN.
	if len(number) == 0 || number[0] < '0' || number[0] > '9' || !json.Valid(number) {
		return 0, false, fmt.Errorf("claim %s is not a time", name)
	}
	value, err := strconv.ParseFloat(string(number), 64)
	if err != nil || value > maxTime {
		return 0, false, fmt.Errorf("claim %s is not a time", name)
	}
	return int64(math.Floor(value)), true, nil
}

// Object returns a claim that is itself an object; nil where it is not.
func (s Set) Object(name string) Set {
	if !s.Has(name) {
		return nil
	}
	object, err := Parse(s[name])
	if err != nil {
		return nil
	}
	return object
}

func (s Set) decode(name string, into any) error {
	if !s.Has(name) {
		return nil
	}
	return json.Unmarshal(s[name], into)
}
