package config

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	_, problems := Parse(with(map[string]any{
		"account": "12345", "tagValue": "ä;", "authEndpiont": "x", "srvAPIKey": "a b", "secretName": "my-secret"}))
	var b strings.Builder
	Report(&b, problems)
	want := `error    account       got "12345"                 want 12 digits
error    tagValue      got "ä;"                    want at most 256 letters, digits, spaces or _.:/=+-@
warning  secretName    got "my-secret"             want a name that does not end in a hyphen and six characters: ` +
		`Secrets Manager may confuse it with an ARN
error    authEndpiont  unknown key authEndpiont, did you mean authEndpoint?
error    srvAPIKey     got (hidden, 3 characters)  want printable ASCII characters without spaces, or a reference ` +
		`such as {{resolve:secretsmanager:<secret>:SecretString:<json key>}}
Fix the errors in cdk.context.json, or give the values with -c key=value; then run the command again.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestReportWarningsAlone(t *testing.T) {
	_, problems := Parse(with(map[string]any{"clientId": "11111111-2222-3333-4444-555555555555"}))
	var b strings.Builder
	Report(&b, problems)
	want := `warning  clientId  got "11111111-2222-3333-4444-555555555555"  ` +
		`want your own value: this is a placeholder
Warnings do not stop the command. The values are in cdk.context.json, or come from -c key=value.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	Report(&b, nil)
	if b.Len() > 0 {
		t.Errorf("without problems: %q", b.String())
	}
}

// Whatever is in a problem, the terminal obeys none of it.
func TestReportIsPrintable(t *testing.T) {
	var b strings.Builder
	Report(&b, []Problem{{Key: "a", Got: "b\u202e", Want: "c\x1b[2J"}})
	if line, _, _ := strings.Cut(b.String(), "\n"); line != "error    a  got b\ufffd  want c\ufffd[2J" {
		t.Errorf("got %q", line)
	}
}

func TestHasErrors(t *testing.T) {
	for _, test := range []struct {
		problems []Problem
		want     bool
	}{
		{nil, false},
		{[]Problem{{Warning: true}}, false},
		{[]Problem{{Warning: true}, {}}, true},
	} {
		if got := HasErrors(test.problems); got != test.want {
			t.Errorf("HasErrors(%v) = %v", test.problems, got)
		}
	}
}

func TestShow(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{"a\nb", `"a\nb"`},
		{strings.Repeat("é", 61), `"` + strings.Repeat("é", 60) + `…"`},
		{123456789012.0, "123456789012"},
		{0.5, "0.5"},
		{1e300, "1e+300"},
		{7, "7"},
		{true, "true"},
		{nil, "null"},
		{[]any{"secret"}, "a list"},
		{map[string]any{"secret": "secret"}, "an object"},
		{"https://user:secret@idp.example/x", `"https:(hidden)@idp.example/x"`},
		{"https:/user:sec@ret/@idp.example", `"https:(hidden)@idp.example"`},
		{"user:secret@idp.example", `"user:(hidden)@idp.example"`},
	} {
		if got := show(test.v); got != test.want {
			t.Errorf("show(%v) = %s, want %s", test.v, got, test.want)
		}
	}
}
