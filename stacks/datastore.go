package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awshealthlake"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// Datastore is the FHIR datastore, its settings, and what the service roles may do on it.
type Datastore struct {
	constructs.Construct
	ID *string
}

// DatastoreProps are the properties of Datastore.
type DatastoreProps struct {
	Config config.Config
	Source Source  // what the function behind the settings is compiled from
	KeyARN *string // the customer key; nil: a key that AWS owns
}

// NewDatastore adds the datastore and the permissions.
func NewDatastore(scope constructs.Construct, id string, props DatastoreProps) Datastore {
	construct := constructs.NewConstruct(scope, jsii.String(id))

	var datastore datastoreOf
	if props.Config.AdoptDatastore == "" {
		datastore = newFHIRDatastore(construct, props)
	} else {
		datastore = adopted(props.Config)
	}
	newOrigin(construct, props.Config)
	newSettings(construct, props, datastore)
	datastoreOutputs(construct, datastore)

	var dataAccessRole awsiam.IRole
	if props.Config.BulkExport == config.BulkExportS3 {
		dataAccessRole = NewExport(construct, "Export", ExportProps{
			Config: props.Config, KeyARN: props.KeyARN, DatastoreARN: datastore.arn,
		}).DataAccessRole
	}
	for _, role := range props.Config.ServiceRoles() {
		newServicePermissions(construct, props, role, datastore.arn, dataAccessRole)
	}
	return Datastore{Construct: construct, ID: datastore.id}
}

// datastoreOf is the datastore of a deployment. Its texts may be references to the resource.
type datastoreOf struct {
	id, arn, endpoint *string
	created           contract.DatastoreSettings // what this stack created it with; empty if it did not
}

// adopted is a datastore that the stack does not own: nothing that happens to the stack replaces or deletes it.
func adopted(cfg config.Config) datastoreOf {
	id := cfg.AdoptDatastore
	return datastoreOf{
		id:  jsii.String(id),
		arn: jsii.String(cfg.Names().DatastoreARN(id)),
		// HealthLake developer guide, "Creating a data store".
		endpoint: jsii.String("https://healthlake." + cfg.Region + ".amazonaws.com/datastore/" + id + "/r4/"),
	}
}

// newOrigin keeps a stack from being switched between the datastore that it created and an adopted one, for which CloudFormation
// would delete the first with its records. The parameter keeps its value, and a template of the other kind does not allow it:
// CloudFormation then refuses before it changes anything.
func newOrigin(scope constructs.Construct, cfg config.Config) {
	origin, refusal := "created", "this stack has adopted its datastore; without adoptDatastore it would create a new, empty one. "
	if cfg.AdoptDatastore != "" {
		origin, refusal = "adopted", "this stack has created its datastore; with adoptDatastore it would delete that one. "
	}
	parameter := awscdk.NewCfnParameter(scope, jsii.String("DatastoreOrigin"), &awscdk.CfnParameterProps{
		Type:                  jsii.String("String"),
		Default:               jsii.String(origin),
		AllowedValues:         jsii.Strings(origin),
		Description:           jsii.String("Whether this stack created its datastore; it cannot change"),
		ConstraintDescription: jsii.String(refusal + "Use another prefix"),
	})
	output(scope, "Origin", "Whether this stack has created or adopted its datastore", parameter.ValueAsString())
}

// newServicePermissions adds what HealthLake may do as one of the service roles. dataAccessRole is nil where no export goes
// to a bucket.
func newServicePermissions(scope constructs.Construct, props DatastoreProps, role contract.ServiceRole, datastoreARN *string,
	dataAccessRole awsiam.IRole) {
	names := props.Config.Names()
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings(serviceActions(props.Config, role.Access)...),
			Resources: &[]*string{datastoreARN},
		}),
	}
	if role.Access.Export && dataAccessRole != nil {
		statements = append(statements, passTo("healthlake.amazonaws.com", dataAccessRole))
	}
	if props.KeyARN != nil {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings(keyActions...),
			Resources:  &[]*string{props.KeyARN},
			Conditions: throughService(props.Config, "healthlake", nil),
		}))
	}
	var serviceRole awsiam.IRole
	if role.Access.Export {
		// Not in the first stack, which is deployed before this one: IAM deletes no role that still has a policy.
		serviceRole = newServiceRole(scope, props.Config, role)
	} else {
		serviceRole = awsiam.Role_FromRoleName(scope, jsii.String(role.ID), jsii.String(names.Role(role)), nil)
	}
	awsiam.NewManagedPolicy(scope, jsii.String(strings.Replace(role.ID, "HealthLakeRole", "ServicePermissions", 1)),
		&awsiam.ManagedPolicyProps{
			Description: jsii.String("What HealthLake may do as " + names.Role(role)),
			Roles:       &[]awsiam.IRole{serviceRole},
			Statements:  &statements,
		})
}

