// Package stacks turns a checked configuration into the four CloudFormation stacks of the deployment. Each stack holds one
// construct, and a construct holds what belongs together.
package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// defaultID is the construct id that the CDK leaves out of the logical ids of the resources inside. With any other id for
// the constructs here, resources that are deployed already would get new logical ids: CloudFormation would replace the
// datastore, the secret and the roles, and fail on every resource with a name, which it creates before it deletes the
// old one of that name.
const defaultID = "Default"

// New adds the stacks <prefix>Roles, <prefix>Secret, <prefix>CheckToken and <prefix>Datastore to app, to be deployed in
// this order. cfg must have come from config.Parse without an error. The functions are compiled from source on the way.
// Errors are about files of the person who deploys, one line each.
func New(app awscdk.App, cfg config.Config, source Source) error {
	// The few references that cannot be composed from names are exports and imports: CloudFormation then refuses to delete
	// or replace a secret or a key that another stack still uses.
	awscdk.CrossStackReferences_Of(app).Consume(awscdk.ReferenceStrength_STRONG)

	rolesStack := newStack(app, cfg, contract.RolesStack, "the roles of the function and of HealthLake", nil)
	roles := NewRoles(rolesStack, defaultID, RolesProps{Config: cfg})

	secretStack := newStack(app, cfg, contract.SecretStack, "the identity provider's settings", rolesStack)
	secret, err := NewSecret(secretStack, defaultID, SecretProps{Config: cfg, KeyARN: roles.KeyARN})
	if err != nil {
		return err
	}

	functionStack := newStack(app, cfg, contract.CheckTokenStack, "the function that verifies bearer tokens", secretStack)
	function, err := NewFunction(functionStack, defaultID, FunctionProps{
		Config: cfg, Source: source, SecretARN: secret.ARN, KeyARN: roles.KeyARN,
	})
	if err != nil {
		return err
	}
	NewMonitoring(function.Construct, defaultID, MonitoringProps{
		Config: cfg, LogGroup: function.LogGroup, SecretARN: secret.ARN,
	})

	datastoreStack := newStack(app, cfg, contract.DatastoreStack, "the FHIR datastore", functionStack)
	datastore := NewDatastore(datastoreStack, defaultID, DatastoreProps{Config: cfg, Source: source, KeyARN: roles.KeyARN})
	if cfg.Dashboard {
		NewDashboard(datastoreStack, "Dashboard", DashboardProps{Config: cfg, DatastoreID: datastore.ID})
	}

	awscdk.Tags_Of(app).Add(jsii.String(cfg.TagName), jsii.String(cfg.TagValue), nil)
	return nil
}

// newStack adds an empty stack that is deployed after another one; after is nil for the first.
func newStack(app awscdk.App, cfg config.Config, name, holds string, after awscdk.Stack) awscdk.Stack {
	stack := awscdk.NewStack(app, jsii.String(cfg.Names().Stack(name)), &awscdk.StackProps{
		Description: jsii.String("SMART on FHIR for HealthLake: " + holds),
		Env:         &awscdk.Environment{Account: jsii.String(cfg.Account), Region: jsii.String(cfg.Region)},
		// The stack's own tag, which cost reports of CloudFormation stacks use. Resources are tagged one by one as well,
		// since CloudFormation does not pass a stack's tags on to every type.
		Tags: &map[string]*string{cfg.TagName: jsii.String(cfg.TagValue)},
		// On every stack: a datastore whose function, secret or role is gone refuses every request.
		TerminationProtection: jsii.Bool(cfg.ProtectDatastore),
	})
	if after != nil {
		stack.AddStackDependency(after, jsii.String("this stack refers to its resources by name"))
	}
	return stack
}

// output adds a value that the person who deploys needs.
func output(scope constructs.Construct, name, description string, value *string) {
	awscdk.NewCfnOutput(scope, jsii.String(name), &awscdk.CfnOutputProps{
		Description: jsii.String(description),
		Value:       value,
	})
}
