package stacks

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdklambdagoalpha/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// newSettings adds the datastore's settings of now: a custom resource, whose function changes the datastore in place where
// they differ from those that it has.
func newSettings(scope constructs.Construct, props DatastoreProps, datastore datastoreOf) {
	construct := constructs.NewConstruct(scope, jsii.String("Settings"))
	function, permissions := newSettingsFunction(construct, props, datastore.arn)
	apply := awscdk.NewCfnParameter(scope, jsii.String(contract.ApplyParameter), &awscdk.CfnParameterProps{
		Type:    jsii.String("String"),
		Default: jsii.String(""),
		Description: jsii.String("A new value, such as the time, makes the deployment compare the settings with the live " +
			"datastore, and change what somebody has changed by hand"),
	})

	wanted := props.Config.DatastoreProperties()
	wanted.DatastoreID, wanted.Created, wanted.ApplySettings = *datastore.id, datastore.created, *apply.ValueAsString()
	resource := awscdk.NewCustomResource(construct, jsii.String("Resource"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String(contract.SettingsType),
		ServiceToken: function.FunctionArn(),
		// Longer than the function's timeout. Without it CloudFormation waits an hour for a function that is lost.
		ServiceTimeout: awscdk.Duration_Minutes(jsii.Number(12)),
		Properties:     propertiesOf(wanted),
	})
	resource.Node().AddDependency(permissions)
}

// newCreated adds the settings that the datastore is created with, each as a parameter of the stack. Its default is the
// setting of now. A later deployment has another default, but keeps the value: the CDK's command line tells CloudFormation
// to use the previous one (CloudFormation API Reference, Parameter, UsePreviousValue). So nothing about the datastore changes
// for CloudFormation, which would replace it; the custom resource changes the settings. The strings in what is returned
// are references to the parameters.
func newCreated(scope constructs.Construct, cfg config.Config) (created contract.DatastoreSettings) {
	now := cfg.DatastoreProperties().Settings()
	for _, p := range []struct {
		setting, now string
		created      *string
	}{
		{"DatastoreName", now.DatastoreName, &created.DatastoreName},
		{"AuthorizationStrategy", now.AuthorizationStrategy, &created.AuthorizationStrategy},
		{"FineGrainedAuthorizationEnabled", now.FineGrainedAuthorizationEnabled, &created.FineGrainedAuthorizationEnabled},
		{"IdpLambdaArn", now.IdpLambdaArn, &created.IdpLambdaArn},
		{"Metadata", now.Metadata, &created.Metadata},
	} {
		*p.created = *awscdk.NewCfnParameter(scope, jsii.String("Created"+p.setting), &awscdk.CfnParameterProps{
			Type:    jsii.String("String"),
			Default: p.now,
			Description: jsii.String("What the datastore was created with; later deployments keep it. Another value would replace " +
				"the datastore by a new, empty one"),
		}).ValueAsString()
	}
	return created
}

// newSettingsFunction adds the function behind the custom resource. It can do nothing but read and change the settings of
// this one datastore.
func newSettingsFunction(scope constructs.Construct, props DatastoreProps, datastoreARN *string,
) (awslambda.Function, awsiam.ManagedPolicy) {
	cfg, names := props.Config, props.Config.Names().Settings
	logGroup := newLogGroup(scope, cfg, names.LogGroup, props.KeyARN)
	role := awsiam.Role_FromRoleArn(scope, jsii.String("Role"), jsii.String(names.RoleARN),
		&awsiam.FromRoleArnOptions{Mutable: jsii.Bool(false)})
	permissions := awsiam.NewManagedPolicy(scope, jsii.String("Permissions"), &awsiam.ManagedPolicyProps{
		Description: jsii.String("What " + names.Function + " may do"),
		Roles:       &[]awsiam.IRole{role},
		Statements: &[]awsiam.PolicyStatement{
			writesLog(logGroup),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("healthlake:DescribeFHIRDatastore", "healthlake:UpdateFHIRDatastore"),
				Resources: &[]*string{datastoreARN},
			}),
		},
	})
	function := awscdklambdagoalpha.NewGoFunction(scope, jsii.String("Function"), &awscdklambdagoalpha.GoFunctionProps{
		FunctionName: jsii.String(names.Function),
		Description:  jsii.String("Changes the settings of the HealthLake datastore in place, for CloudFormation"),
		Entry:        jsii.String(props.Source.entry(settingsMain)),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: architecture(cfg),
		// Without version and commit, which would make a new function of each commit that does not concern it.
		Bundling:    bundlingOptions(Source{}),
		Environment: &map[string]*string{contract.IdpLambdaARN: jsii.String(props.Config.Names().AliasARN)},
		MemorySize:  jsii.Number(settingsMemory),
		// HealthLake carries out one update at a time, and the function waits for another one's end.
		Timeout:               awscdk.Duration_Minutes(jsii.Number(10)),
		Role:                  role,
		LogGroup:              logGroup,
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_DEBUG,
		SystemLogLevelV2:      awslambda.SystemLogLevel_INFO,
	})
	acknowledgeBuildWarnings(scope)
	return function, permissions
}

// settingsMemory is in MiB. The function makes a few calls, and nobody waits for it but a deployment.
const settingsMemory = 128

// propertiesOf are the custom resource's properties as a template has them. Texts may be references to parts of the stack.
func propertiesOf(p contract.DatastoreProperties) *map[string]any {
	text, err := json.Marshal(p)
	if err == nil {
		var properties map[string]any
		if err = json.Unmarshal(text, &properties); err == nil {
			return &properties
		}
	}
	panic(err) // strings and lists of strings can always be written and read
}
