package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdklambdagoalpha/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// Function is the checkToken function with its permissions and its log, behind the alias that HealthLake calls.
type Function struct {
	constructs.Construct
	LogGroup awslogs.LogGroup
}

// FunctionProps are the properties of Function.
type FunctionProps struct {
	Config    config.Config
	Source    Source
	SecretARN *string
	KeyARN    *string // the customer key that the secret and the log are encrypted with; nil: the services' own
}

// NewFunction adds the function. An error is about the file that the key authCaBundle names.
func NewFunction(scope constructs.Construct, id string, props FunctionProps) (Function, error) {
	cfg, names := props.Config, props.Config.Names()
	construct := constructs.NewConstruct(scope, jsii.String(id))

	logGroup := newLogGroup(construct, cfg, names.LogGroup, props.KeyARN)
	role := awsiam.Role_FromRoleArn(construct, jsii.String("Role"), jsii.String(names.LambdaRoleARN),
		&awsiam.FromRoleArnOptions{Mutable: jsii.Bool(false)})
	statements := functionStatements(props, logGroup)
	var network *Network
	if cfg.InVPC() {
		made := NewNetwork(construct, "Network", NetworkProps{Config: cfg, SecretARN: props.SecretARN})
		network, statements = &made, append(statements, made.statements(cfg)...)
	}
	permissions := awsiam.NewManagedPolicy(construct, jsii.String("Permissions"), &awsiam.ManagedPolicyProps{
		Description: jsii.String("What " + names.Function + " may do"),
		Roles:       &[]awsiam.IRole{role},
		Statements:  &statements,
	})

	settings, err := functionSettings(props)
	if err != nil {
		return Function{}, err
	}
	settings.Role, settings.LogGroup = role, logGroup
	function := awscdklambdagoalpha.NewGoFunction(construct, jsii.String("Function"), settings)
	if network != nil {
		network.connect(function)
	}
	acknowledgeBuildWarnings(construct)
	// The function reads its secret while it starts, which provisioned concurrency makes it do at once.
	function.Node().AddDependency(permissions)

	alias := newAlias(construct, cfg, function)
	output(construct, "AliasArn", "Function alias that HealthLake calls for every FHIR request", alias.FunctionArn())
	return Function{Construct: construct, LogGroup: logGroup}, nil
}

// functionStatements are what the function may do.
func functionStatements(props FunctionProps, logGroup awslogs.LogGroup) []awsiam.PolicyStatement {
	statements := []awsiam.PolicyStatement{
		writesLog(logGroup),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("secretsmanager:GetSecretValue"),
			Resources: &[]*string{props.SecretARN},
		}),
	}
	if props.KeyARN != nil {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings("kms:Decrypt"),
			Resources:  &[]*string{props.KeyARN},
			Conditions: throughService(props.Config, "secretsmanager", props.SecretARN),
		}))
	}
	if props.Config.Tracing {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
			Resources: jsii.Strings("*"), // X-Ray has no resource for these (Service Authorization Reference)
		}))
	}
	return statements
}

// functionSettings are the function's properties, apart from its role and log.
func functionSettings(props FunctionProps) (*awscdklambdagoalpha.GoFunctionProps, error) {
	cfg := props.Config
	environment := cfg.Environment()
	environment.SecretID = *props.SecretARN
	bundling := bundlingOptions(props.Source)
	if cfg.AuthCABundle != "" {
		bundle, err := props.Source.caBundle(cfg.AuthCABundle)
		if err != nil {
			return nil, err
		}
		bundling.CommandHooks = &addedFile{from: bundle, to: caBundleName}
		environment.AuthCABundle = caBundleName
	}
	return &awscdklambdagoalpha.GoFunctionProps{
		FunctionName: jsii.String(cfg.Names().Function),
		Description:  jsii.String("Verifies the bearer token of a FHIR request for HealthLake"),
		Entry:        jsii.String(props.Source.entry(checkTokenMain)),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: architecture(cfg),
		Bundling:     bundling,
		MemorySize:   jsii.Number(cfg.LambdaMemorySize),
		// HealthLake stops waiting after one second, and the function responds within 900 ms. What still runs after two
		// seconds hangs, and must not block the instance for the next call.
		Timeout:     awscdk.Duration_Seconds(jsii.Number(2)),
		Environment: jsiiStrings(environment.Variables()),
		// The platform's own lines as JSON, so that one query covers them and the function's, which are JSON already. The
		// function decides what it writes; the platform filters none of it.
		LoggingFormat:                awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2:        awslambda.ApplicationLogLevel_DEBUG,
		SystemLogLevelV2:             awslambda.SystemLogLevel_INFO,
		ReservedConcurrentExecutions: reservedConcurrency(cfg),
		Tracing:                      tracing(cfg),
	}, nil
}

