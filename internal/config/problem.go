package config

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"healthlake-smart-on-fhir/internal/terminal"
)

// Problem is one error in the context or, as a Warning, something valid but probably unintended. None of its fields ever
// contains a secret. For a key that does not exist, Got is UnknownKey and Want says which keys there are.
type Problem struct {
	Key     string // as the context spells it
	Got     string // what it holds, safe to show
	Want    string // what it should hold
	Warning bool
}

// UnknownKey is a Problem's Got for a key that does not exist.
const UnknownKey = "unknown key"

// String is one line, such as `account: got "12345", want 12 digits`.
func (p Problem) String() string {
	if p.Got == UnknownKey {
		return p.unknown()
	}
	return fmt.Sprintf("%s: got %s, want %s", p.Key, p.Got, p.Want)
}

func (p Problem) unknown() string {
	return fmt.Sprintf("%s %s, %s", UnknownKey, printable(p.Key), p.Want)
}

// HasErrors reports whether one of the problems is an error.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// Report writes the problems for a terminal, one aligned line each, and then a line that says what to do next. Without
// problems it writes nothing.
func Report(w io.Writer, problems []Problem) {
	if len(problems) == 0 {
		return
	}
	var keyWidth, gotWidth int
	for _, p := range problems {
		keyWidth = max(keyWidth, utf8.RuneCountInString(printable(p.Key)))
		if p.Got != UnknownKey {
			gotWidth = max(gotWidth, utf8.RuneCountInString(p.Got))
		}
	}
	var b strings.Builder
	for _, p := range problems {
		severity := "error"
		if p.Warning {
			severity = "warning"
		}
		fmt.Fprintf(&b, "%-7s  %-*s  ", severity, keyWidth, printable(p.Key))
		if p.Got == UnknownKey {
			fmt.Fprintln(&b, p.unknown())
		} else {
			fmt.Fprintf(&b, "got %-*s  want %s\n", gotWidth, p.Got, p.Want)
		}
	}
	if HasErrors(problems) {
		b.WriteString("Fix the errors in cdk.context.json, or give the values with -c key=value; " +
			"then run the command again.\n")
	} else {
		b.WriteString("Warnings do not stop the command. The values are in cdk.context.json, or come from -c key=value.\n")
	}
	_, _ = io.WriteString(w, terminal.Lines(b.String()))
}

// longest is how many characters of a value are shown.
const longest = 60

// userinfo is the user name and password of a URL, however badly the URL is formed.
var userinfo = regexp.MustCompile(`(?s):.*@`)

// show is a value as people recognize it. Of lists and objects it shows only the kind: there may be a secret inside.
func show(v any) string {
	switch v := v.(type) {
	case string:
		s := userinfo.ReplaceAllString(v, ":(hidden)@")
		if r := []rune(s); len(r) > longest {
			s = string(r[:longest]) + "…"
		}
		return strconv.Quote(s)
	case bool, int:
		return fmt.Sprint(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', -1, 64) // no exponent: an account is a number of 12 digits
		}
		return fmt.Sprint(v)
	}
	return kind(v)
}

// hide shows of a secret only its length, which reveals a value that was cut off or pasted twice.
func hide(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("(hidden, %d characters)", utf8.RuneCountInString(s))
	}
	return fmt.Sprintf("(hidden, %s)", kind(v))
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case int, float64:
		return "a number"
	case []any, []string:
		return "a list"
	}
	return "an object"
}

// printable is a key without characters that could garble the terminal; an unknown key may have some.
func printable(key string) string {
	if q := strconv.Quote(key); q != `"`+key+`"` {
		return q
	}
	return key
}
