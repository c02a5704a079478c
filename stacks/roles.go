package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// Roles are who may act: the functions' execution roles, the service roles that HealthLake assumes to carry out a request,
// and the customer key if there is one. The roles may do nothing by themselves; the constructs that come later each add
// the permissions on what they create, so that every policy can name its resource.
type Roles struct {
	constructs.Construct
	KeyARN *string // the customer key for the datastore and the secret; nil: AWS owns the keys
}

// RolesProps are the properties of Roles.
type RolesProps struct{ Config config.Config }

// NewRoles adds the roles and the key.
func NewRoles(scope constructs.Construct, id string, props RolesProps) Roles {
	cfg, names := props.Config, props.Config.Names()
	construct := constructs.NewConstruct(scope, jsii.String(id))

	awsiam.NewRole(construct, jsii.String("LambdaRole"), &awsiam.RoleProps{
		RoleName:    jsii.String(names.LambdaRole),
		Description: jsii.String("Execution role of " + names.Function),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})

	awsiam.NewRole(construct, jsii.String("SettingsRole"), &awsiam.RoleProps{
		RoleName:    jsii.String(names.Settings.Role),
		Description: jsii.String("Execution role of " + names.Settings.Function),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})

	var serviceRoles []awsiam.IPrincipal
	for _, role := range cfg.ServiceRoles() {
		if !role.Access.Export { // those that come and go are beside their policies
			serviceRoles = append(serviceRoles, awsiam.NewArnPrincipal(newServiceRole(construct, cfg, role).RoleArn()))
		}
	}

	roles := Roles{Construct: construct}
	switch cfg.KMSKey {
	case config.KMSKeyAWSOwned:
	case config.KMSKeyCreate:
		roles.KeyARN = newKey(construct, cfg, serviceRoles).KeyArn()
	default:
		roles.KeyARN = jsii.String(cfg.KMSKey)
	}
	return roles
}

// newServiceRole adds a role that HealthLake assumes to carry out FHIR requests.
func newServiceRole(scope constructs.Construct, cfg config.Config, role contract.ServiceRole) awsiam.Role {
	names := cfg.Names()
	made := awsiam.NewRole(scope, jsii.String(role.ID), &awsiam.RoleProps{
		RoleName:    jsii.String(names.Role(role)),
		Description: jsii.String("HealthLake carries out authorized FHIR requests as this role, for " + role.Serves),
		// Without the conditions HealthLake could be made to use this role on behalf of another account (confused deputy).
		// Where there is no datastore yet, its id is not known, hence the pattern.
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("healthlake.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": cfg.Account},
				"ArnLike":      map[string]any{"aws:SourceArn": names.Datastores},
			},
		}),
	})
	output(scope, strings.Replace(role.ID, "HealthLakeRole", "ServiceRoleArn", 1),
		"Role that HealthLake assumes for "+role.Serves, made.RoleArn())
	return made
}
