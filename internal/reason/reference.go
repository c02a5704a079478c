package reason

import (
	"fmt"
	"strings"
)

// Reference is the table as a Markdown page.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Reasons\n\nEach call of the function logs one JSON line; its `outcome` and `reason` say what came of the call. " +
		"How to find the line: [operations](../operations.md#why-was-this-request-refused).\n")
	for _, section := range []struct {
		outcome     Outcome
		title, text string
	}{
		{OutcomeDenied, "The token was denied", "`outcome` is `denied`: the response says `isAuthorized: false`."},
		{OutcomeError, "The function could not decide", "`outcome` is `error`: there is no response, and HealthLake refuses the " +
			"request. The reason is also the `errorType` that Lambda shows."},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| reason | what it means | what to do |\n| --- | --- | --- |\n", section.title, section.text)
		for _, r := range All() {
			if r.Outcome == section.outcome {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Word, r.Meaning, r.Fix)
			}
		}
	}
	return b.String()
}