func newFHIRDatastore(scope constructs.Construct, props DatastoreProps) datastoreOf {
	cfg, created := props.Config, newCreated(scope, props.Config)
	fineGrained := awscdk.NewCfnCondition(scope, jsii.String("CreatedFineGrained"), &awscdk.CfnConditionProps{
		Expression: awscdk.Fn_ConditionEquals(created.FineGrainedAuthorizationEnabled, "true"),
	})
	properties := &awshealthlake.CfnFHIRDatastoreProps{
		DatastoreName:        jsii.String(created.DatastoreName),
		DatastoreTypeVersion: jsii.String("R4"),
		IdentityProviderConfiguration: &awshealthlake.CfnFHIRDatastore_IdentityProviderConfigurationProperty{
			AuthorizationStrategy: jsii.String(created.AuthorizationStrategy),
			// A boolean, as it is in the templates of earlier versions: a parameter is a text, and to CloudFormation "true" may be
			// another value than true, for which it would replace the datastore.
			FineGrainedAuthorizationEnabled: awscdk.Fn_ConditionIf(fineGrained.LogicalId(), true, false),
			IdpLambdaArn:                    jsii.String(created.IdpLambdaArn),
			Metadata:                        jsii.String(created.Metadata),
		},
	}
	if cfg.PreloadData {
		properties.PreloadDataConfig = &awshealthlake.CfnFHIRDatastore_PreloadDataConfigProperty{
			PreloadDataType: jsii.String(cfg.PreloadDataType),
		}
	}
	// Left out for a key that AWS owns, which is HealthLake's default.
	if props.KeyARN != nil {
		properties.SseConfiguration = &awshealthlake.CfnFHIRDatastore_SseConfigurationProperty{
			KmsEncryptionConfig: &awshealthlake.CfnFHIRDatastore_KmsEncryptionConfigProperty{
				CmkType:  jsii.String("CUSTOMER_MANAGED_KMS_KEY"),
				KmsKeyId: props.KeyARN,
			},
		}
	}

	// The id below becomes the logical id; a new one would be a new datastore to CloudFormation.
	datastore := awshealthlake.NewCfnFHIRDatastore(scope, jsii.String("Datastore"), properties)
	// Every property is create-only: a change makes CloudFormation build a new, empty datastore. The old one then stays,
	// with its records; only the removal of the stack deletes, and not where the datastore is protected.
	datastore.CfnOptions().SetUpdateReplacePolicy(awscdk.CfnDeletionPolicy_RETAIN)
	datastore.CfnOptions().SetDeletionPolicy(awscdk.CfnDeletionPolicy_DELETE)
	if cfg.ProtectDatastore {
		datastore.CfnOptions().SetDeletionPolicy(awscdk.CfnDeletionPolicy_RETAIN)
	}
	// HealthLake documents the endpoint as https://healthlake.<region>.amazonaws.com/datastore/<id>/r4/. It is cut and put
	// together again so that what follows is right with and without its last slash.
	parts := awscdk.Fn_Split(jsii.String("/r4"), datastore.AttrDatastoreEndpoint(), nil)
	return datastoreOf{
		id: datastore.AttrDatastoreId(), arn: datastore.AttrDatastoreArn(), created: created,
		endpoint: jsii.String(*awscdk.Fn_Select(jsii.Number(0), parts) + "/r4/"),
	}
}

func datastoreOutputs(scope constructs.Construct, datastore datastoreOf) {
	endpoint := *datastore.endpoint
	output(scope, contract.DatastoreOutput, "Datastore id", datastore.id)
	output(scope, "DatastoreArn", "Datastore ARN", datastore.arn)
	output(scope, "DatastoreEndpoint", "Base URL of FHIR requests", datastore.endpoint)
	output(scope, "DiscoveryDocumentUrl", "SMART discovery document; whether apps can read it without AWS credentials: docs/aws-facts.md",
		jsii.String(endpoint+".well-known/smart-configuration"))
	// The three fields that HealthLake documents.
	output(scope, "TestEvent", "Test event for the Lambda console: put an access token in the place of <token>",
		jsii.String(`{"datastoreEndpoint":"`+endpoint+`","bearerToken":"<token>","operationName":"ReadResource"}`))
}
