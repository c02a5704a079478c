package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"healthlake-smart-on-fhir/cmd/preflight/internal/cdkcontext"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
)

// print writes everything for a terminal.
func print(w io.Writer, l checklist.List, changes []string, answer []byte) error {
	if len(changes) > 0 {
		fmt.Fprintf(w, "Changed in %s:\n", cdkcontext.File)
		for _, c := range changes {
			fmt.Fprintf(w, "  %s\n", c)
		}
		fmt.Fprintln(w)
	}
	if err := l.Table(w); err != nil {
		return err
	}
	if answer != nil {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, answer, "", "  "); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nHealthLake would get for this token:\n%s\n", pretty.String())
	}
	_, err := fmt.Fprintf(w, "\n%s\n", next(l))
	return err
}

// next says what to do now.
func next(l checklist.List) string {
	switch {
	case l.Count(checklist.Failed) > 0:
		return "Mend what failed, and run this again. Nothing was deployed."
	case l.Count(checklist.Warning)+l.Count(checklist.Skipped) > 0:
		return "Nothing failed. If what is skipped or warned of is as it should be: make deploy"
	}
	return "Ready: make deploy"
}
