package stacks

import (
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdklambdagoalpha/v2"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

type checkTokenProps struct {
	after     awscdk.Stack
	source    Source
	secretARN *string
	keyARN    *string // the key that the secret is encrypted with; nil: Secrets Manager's own
}

// newCheckTokenStack adds the function behind the alias that HealthLake calls.
func newCheckTokenStack(d deployment, props checkTokenProps) (awscdk.Stack, error) {
	stack := d.stack("CheckToken", "SMART on FHIR for HealthLake: the function that verifies bearer tokens", props.after)

	logGroup := awslogs.NewLogGroup(stack, jsii.String("Logs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String(d.names.LogGroup),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	// The class takes an enumeration of the days that CloudWatch accepts, the resource takes the number.
	logGroup.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(d.cfg.LogRetentionDays))

	role := awsiam.Role_FromRoleArn(stack, jsii.String("Role"), jsii.String(d.names.LambdaRoleARN),
		&awsiam.FromRoleArnOptions{Mutable: jsii.Bool(false)})
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
			Resources: &[]*string{logGroup.LogGroupArn()}, // ends in :*, the group's streams
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("secretsmanager:GetSecretValue"),
			Resources: &[]*string{props.secretARN},
		}),
	}
	if props.keyARN != nil {
		// This secret alone: Secrets Manager puts its ARN into the encryption context ("Secret encryption and decryption in
		// AWS Secrets Manager").
		conditions := *throughSecretsManager(d)
		conditions["StringEquals"].(map[string]any)["kms:EncryptionContext:SecretARN"] = props.secretARN
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings("kms:Decrypt"),
			Resources:  &[]*string{props.keyARN},
			Conditions: &conditions,
		}))
	}
	permissions := awsiam.NewManagedPolicy(stack, jsii.String("Permissions"), &awsiam.ManagedPolicyProps{
		Description: jsii.String("What " + d.names.Function + " may do"),
		Roles:       &[]awsiam.IRole{role},
		Statements:  &statements,
	})

	function, err := newFunction(d, props, stack, role, logGroup)
	if err != nil {
		return nil, err
	}
	// The function reads its secret while it starts, which provisioned concurrency makes it do at once.
	function.Node().AddDependency(permissions)
	alias := newAlias(d, stack, function)
	permission := awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("healthlake.amazonaws.com"), nil),
	}
	// Not by default: AWS does not document that HealthLake says for which account it calls, and if it does not, the
	// condition refuses every request.
	if d.cfg.RestrictInvokeToAccount {
		permission.SourceAccount = jsii.String(d.cfg.Account)
	}
	alias.AddPermission(jsii.String("HealthLakeInvokes"), &permission)

	newLogMetrics(d, stack, logGroup)
	newAlarms(d, stack)

	output(stack, "AliasArn", "Function alias that HealthLake calls for every FHIR request", alias.FunctionArn())
	return stack, nil
}

