package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

type rolesStack struct {
	stack  awscdk.Stack
	keyARN *string // the customer key for the datastore; nil where AWS owns the key
}

// newRolesStack adds who may act: the function's execution role, the service role that HealthLake assumes to carry out
// a request, and the customer key if there is one. The roles may do nothing by themselves; each later stack adds the
// permissions on what it creates, so that every policy can name its resource.
func newRolesStack(d deployment) rolesStack {
	stack := d.stack("Roles", "SMART on FHIR for HealthLake: the roles of the function and of HealthLake", nil)

	awsiam.NewRole(stack, jsii.String("LambdaRole"), &awsiam.RoleProps{
		RoleName:    jsii.String(d.names.LambdaRole),
		Description: jsii.String("Execution role of " + d.names.Function),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})

	// Without the conditions HealthLake could be made to use this role on behalf of another account (confused deputy).
	// The datastore does not exist yet and its id is not known beforehand, hence the pattern.
	serviceRole := awsiam.NewRole(stack, jsii.String("HealthLakeRole"), &awsiam.RoleProps{
		RoleName:    jsii.String(d.names.ServiceRole),
		Description: jsii.String("HealthLake carries out authorized FHIR requests as this role"),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("healthlake.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": d.cfg.Account},
				"ArnLike":      map[string]any{"aws:SourceArn": d.names.Datastores},
			},
		}),
	})
	output(stack, "ServiceRoleArn", "Role that HealthLake assumes for authorized FHIR requests", serviceRole.RoleArn())

	result := rolesStack{stack: stack}
	switch d.cfg.KMSKey {
	case config.KMSKeyAWSOwned:
	case config.KMSKeyCreate:
		result.keyARN = newKey(d, stack, serviceRole).KeyArn()
	default:
		result.keyARN = jsii.String(d.cfg.KMSKey)
	}
	return result
}
