package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/terminal"
)

// report prints what a deploy does to the datastore, and says what to do where that may not be what somebody wants.
func (p plan) report(w io.Writer, now time.Time) {
	var b strings.Builder
	row := func(name string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(&b, "  %-17s %s\n", name+":", strings.Join(values, ", "))
		}
	}
	row("would replace", p.replaces)
	row("changes in place", p.changed)
	row("changed by hand", p.byHand)
	if p.removed {
		row("would be removed", []string{"the datastore itself"})
	}
	if b.Len() == 0 {
		b.WriteString("  no change\n")
	}
	if len(p.byHand) > 0 {
		b.WriteString("  Somebody changed " + strings.Join(p.byHand, ", ") + " on the datastore itself since the last deploy.\n")
		if p.applies || len(p.changed) > 0 {
			b.WriteString("  This deploy sets every setting as the context has it.\n")
		} else {
			fmt.Fprintf(&b, "  This deploy leaves that. To set what the context has:\n"+
				"    make deploy CDK_OPTIONS=\"--parameters %s:%s=%s\"\n", p.stack, contract.ApplyParameter,
				now.UTC().Format("2006-01-02T15:04:05Z"))
		}
	}
	fmt.Fprintf(w, "%s, the datastore:\n%s", p.stack, terminal.Lines(b.String()))
}

// refusal says what would be lost; nil if nothing would.
func (p plan) refusal() error {
	var b strings.Builder
	switch {
	case p.removed:
		fmt.Fprintf(&b, "\nStopped: this deploy would remove the datastore from stack %s. It would be deleted with all its records "+
			"unless protectDatastore was true at the last deploy.\n", p.stack)
	case len(p.replaces) > 0:
		fmt.Fprintf(&b, "\nStopped: this deploy would replace the datastore of stack %s. These can be set only when a datastore is "+
			"created, and they changed: %s.\nThe new datastore would be empty, with another id and endpoint. The old one would be "+
			"kept with its records,\noutside of the stack, and would still cost money.\n", p.stack, strings.Join(p.replaces, ", "))
	default:
		return nil
	}
	b.WriteString("\nTo go on all the same:\n  CONFIRM_REPLACEMENT=yes make deploy")
	return errors.New(b.String())
}
