// Package terminal makes text that came from elsewhere safe to print. A terminal obeys control characters (ECMA-48), and
// formatting characters can change the order in which it shows text (Unicode Standard Annex #9).
package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Printable returns s as one line: every control and formatting character, line ends included, and every byte that is not
// UTF-8 becomes U+FFFD.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Lines is Printable for text of several lines: it keeps the line ends.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}

// JSON returns a JSON text with the same value, in which the strings have escapes (RFC 8259 section 7) for what Printable
// replaces. Line ends between values stay.
func JSON(text []byte) []byte {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case r == '\t' || r == '\r': // JSON allows these between values alone
			b.WriteByte(' ')
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return []byte(b.String())
}
