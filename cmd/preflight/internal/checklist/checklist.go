// Package checklist is the list of what was checked, for people and for programs.
package checklist

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"healthlake-smart-on-fhir/internal/terminal"
)

// Status is the result of a check.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // works, but is probably unintended or will soon stop working
	Failed  Status = "failed"  // the deployment would not work, or would not be safe
	Skipped Status = "skipped" // not checked; the reason says why
)

// Row is one check. No field may hold a token, a secret or a key. Every field is safe to print on a terminal.
type Row struct {
	Check  string `json:"check"` // a stable name
	Status Status `json:"status"`
	Reason string `json:"reason"`
	Fix    string `json:"fix,omitempty"` // what to do; only with a warning or a failure
}

// List is the rows in the order in which they were checked.
type List []Row

// OK adds a check that found nothing wrong.
func (l *List) OK(check, reason string) { l.add(Row{check, OK, reason, ""}) }

// Warn adds a warning.
func (l *List) Warn(check, reason, fix string) { l.add(Row{check, Warning, reason, fix}) }

// Fail adds a failure.
func (l *List) Fail(check, reason, fix string) { l.add(Row{check, Failed, reason, fix}) }

// Skip adds a check that was not made.
func (l *List) Skip(check, reason string) { l.add(Row{check, Skipped, reason, ""}) }

func (l *List) add(r Row) {
	r.Check, r.Reason, r.Fix = terminal.Printable(r.Check), terminal.Printable(r.Reason), terminal.Printable(r.Fix)
	*l = append(*l, r)
}

// Count returns how many rows have the status.
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

// Table writes the rows for a terminal: a line for each, a second line for its fix, and a last line with the counts.
func (l List) Table(w io.Writer) error {
	width := 0
	for _, r := range l {
		width = max(width, utf8.RuneCountInString(r.Check))
	}
	var b strings.Builder
	for _, r := range l {
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", r.Status, width, r.Check, r.Reason)
		if r.Fix != "" {
			fmt.Fprintf(&b, "%-7s  %-*s  fix: %s\n", "", width, "", r.Fix)
		}
	}
	fmt.Fprintf(&b, "\nok %d, warning %d, failed %d, skipped %d\n",
		l.Count(OK), l.Count(Warning), l.Count(Failed), l.Count(Skipped))
	_, err := io.WriteString(w, b.String())
	return err
}

// Document is the list and what belongs to it as one JSON object.
type Document struct {
	Status   Status          `json:"status"` // the worst of the rows
	Checks   List            `json:"checks"`
	Changes  []string        `json:"changes,omitempty"`  // what was written to cdk.context.json
	Response json.RawMessage `json:"response,omitempty"` // what HealthLake would get for the token
}

// JSON writes the document, indented. response keeps its value; what a terminal could misread in its strings is escaped.
func (l List) JSON(w io.Writer, changes []string, response []byte) error {
	checks := l
	if checks == nil {
		checks = List{}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(Document{Status: l.Worst(), Checks: checks, Changes: slices.Clip(changes), Response: response})
	if err != nil {
		return err
	}
	_, err = w.Write(terminal.JSON(b.Bytes()))
	return err
}
