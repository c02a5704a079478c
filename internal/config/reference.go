package config

import (
	"fmt"
	"strings"
)

const referenceIntroduction = `# Configuration

<!-- Generated from internal/config/keys_*.go by "make reference". -->

Each key goes into ` + "`cdk.context.json`" + `, or on the command line as ` + "`-c key=value`" + `, which wins. On the command line
everything is a string: a list is its elements with commas or spaces between them, or a JSON array, and an object is JSON.
A key that is neither here nor the CDK's own is an error.

A key marked **replaces the datastore** cannot change in a running deployment: the next deploy would create a **new, empty**
datastore beside the old one. ` + "`make deploy`" + ` stops before that. Every other key changes in place: the datastore keeps its id
and its records. See [the datastore](../operations.md#the-datastore).
`

// Reference is docs/reference/configuration.md: every key with its default, what it may hold, and what it is for.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceIntroduction)
	b.WriteString("\n| | keys |\n| --- | --- |\n")
	for _, g := range groups {
		var links []string
		for _, k := range g.keys {
			links = append(links, fmt.Sprintf("[%s](#%s)", code(k.name), strings.ToLower(k.name)))
		}
		fmt.Fprintf(&b, "| %s | %s |\n", g.title, strings.Join(links, " "))
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n", g.title)
		for _, k := range g.keys {
			b.WriteString(k.reference())
		}
	}
	return b.String()
}

// reference is the key's part of the page.
func (k key) reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n", k.name, k.doc)
	fmt.Fprintf(&b, "- Value: %s\n", escape(k.value.want))
	fmt.Fprintf(&b, "- Default: %s\n", k.byDefault.words)
	if k.secret != "" {
		fmt.Fprintf(&b, "- Left out or empty: `make deploy` takes it from the environment variable `%s`\n", k.secret)
	}
	if len(k.aliases) > 0 {
		fmt.Fprintf(&b, "- Also accepted as: %s\n", codes(k.aliases))
	}
	if k.replaces != "" {
		b.WriteString("- **Replaces the datastore**\n")
	}
	return b.String()
}

// escape keeps plain text from being read as Markdown or HTML.
var escape = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "<", "\\<", ">", "\\>", "[", "\\[",
	"]", "\\]", "|", "\\|").Replace
