package stacks

import (
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdklambdagoalpha/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/contract"
)

// caBundleName is the bundle's file name in the function's package.
const caBundleName = "ca.pem"

// bundlingOptions says how a function is compiled. The same source gives the same bytes wherever it lies, so that a
// deploy without a change replaces nothing.
func bundlingOptions(source Source) *awscdklambdagoalpha.BundlingOptions {
	linked := contract.LinkerFlags(source.Version, source.Revision)
	return &awscdklambdagoalpha.BundlingOptions{
		CgoEnabled:   jsii.Bool(false),
		GoBuildFlags: jsii.Strings("-trimpath", "-buildvcs=false", `-ldflags "`+linked+`"`, "-tags "+contract.BuildTags),
		// What the machine's owner has set for other projects must not change the bytes either.
		Environment: &map[string]*string{"GOFLAGS": jsii.String("-mod=readonly"), "GOWORK": jsii.String("off")},
	}
}

// acknowledgeBuildWarnings answers the CDK's warnings that what it is given goes through a shell.
func acknowledgeBuildWarnings(scope constructs.Construct) {
	annotations := awscdk.Annotations_Of(scope)
	annotations.AcknowledgeWarning(jsii.String("@aws-cdk/aws-lambda-go-alpha:goBuildFlagsSecurityWarning"),
		jsii.String("the flags are constants of this program, a checked version and a commit"))
	annotations.AcknowledgeWarning(jsii.String("@aws-cdk/aws-lambda-go-alpha:commandHooksSecurityWarning"),
		jsii.String("the command copies one file, whose name is quoted"))
}

// addedFile puts one file beside the compiled function. The commands go through a shell.
type addedFile struct{ from, to string }

func (*addedFile) BeforeBundling(_, _ *string) *[]*string { return &[]*string{} }

// AfterBundling makes the copy readable for the user that Lambda runs the function as, whatever the original's mode.
func (f *addedFile) AfterBundling(_, outputDir *string) *[]*string {
	return jsii.Strings("install -m 644 " + quote(f.from) + " " + quote(filepath.Join(*outputDir, f.to)))
}

func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
