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

	created := newCreated(construct, props.Config)
	datastore := newFHIRDatastore(construct, props, created)
	newSettings(construct, props, datastore, created)
	datastoreOutputs(construct, datastore)

	var dataAccessRole awsiam.IRole
	if props.Config.BulkExport == config.BulkExportS3 {
		dataAccessRole = NewExport(construct, "Export", ExportProps{
			Config: props.Config, KeyARN: props.KeyARN, DatastoreARN: datastore.AttrDatastoreArn(),
		}).DataAccessRole
	}
	for _, role := range props.Config.ServiceRoles() {
		newServicePermissions(construct, props, role, datastore.AttrDatastoreArn(), dataAccessRole)
	}
	return Datastore{Construct: construct, ID: datastore.AttrDatastoreId()}
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
	imported := awsiam.Role_FromRoleName(scope, jsii.String(role.ID), jsii.String(names.Role(role)), nil)
	awsiam.NewManagedPolicy(scope, jsii.String(strings.Replace(role.ID, "HealthLakeRole", "ServicePermissions", 1)),
		&awsiam.ManagedPolicyProps{
			Description: jsii.String("What HealthLake may do as " + names.Role(role)),
			Roles:       &[]awsiam.IRole{imported},
			Statements:  &statements,
		})
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

func newFHIRDatastore(scope constructs.Construct, props DatastoreProps, created contract.DatastoreSettings,
) awshealthlake.CfnFHIRDatastore {
	cfg := props.Config
	properties := &awshealthlake.CfnFHIRDatastoreProps{
		DatastoreName:        jsii.String(created.DatastoreName),
		DatastoreTypeVersion: jsii.String("R4"),
		IdentityProviderConfiguration: &awshealthlake.CfnFHIRDatastore_IdentityProviderConfigurationProperty{
			AuthorizationStrategy: jsii.String(created.AuthorizationStrategy),
			FineGrainedAuthorizationEnabled: awscdk.Tokenization_ReverseCompleteString(
				jsii.String(created.FineGrainedAuthorizationEnabled)),
			IdpLambdaArn: jsii.String(created.IdpLambdaArn),
			Metadata:     jsii.String(created.Metadata),
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
	return datastore
}

func datastoreOutputs(scope constructs.Construct, datastore awshealthlake.CfnFHIRDatastore) {
	// HealthLake documents the endpoint as https://healthlake.<region>.amazonaws.com/datastore/<id>/r4/. It is cut and put
	// together again so that what follows is right with and without its last slash.
	parts := awscdk.Fn_Split(jsii.String("/r4"), datastore.AttrDatastoreEndpoint(), nil)
	endpoint := *awscdk.Fn_Select(jsii.Number(0), parts) + "/r4/"

	output(scope, "DatastoreId", "Datastore id", datastore.AttrDatastoreId())
	output(scope, "DatastoreArn", "Datastore ARN", datastore.AttrDatastoreArn())
	output(scope, "DatastoreEndpoint", "Base URL of FHIR requests", jsii.String(endpoint))
	output(scope, "DiscoveryDocumentUrl", "SMART discovery document; whether apps can read it without AWS credentials: docs/aws-facts.md",
		jsii.String(endpoint+".well-known/smart-configuration"))
	// The three fields that HealthLake documents.
	output(scope, "TestEvent", "Test event for the Lambda console: put an access token in the place of <token>",
		jsii.String(`{"datastoreEndpoint":"`+endpoint+`","bearerToken":"<token>","operationName":"ReadResource"}`))
}
