package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/terminal"
)

// print writes everything for a terminal, and last what to do next.
func print(w io.Writer, l checklist.List, done written, response []byte, next string) error {
	if len(done.changes) > 0 {
		fmt.Fprintf(w, "Changed in %s:\n", done.file)
		for _, c := range done.changes {
			fmt.Fprintf(w, "  %s\n", c)
		}
		fmt.Fprintln(w)
	}
	if err := l.Table(w); err != nil {
		return err
	}
	if response != nil {
		var indented bytes.Buffer
		if err := json.Indent(&indented, response, "", "  "); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nHealthLake would get for this token:\n%s\n", terminal.JSON(indented.Bytes()))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", next)
	return err
}

// nextStep says what to do now.
func (o options) nextStep(l checklist.List, environment string) string {
	deploy := "make deploy"
	if environment != "" {
		deploy += " ENV=" + terminal.Printable(environment)
	}
	failed := l.Count(checklist.Failed) > 0
	switch {
	case failed && o.fromLambda:
		return "Fix what failed. If that was in the context: STACK=CheckToken " + deploy + ". Then run this again."
	case failed:
		return "Nothing was deployed. Fix what failed, then run this again."
	case l.Count(checklist.Warning)+l.Count(checklist.Skipped) > 0:
		return "Nothing failed. If the warnings and the skipped checks are as you expect: " + deploy
	}
	return "Ready: " + deploy
}
