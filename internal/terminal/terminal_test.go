package terminal

import (
	"encoding/json"
	"testing"
	"unicode"
)

// Characters that a terminal obeys, or that change the order of what it shows.
const harmful = "\x00\a\b\r\x1b\x7f\u0085\u009b\u200e\u200f\u061c\u202a\u202e\u2066\u2069\u2028\ufeff\U000e0001"

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"plain, größe, 中文": "plain, größe, 中文",
		"a\x1b[2Jb":        "a\ufffd[2Jb",
		"a\nb\tc":          "a\ufffdb\ufffdc",
		"a\u202eb":         "a\ufffdb",
		"a\u009b2Jb":       "a\ufffd2Jb",
		"a\xffb":           "a\ufffdb",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
	for _, r := range harmful {
		if got := Printable(string(r)); got != "\ufffd" {
			t.Errorf("Printable(%q) = %q", r, got)
		}
	}
}

func TestLines(t *testing.T) {
	if got := Lines("a\x1bb\n\u202ec\n"); got != "a\ufffdb\n\ufffdc\n" {
		t.Errorf("got %q", got)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(map[string]string{"claim": harmful, harmful: "x"})
	if err != nil {
		t.Fatal(err)
	}
	sameValue(t, text)
	sameValue(t, []byte("{\r\n\t\"a\":\t[1,\r\n 2]}"))
	if got := string(JSON([]byte("\"a\u202e\u009b\U000e0001b\""))); got != `"a\u202e\u009b\udb40\udc01b"` {
		t.Errorf("got %s", got)
	}
}

// sameValue checks that JSON keeps the value of a text, and leaves nothing harmful in it.
func sameValue(t *testing.T, text []byte) {
	t.Helper()
	got := JSON(text)
	var before, after any
	if err := json.Unmarshal(text, &before); err != nil {
		return
	}
	if err := json.Unmarshal(got, &after); err != nil {
		t.Fatalf("%q became %q: %v", text, got, err)
	}
	b, _ := json.Marshal(before)
	a, _ := json.Marshal(after)
	if string(a) != string(b) {
		t.Errorf("%q became %q", text, got)
	}
	for _, r := range string(got) {
		if !unicode.IsPrint(r) && r != '\n' {
			t.Errorf("%q holds %q", got, r)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a": "` + "\u202e" + `"}`))
	f.Add([]byte("[1,\r\n\t2]"))
	f.Add([]byte("\"\xff\U000e0001\""))
	f.Fuzz(func(t *testing.T, text []byte) { sameValue(t, text) })
}
