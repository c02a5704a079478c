package claims_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/claims"
)

func TestParseAcceptsOneObject(t *testing.T) {
	set, err := claims.Parse([]byte(` {"active": true, "scope":"a  b&<c>", "n": 1e400, "ext": {"a": [1, {"a": 2}]}} `))
	if err != nil {
		t.Fatal(err)
	}
	want := claims.Set{
		"active": json.RawMessage(`true`),
		"scope":  json.RawMessage(`"a  b&<c>"`),
		"n":      json.RawMessage(`1e400`),
		"ext":    json.RawMessage(`{"a": [1, {"a": 2}]}`),
	}
	if !reflect.DeepEqual(set, want) {
		t.Errorf("got %s, want %s", set, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                  ``,
		"null":                     `null`,
		"an array":                 `[{"active": true}]`,
		"a string":                 `"active"`,
		"a number":                 `1`,
		"HTML":                     `<html>active: true</html>`,
		"two objects":              `{"active": true} {"active": false}`,
		"text behind the object":   `{"active": true} x`,
		"an open object":           `{"active": true`,
		"a name twice":             `{"active": false, "active": true}`,
		"a name twice by escape":   `{"active": false, "\u0061ctive": true}`,
		"a name twice further in":  `{"active": true, "ext": {"patient": "1", "patient": "2"}}`,
		"a name twice in an array": `{"active": true, "x": [{"a": 1, "a": 1}]}`,
		"bytes that are not UTF-8": "{\"active\": true, \"sub\": \"\xff\"}",
		"UTF-16":                   "{\x00}\x00",
		"a NUL byte":               "{\"active\": true, \"sub\": \"\x00\"}",
		"deep nesting":             `{"active": true, "x": ` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`,
		"very deep nesting":        `{"active": true, "x": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
	} {
		if set, err := claims.Parse([]byte(text)); err == nil {
			t.Errorf("%s: got %s, want an error", name, set)
		}
	}
}

func TestTime(t *testing.T) {
	for text, want := range map[string]int64{
		`1700584500`:         1700584500,
		`1700584500.9`:       1700584500,
		`1.7005845e9`:        1700584500,
		`"1700584500"`:       1700584500,
		`"1700584500.25"`:    1700584500,
		`0`:                  0,
		`253402300799`:       253402300799,
		`"\u0031700584500"`:  1700584500,
		`1700584500.0000000`: 1700584500,
	} {
		got, ok, err := claims.Set{"exp": json.RawMessage(text)}.Time("exp")
		if got != want || !ok || err != nil {
			t.Errorf("%s: got %d, %t, %v, want %d", text, got, ok, err, want)
		}
	}
	for _, text := range []string{
		`true`, `"tomorrow"`, `""`, `" 1"`, `"1 "`, `-1`, `"-1"`, `"0x10"`, `"Inf"`, `"NaN"`, `"1_000"`, `"+5"`, `[1]`, `{}`,
		`253402300800`, `9223372036854775808`, `1e30`, `1e400`, `"true"`,
	} {
		if got, ok, err := (claims.Set{"exp": json.RawMessage(text)}).Time("exp"); err == nil {
			t.Errorf("%s: got %d, %t, want an error", text, got, ok)
		}
	}
	for _, set := range []claims.Set{{}, {"exp": json.RawMessage(`null`)}} {
		if _, ok, err := set.Time("exp"); ok || err != nil {
			t.Errorf("%s: got %t, %v, want a claim that is not there", set, ok, err)
		}
	}
}

func TestListAndText(t *testing.T) {
	for text, want := range map[string][]string{
		`"a b"`:      {"a b"},
		`["a","b"]`:  {"a", "b"},
		`[]`:         {},
		`null`:       nil,
		`"\u0061"`:   {"a"},
		`["a", ""]`:  {"a", ""},
		`["a","a" ]`: {"a", "a"},
	} {
		got, err := claims.Set{"aud": json.RawMessage(text)}.List("aud")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`1`, `true`, `{}`, `[1]`, `["a", null]`, `["a", ["b"]]`} {
		set := claims.Set{"aud": json.RawMessage(text)}
		if got, err := set.List("aud"); err == nil {
			t.Errorf("list %s: got %q, want an error", text, got)
		}
		if got, err := set.Text("aud"); err == nil {
			t.Errorf("text %s: got %q, want an error", text, got)
		}
	}
}

func TestTrueIsOnlyTheLiteral(t *testing.T) {
	for _, text := range []string{`false`, `"true"`, `1`, `null`, `[true]`, `{"true": true}`, ``} {
		if (claims.Set{"active": json.RawMessage(text)}).True("active") {
			t.Errorf("%s counts as true", text)
		}
	}
	if !(claims.Set{"active": json.RawMessage(`true`)}).True("active") {
		t.Error("true does not count as true")
	}
	if (claims.Set{"Active": json.RawMessage(`true`)}).True("active") {
		t.Error("the name's case does not count")
	}
}

// FuzzParse holds the invariant that whatever Parse accepts, encoding/json reads the same way, name by name and byte by byte.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"active":true}`, `{"active":false,"active":true}`, `{"active":true,"ext":{"patient":"1"}}`, `null`, `[]`, `{`,
		`{"active":true,"exp":1e999}`, "{\"a\":\"\xff\"}", `{"\u0061":1,"a":2}`,
		`{ "a" : "}\",:" , "b" : [ {"c" : [1, 2]} , null ] , "c":{} , "d": -1 }`, `{"":{"":{}}}`, ` { } `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := claims.Parse(text)
		if err != nil {
			return
		}
		var plain claims.Set
		if err := json.Unmarshal(text, &plain); err != nil || !maps.EqualFunc(set, plain, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("%q: got %s, and encoding/json reads %s (%v)", text, set, plain, err)
		}
		for name := range set {
			_, _, _ = set.Time(name)
			_, _ = set.List(name)
			_ = set.Object(name)
		}
	})
}
