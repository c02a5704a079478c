package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/terminal"
)

// print writes everything for a terminal.
func print(w io.Writer, l checklist.List, done written, environment string, response []byte) error {
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
	_, err := fmt.Fprintf(w, "\n%s\n", nextStep(l, environment))
	return err
}

// nextStep says what to do now.
func nextStep(l checklist.List, environment string) string {
	deploy := "make deploy"
	if environment != "" {
		deploy += " ENV=" + terminal.Printable(environment)
	}
	switch {
	case l.Count(checklist.Failed) > 0:
		return "Nothing was deployed. Fix what failed, then run this again."
	case l.Count(checklist.Warning)+l.Count(checklist.Skipped) > 0:
		return "Nothing failed. If the warnings and the skipped checks are as you expect: " + deploy
	}
	return "Ready: " + deploy
}