func newFunction(
	d deployment, props checkTokenProps, stack awscdk.Stack, role awsiam.IRole, logGroup awslogs.ILogGroup,
) (awslambda.Function, error) {
	environment := d.cfg.Environment()
	environment.SecretID = *props.secretARN
	bundling := bundlingOptions(props.source)
	if d.cfg.AuthCABundle != "" {
		bundle, err := props.source.caBundle(d.cfg.AuthCABundle)
		if err != nil {
			return nil, err
		}
		bundling.CommandHooks = &addedFile{from: bundle, to: caBundleName}
		environment.AuthCABundle = caBundleName
	}
	variables := map[string]*string{}
	for name, value := range environment.Variables() {
		variables[name] = jsii.String(value)
	}
	architecture := awslambda.Architecture_ARM_64()
	if d.cfg.LambdaArchitecture == config.ArchitectureX8664 {
		architecture = awslambda.Architecture_X86_64()
	}
	function := awscdklambdagoalpha.NewGoFunction(stack, jsii.String("Function"), &awscdklambdagoalpha.GoFunctionProps{
		FunctionName: jsii.String(d.names.Function),
		Description:  jsii.String("Verifies the bearer token of a FHIR request for HealthLake"),
		Entry:        jsii.String(filepath.Join(props.source.Root, "lambda", "checktoken")),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: architecture,
		Bundling:     bundling,
		Role:         role,
		MemorySize:   jsii.Number(d.cfg.LambdaMemorySize),
		// HealthLake stops waiting after one second, and the function answers within 900 ms. What still runs after two is
		// stuck and gives its place to the next call.
		Timeout:     awscdk.Duration_Seconds(jsii.Number(2)),
		Environment: &variables,
		LogGroup:    logGroup,
		// The platform's own lines as JSON, so that one query covers them and the function's, which are JSON already. The
		// function decides what it writes; the platform filters none of it.
		LoggingFormat:                awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2:        awslambda.ApplicationLogLevel_DEBUG,
		SystemLogLevelV2:             awslambda.SystemLogLevel_INFO,
		ReservedConcurrentExecutions: reservedConcurrency(d.cfg),
	})
	awscdk.Annotations_Of(stack).AcknowledgeWarning(
		jsii.String("@aws-cdk/aws-lambda-go-alpha:goBuildFlagsSecurityWarning"),
		jsii.String("the flags are constants of this program, a checked version and a commit"))
	awscdk.Annotations_Of(stack).AcknowledgeWarning(
		jsii.String("@aws-cdk/aws-lambda-go-alpha:commandHooksSecurityWarning"),
		jsii.String("the command copies one file, whose name is quoted"))
	return function, nil
}

// caBundleName is the bundle's file name in the function's package.
const caBundleName = "ca.pem"

// bundlingOptions says how the function is compiled. The same source gives the same bytes wherever it lies, so that a
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

// addedFile puts one file beside the compiled function. The commands go through a shell.
type addedFile struct{ from, to string }

func (*addedFile) BeforeBundling(_, _ *string) *[]*string { return &[]*string{} }

// AfterBundling makes the copy readable for the user that Lambda runs the function as, whatever the original's mode.
func (f *addedFile) AfterBundling(_, outputDir *string) *[]*string {
	return jsii.Strings("install -m 644 " + quote(f.from) + " " + quote(filepath.Join(*outputDir, f.to)))
}

func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// reservedConcurrency is nil unless asked for: reserving takes concurrency from the account's other functions and caps
// this one, and a call over the cap is a FHIR request refused.
func reservedConcurrency(cfg config.Config) *float64 {
	if cfg.LambdaReservedConcurrency == 0 {
		return nil
	}
	return jsii.Number(cfg.LambdaReservedConcurrency)
}

// newAlias adds the alias on the function's current version. Every change to code or settings makes a new version, and
// the alias moves there once the new version's instances stand ready; callers notice nothing.
func newAlias(d deployment, stack awscdk.Stack, function awslambda.Function) awslambda.Alias {
	alias := awslambda.NewAlias(stack, jsii.String("Live"), &awslambda.AliasProps{
		AliasName:                       jsii.String(contract.AliasName),
		Description:                     jsii.String("Called by HealthLake"),
		Version:                         function.CurrentVersion(),
		ProvisionedConcurrentExecutions: jsii.Number(d.cfg.LambdaConcurrentExecutions),
	})
	if d.cfg.LambdaMaxConcurrentExecutions > d.cfg.LambdaConcurrentExecutions {
		alias.AddAutoScaling(&awslambda.AutoScalingOptions{
			MinCapacity: jsii.Number(d.cfg.LambdaConcurrentExecutions),
			MaxCapacity: jsii.Number(d.cfg.LambdaMaxConcurrentExecutions),
		}).ScaleOnUtilization(&awslambda.UtilizationScalingOptions{
			// The rest of the instances serve while new ones come up, which takes minutes: alarms look at three of them.
			UtilizationTarget: jsii.Number(0.7),
		})
	}
	return alias
}