func architecture(cfg config.Config) awslambda.Architecture {
	if cfg.LambdaArchitecture == config.ArchitectureX8664 {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}

// newLogGroup adds a function's log. keyARN is the customer key; nil: CloudWatch's own.
func newLogGroup(scope constructs.Construct, cfg config.Config, name string, keyARN *string) awslogs.LogGroup {
	logGroup := awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String(name),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	logs := logGroup.Node().DefaultChild().(awslogs.CfnLogGroup)
	// The class takes an enumeration of the days that CloudWatch accepts, the resource takes the number.
	logs.SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))
	// The class would change the key's policy, which is written with the key, in another stack.
	logs.SetKmsKeyId(keyARN)
	return logGroup
}

func writesLog(logGroup awslogs.LogGroup) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
		Resources: &[]*string{logGroup.LogGroupArn()}, // ends in :*, the group's streams
	})
}

func jsiiStrings(values map[string]string) *map[string]*string {
	converted := map[string]*string{}
	for key, value := range values {
		converted[key] = jsii.String(value)
	}
	return &converted
}

// tracing is left out unless asked for, so that a template that does not trace stays as it is.
func tracing(cfg config.Config) awslambda.Tracing {
	if cfg.Tracing {
		return awslambda.Tracing_ACTIVE
	}
	return ""
}

// reservedConcurrency is nil unless asked for: reserving takes concurrency from the account's other functions and caps
// this one, and a call over the cap is a FHIR request refused.
func reservedConcurrency(cfg config.Config) *float64 {
	if cfg.LambdaReservedConcurrency == 0 {
		return nil
	}
	return jsii.Number(cfg.LambdaReservedConcurrency)
}

// newAlias adds the alias on the function's current version, and lets HealthLake invoke it. Every change to code or
// settings makes a new version, and the alias moves there once the new version's instances are ready; callers notice
// nothing.
func newAlias(scope constructs.Construct, cfg config.Config, function awslambda.Function) awslambda.Alias {
	alias := awslambda.NewAlias(scope, jsii.String("Live"), &awslambda.AliasProps{
		AliasName:                       jsii.String(contract.AliasName),
		Description:                     jsii.String("Called by HealthLake"),
		Version:                         function.CurrentVersion(),
		ProvisionedConcurrentExecutions: jsii.Number(cfg.LambdaConcurrentExecutions),
	})
	if cfg.LambdaMaxConcurrentExecutions > cfg.LambdaConcurrentExecutions {
		alias.AddAutoScaling(&awslambda.AutoScalingOptions{
			MinCapacity: jsii.Number(cfg.LambdaConcurrentExecutions),
			MaxCapacity: jsii.Number(cfg.LambdaMaxConcurrentExecutions),
		}).ScaleOnUtilization(&awslambda.UtilizationScalingOptions{
			// The rest of the instances serve while new ones come up, which takes minutes: alarms look at three of them.
			UtilizationTarget: jsii.Number(0.7),
		})
	}
	permission := awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("healthlake.amazonaws.com"), nil),
	}
	// Not by default: AWS does not document that HealthLake says for which account it calls, and if it does not, the
	// condition refuses every request.
	if cfg.RestrictInvokeToAccount {
		permission.SourceAccount = jsii.String(cfg.Account)
	}
	alias.AddPermission(jsii.String("HealthLakeInvokes"), &permission)
	return alias
}
