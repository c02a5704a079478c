package cdkcontext

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"\xef\xbb\xbf{}", "line 1, column 1: an invisible byte order mark; save the file as UTF-8 without BOM"},
		{"\xff\xfe{\x00}\x00", "line 1, column 1: an invisible byte order mark; save the file as UTF-8 without BOM"},
		{"", "line 1, column 1: the file is empty"},
		{" \n\t", "line 1, column 1: the file is empty"},
		{"{\n  \"a\": 1,\n}", "line 2, column 9: a comma before the closing }; remove it"},
		{"{\"a\": [1, 2 , ]}", "line 1, column 13: a comma before the closing ]; remove it"},
		{"{\n  // mine\n  \"a\": 1\n}", "line 2, column 3: a comment, which JSON does not have; remove it"},
		{"{\"a\": 1 # mine\n}", "line 1, column 9: a comment, which JSON does not have; remove it"},
		{"{\"ä\": “hidden”}", "line 1, column 7: a curly quote; replace it by the straight \""},
		{"{\"a\": \"hidden”\n}", "line 1, column 14: a curly quote; replace it by the straight \""},
		{"{“a”: 1}", "line 1, column 2: a curly quote; replace it by the straight \""},
		{"{\"a“: \"hidden\"}", "line 1, column 4: a curly quote; replace it by the straight \""},
		{"{'a': 1}", "line 1, column 2: a single quote; JSON needs the double quote \" on both sides"},
		{"{\"a\": 1,\n \"a\": 2}", "line 2, column 2: the key \"a\" for the second time, first in line 1, column 2; remove one of the two"},
		{"{\"a\": {\"b\": [{\"c\": 1, \"\\u0063\": 1}]}}", "line 1, column 23: the key \"c\" for the second time, first in line 1, column 15"},
		{"{\"a\": 1\n \"b\": 2}", "line 1, column 8: a comma is missing here"},
		{"{\"a\": [1 2]}", "line 1, column 9: a comma is missing here"},
		{"{\"a\" 1}", "line 1, column 6: a colon is missing before this"},
		{"{a: 1}", "line 1, column 2: a key without quotes; write it between two \""},
		{"{\"a\": 1,, \"b\": 2}", "line 1, column 9: a second comma; remove it"},
		{"{\"a\": \"hidden\n\"}", "line 1, column 14: a line end or tab inside a text; close the text with \" before it"},
		{"{\"a\": True}", "line 1, column 7: not a JSON value; put text between two \", other values are true, false, null and numbers"},
		{"{\"a\": 1", "line 1, column 8: the file ends too early; the closing }, ] or \" is missing"},
		{"{} {}", "line 1, column 4: text after the end of the object; remove it"},
		{"{\"a\": {\"a\": 1}, \"b\": [{\"a\": 1}, {\"a\": 2}]}", ""},
	} {
		got := ""
		if m := check([]byte(test.text)); m.cause != "" {
			got = place([]byte(test.text), m.offset) + ": " + m.cause
		}
		if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%q:\n got %s\nwant %s", test.text, got, test.want)
		}
		if strings.Contains(got, "hidden") {
			t.Errorf("%q: a value is shown: %s", test.text, got)
		}
	}
}

// FuzzCheck: what check has nothing against is JSON, and the place of what it finds is inside the text or at its end.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{"{}", "{\"a\": [1, {\"b\": null}]}", "{“a”: 1,}", "[,]", "\xff\xfe", "{\"a\":1,\"a\":2}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m := check(text)
		if m.cause == "" && !json.Valid(text) {
			t.Fatalf("nothing against %q", text)
		}
		if m.offset < 0 || m.offset > len(text) {
			t.Fatalf("offset %d in %q", m.offset, text)
		}
	})
}
