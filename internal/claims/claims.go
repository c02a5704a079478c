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
	"strconv"
	"unicode/utf8"
)

// maxDepth is far above what any provider nests and far below what could exhaust a stack.
const maxDepth = 32

// maxTime is the last second of the year 9999. A time beyond it is a fault, not a long life.
const maxTime = 253402300799

// Set holds each claim as the JSON text that the authorization server sent, so that what passes through passes unchanged.
type Set map[string]json.RawMessage

// Parse reads exactly one JSON object. It refuses what RFC 8259 leaves to the reader: text that is not UTF-8, names that
// occur twice in one object, at any depth, and nesting deeper than 32. The error never quotes the text.
func Parse(text []byte) (Set, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	var set Set
	if err := json.Unmarshal(text, &set); err != nil || set == nil {
		return nil, errors.New("not a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number beyond float64 is still a number
	if err := checkNames(decoder, maxDepth); err != nil {
		return nil, err
	}
	return set, nil
}

// checkNames walks one JSON value that is known to be valid.
func checkNames(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	if err != nil {
		return errors.New("not a JSON object")
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return errors.New("nested too deeply")
	}
	seen := map[string]bool{}
	for decoder.More() {
		if open == '{' {
			token, err := decoder.Token()
			if err != nil {
				return errors.New("not a JSON object")
			}
			name, _ := token.(string)
			if seen[name] {
				return errors.New("a name occurs twice in one object")
			}
			seen[name] = true
		}
		if err := checkNames(decoder, depth-1); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // the closing bracket
	return err
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
	var value string
	if err := s.decode(name, &value); err != nil {
		return "", fmt.Errorf("claim %s is not a string", name)
	}
	return value, nil
}

// List returns a claim that is a string or an array of strings, as aud is (RFC 7519 section 4.1.3); nil where Has is
// false; and an error where it is anything else.
func (s Set) List(name string) ([]string, error) {
	if !s.Has(name) {
		return nil, nil
	}
	if one, err := s.Text(name); err == nil {
		return []string{one}, nil
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
	var object Set
	if err := s.decode(name, &object); err != nil {
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
