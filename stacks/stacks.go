// Package stacks turns a checked configuration into the four CloudFormation stacks of the deployment.
package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// New adds the stacks <prefix>Roles, <prefix>Secret, <prefix>CheckToken and <prefix>Datastore to app, to be deployed in
// this order. cfg must have come from config.Parse without an error. The function is compiled from source on the way.
// Errors are about files of the person who deploys, one line each.
func New(app awscdk.App, cfg config.Config, source Source) error {
	// The few references that cannot be composed from names are exports and imports: CloudFormation then refuses to delete
	// or replace a secret or a key that another stack still uses.
	awscdk.CrossStackReferences_Of(app).Consume(awscdk.ReferenceStrength_STRONG)

	d := deployment{app: app, cfg: cfg, names: cfg.Names()}
	roles := newRolesStack(d)
	secret, err := newSecretStack(d, secretProps{after: roles.stack, keyARN: roles.keyARN})
	if err != nil {
		return err
	}
	checkToken, err := newCheckTokenStack(d, checkTokenProps{
		after:     secret.stack,
		source:    source,
		secretARN: secret.arn,
		keyARN:    roles.keyARN,
	})
	if err != nil {
		return err
	}
	err = newDatastoreStack(d, datastoreProps{
		after:    checkToken,
		metadata: cfg.Metadata(),
		keyARN:   roles.keyARN,
	})
	if err != nil {
		return err
	}

	awscdk.Tags_Of(app).Add(jsii.String(cfg.TagName), jsii.String(cfg.TagValue), nil)
	return nil
}

// deployment is what every stack needs.
type deployment struct {
	app   awscdk.App
	cfg   config.Config
	names contract.Names
}

// stack adds an empty stack that is deployed after another one; after is nil for the first.
func (d deployment) stack(name, description string, after awscdk.Stack) awscdk.Stack {
	stack := awscdk.NewStack(d.app, jsii.String(d.cfg.Prefix+name), &awscdk.StackProps{
		Description: jsii.String(description),
		Env:         &awscdk.Environment{Account: jsii.String(d.cfg.Account), Region: jsii.String(d.cfg.Region)},
		// The stack's own tag, which cost reports of CloudFormation stacks go by. Resources are tagged one by one besides,
		// since CloudFormation does not pass a stack's tags on to every type.
		Tags: &map[string]*string{d.cfg.TagName: jsii.String(d.cfg.TagValue)},
		// On every stack: a datastore whose function, secret or role is gone refuses every request.
		TerminationProtection: jsii.Bool(d.cfg.ProtectDatastore),
	})
	if after != nil {
		stack.AddStackDependency(after, jsii.String("names of its resources stand in this stack"))
	}
	return stack
}

// output adds a value that the person who deploys needs.
func output(stack awscdk.Stack, name, description string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{
		Description: jsii.String(description),
		Value:       value,
	})
}
