package stacks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"healthlake-smart-on-fhir/internal/config"
)

// finding is what a rule has against a resource.
type finding struct {
	rule     string // such as AwsSolutions-SMG4
	resource string // the construct's path, without the prefix, and without the ids that logical ids leave out
}

// Every finding of cdk-nag's AWS Solutions and HIPAA Security packs, in every variant, is one that docs/security.md
// accepts with a reason; and every finding that it accepts is one that there is.
func TestNag(t *testing.T) {
	accepted := acceptedFindings(t)
	met := map[finding]bool{}
	each(t, func(t *testing.T, cfg config.Config, _ synthesized) {
		for _, f := range nagFindings(t, cfg) {
			if !accepted[f] {
				t.Errorf("%s: %s", f.resource, f.rule)
			}
			met[f] = true
		}
	})
	for f := range accepted {
		if !met[f] {
			t.Errorf("docs/security.md accepts %s of %s, and no variant has it", f.rule, f.resource)
		}
	}
}

// acceptedFindings are the rows | `rule` | `resource` | reason |.
func acceptedFindings(t *testing.T) map[finding]bool {
	t.Helper()
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `((?:AwsSolutions|HIPAA\\.Security)-[^`]+)` \\| `([^`]+)` \\| (.*) \\|$")
	accepted := map[finding]bool{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		f := finding{m[1], m[2]}
		if accepted[f] {
			t.Errorf("docs/security.md accepts %v twice", f)
		}
		if len(m[3]) < 40 {
			t.Errorf("%v: %q is no reason", f, m[3])
		}
		accepted[f] = true
	}
	if len(accepted) == 0 {
		t.Fatal("docs/security.md has no table of accepted findings")
	}
	return accepted
}

// nagFindings also has whatever else the CDK warns of: nothing that it has to say should go unheard.
func nagFindings(t *testing.T, cfg config.Config) (found []finding) {
	t.Helper()
	flags := contextFlags(t)
	flags["aws:cdk:bundling-stacks"] = []string{}
	// Findings are errors, which would otherwise end the synthesis before they can be read.
	flags["@aws-cdk/core:annotationsInValidationReport"] = false
	out := filepath.Join(t.TempDir(), "cdk.out")
	app := awscdk.NewApp(&awscdk.AppProps{Context: &flags, Outdir: &out, AnalyticsReporting: jsii.Bool(false)})
	if err := New(app, cfg, source); err != nil {
		t.Fatal(err)
	}
	props := &cdknag.NagPackProps{Reports: jsii.Bool(false)}
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(props), nil)
	awscdk.Aspects_Of(app).Add(cdknag.NewHIPAASecurityChecks(props), nil)

	for _, name := range []string{"Roles", "Secret", "CheckToken", "Datastore"} {
		stack := awscdk.Stack_Of(app.Node().FindChild(jsii.String(cfg.Prefix + name)))
		annotations := assertions.Annotations_FromStack(stack)
		messages := *annotations.FindError(jsii.String("*"), assertions.Match_AnyValue())
		messages = append(messages, *annotations.FindWarning(jsii.String("*"), assertions.Match_AnyValue())...)
		for _, message := range messages {
			//lint:ignore SA1019 the CDK's own assertions still return this type
			text, path := fmt.Sprint(message.Entry.Data), *message.Id
			rule, _, _ := strings.Cut(text, ": ")
			path = strings.ReplaceAll(strings.TrimPrefix(path, "/"+cfg.Prefix), "/"+defaultID, "")
			found = append(found, finding{rule, path})
		}
	}
	return found
}
