// Package checklist is the list of what was checked, for people and for programs.
package checklist

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Status is what came of a check.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // works, but is hardly meant or will not do for long
	Failed  Status = "failed"  // the deployment would not work, or would not be safe
	Skipped Status = "skipped" // not checked; the reason says why
)

// Row is one check. No field ever holds a token, a secret or a key.
type Row struct {
	Check  string `json:"check"` // the same for the same check from run to run
	Status Status `json:"status"`
	Reason string `json:"reason"`
	Mend   string `json:"mend,omitempty"` // what to do; only with a warning or a failure
}

// List is the rows in the order in which they were checked.
type List []Row

// OK adds a check that found nothing wrong.
func (l *List) OK(check, reason string) { l.add(Row{check, OK, reason, ""}) }

// Warn adds a warning.
func (l *List) Warn(check, reason, mend string) { l.add(Row{check, Warning, reason, mend}) }

// Fail adds a failure.
func (l *List) Fail(check, reason, mend string) { l.add(Row{check, Failed, reason, mend}) }

// Skip adds a check that was not made.
func (l *List) Skip(check, reason string) { l.add(Row{check, Skipped, reason, ""}) }

func (l *List) add(r Row) {
	r.Check, r.Reason, r.Mend = printable(r.Check), printable(r.Reason), printable(r.Mend)
	*l = append(*l, r)
}

// printable keeps what a server sent, or slipped into a file, from garbling the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Count is how many rows have the status.
func (l List) Count(s Status) (n int) {
	for _, r := range l {
		if r.Status == s {
			n++
		}
	}
	return n
}

// Worst is Failed if a row failed, else Warning if one warns, else OK.
func (l List) Worst() Status {
	return cmp.Or(l.has(Failed), l.has(Warning), OK)
}

func (l List) has(s Status) Status {
	if l.Count(s) > 0 {
		return s
	}
	return ""
}

// Table writes the rows for a terminal, one line each and a second one for what to do, and a line that counts them.
func (l List) Table(w io.Writer) error {
	width := 0
	for _, r := range l {
		width = max(width, utf8.RuneCountInString(r.Check))
	}
	var b strings.Builder
	for _, r := range l {
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", r.Status, width, r.Check, r.Reason)
		if r.Mend != "" {
			fmt.Fprintf(&b, "%-7s  %-*s  mend: %s\n", "", width, "", r.Mend)
		}
	}
	fmt.Fprintf(&b, "\nok %d, warning %d, failed %d, skipped %d\n",
		l.Count(OK), l.Count(Warning), l.Count(Failed), l.Count(Skipped))
	_, err := io.WriteString(w, b.String())
	return err
}

// Document is the list and what belongs to it as one JSON object.
type Document struct {
	Status  Status          `json:"status"` // the worst of the rows
	Checks  List            `json:"checks"`
	Changes []string        `json:"changes,omitempty"` // what was written to cdk.context.json
	Answer  json.RawMessage `json:"answer,omitempty"`  // what HealthLake would get for the token
}

// JSON writes the document, indented. An answer keeps its bytes but for white space.
func (l List) JSON(w io.Writer, changes []string, answer []byte) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	checks := l
	if checks == nil {
		checks = List{}
	}
	return encoder.Encode(Document{Status: l.Worst(), Checks: checks, Changes: slices.Clip(changes), Answer: answer})
}
