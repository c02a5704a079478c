package config

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// value is what a key may hold and where it is stored. The context file gives JSON's types, `cdk -c key=value` gives
// strings: both are read.
type value struct {
	want string // what the key must hold: completes "want …" in a problem, and stands in the reference
	// set checks raw and stores it. If raw is not valid, it returns the value at fault, which is raw, an element of it or
	// a part, and leaves c unchanged.
	set func(c *Config, raw any) (fault any, ok bool)
}

// part is a fault in a part of a value, where the value as a whole would tell people too little: which part holds what, and what
// that part must hold.
type part struct{ got, want string }

// check is a condition on a single value, and the words for it.
type check[T any] struct {
	want string
	ok   func(T) bool
}

// reading is the value that convert makes of what the context holds, if it passes the check.
func reading[T any](field func(*Config) *T, convert func(any) (T, bool), c check[T]) value {
	return value{want: c.want, set: func(cfg *Config, raw any) (any, bool) {
		v, ok := convert(raw)
		if !ok || !c.ok(v) {
			return raw, false
		}
		*field(cfg) = v
		return nil, true
	}}
}

// text is a string; a number or a boolean is not.
func text(field func(*Config) *string, c check[string]) value {
	return reading(field, func(raw any) (string, bool) {
		s, ok := raw.(string)
		return s, ok
	}, c)
}

// digits is a string of digits that people also write as a JSON number.
func digits(field func(*Config) *string, c check[string]) value {
	return reading(field, toDigits, c)
}

func toDigits(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// number is a whole number, or a string that holds one.
func number(field func(*Config) *int, c check[int]) value {
	return reading(field, toInt, c)
}

func toInt(raw any) (int, bool) {
	switch v := raw.(type) {
	case int:
		return v, true
	case float64:
		// The limit keeps the conversion exact; NaN fails the first comparison.
		if v == math.Trunc(v) && math.Abs(v) <= math.MaxInt32 {
			return int(v), true
		}
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	return 0, false
}

// boolean is true or false, or the string "true" or "false" in any case.
func boolean(field func(*Config) *bool) value {
	return reading(field, toBool, check[bool]{want: "true or false", ok: func(bool) bool { return true }})
}

func toBool(raw any) (v, ok bool) {
	switch v := raw.(type) {
	case bool:
		return v, true
	case string:
		return strings.EqualFold(v, "true"), strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	}
	return false, false
}

// elements is what a list must hold.
type elements struct {
	check[string] // of each element
	atLeastOne    bool
	distinct      bool
}

// list is an array of strings, or a string that is either such an array in JSON or its elements separated by commas
// and spaces. An element that contains a comma needs the array.
func list(field func(*Config) *[]string, e elements) value {
	return value{want: e.want, set: func(c *Config, raw any) (any, bool) {
		items, ok := toSlice(raw)
		if !ok || (e.atLeastOne && len(items) == 0) {
			return raw, false
		}
		l := make([]string, 0, len(items))
		for _, item := range items {
			s, ok := item.(string)
			if !ok || !e.ok(s) || e.distinct && slices.Contains(l, s) {
				return item, false
			}
			l = append(l, s)
		}
		*field(c) = l
		return nil, true
	}}
}

// List returns the strings of a list as the context may hold it, without checking them; nil if raw is none.
func List(raw any) (l []string) {
	items, _ := toSlice(raw)
	for _, item := range items {
		if s, ok := item.(string); ok {
			l = append(l, s)
		}
	}
	return l
}

func toSlice(raw any) ([]any, bool) {
	switch v := raw.(type) {
	case []any:
		return v, true
	case []string:
		return anySlice(v), true
	case string:
		if strings.HasPrefix(strings.TrimSpace(v), "[") {
			var items []any
			err := json.Unmarshal([]byte(v), &items)
			return items, err == nil
		}
		return anySlice(strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })), true
	}
	return nil, false
}

func toObject(raw any) (map[string]any, bool) {
	switch v := raw.(type) {
	case map[string]any:
		return v, true
	case string:
		var object map[string]any
		err := json.Unmarshal([]byte(v), &object)
		return object, err == nil && object != nil // null is no object
	}
	return nil, false
}

func anySlice(l []string) []any {
	s := make([]any, len(l))
	for i, e := range l {
		s[i] = e
	}
	return s
}
