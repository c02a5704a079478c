package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awshealthlake"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

type datastoreProps struct {
	after    awscdk.Stack
	metadata string
	keyARN   *string // nil: a key that AWS owns
}

// newDatastoreStack adds the datastore and what its service role may do on it.
func newDatastoreStack(d deployment, props datastoreProps) error {
	stack := d.stack("Datastore", "SMART on FHIR for HealthLake: the FHIR datastore", props.after)

	datastore := newDatastore(d, props, stack)
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings(fhirActions(d.cfg.HealthLakeAccess)...),
			Resources: &[]*string{datastore.AttrDatastoreArn()},
		}),
	}
	if props.keyARN != nil {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings(keyActions...),
			Resources:  &[]*string{props.keyARN},
			Conditions: throughHealthLake(d),
		}))
	}
	role := awsiam.Role_FromRoleName(stack, jsii.String("Role"), jsii.String(d.names.ServiceRole), nil)
	awsiam.NewManagedPolicy(stack, jsii.String("ServicePermissions"), &awsiam.ManagedPolicyProps{
		Description: jsii.String("What HealthLake may do on " + d.names.Datastore + " for an authorized request"),
		Roles:       &[]awsiam.IRole{role},
		Statements:  &statements,
	})

	if d.cfg.Dashboard {
		newDashboard(d, stack, datastore.AttrDatastoreId())
	}
	return datastoreOutputs(stack, datastore)
}

func newDatastore(d deployment, props datastoreProps, stack awscdk.Stack) awshealthlake.CfnFHIRDatastore {
	datastoreProps := &awshealthlake.CfnFHIRDatastoreProps{
		DatastoreName:        jsii.String(d.names.Datastore),
		DatastoreTypeVersion: jsii.String("R4"),
		IdentityProviderConfiguration: &awshealthlake.CfnFHIRDatastore_IdentityProviderConfigurationProperty{
			AuthorizationStrategy:           jsii.String(d.cfg.AuthorizationStrategy),
			FineGrainedAuthorizationEnabled: jsii.Bool(d.cfg.FineGrainedAuthorization),
			// Written out, not imported: whatever happens to the function, this stays as it is, and with it the datastore.
			IdpLambdaArn: jsii.String(d.names.AliasARN),
			Metadata:     jsii.String(props.metadata),
		},
	}
	if d.cfg.PreloadData {
		datastoreProps.PreloadDataConfig = &awshealthlake.CfnFHIRDatastore_PreloadDataConfigProperty{
			PreloadDataType: jsii.String(d.cfg.PreloadDataType),
		}
	}
	// Left out for a key that AWS owns, which is HealthLake's default.
	if props.keyARN != nil {
		datastoreProps.SseConfiguration = &awshealthlake.CfnFHIRDatastore_SseConfigurationProperty{
			KmsEncryptionConfig: &awshealthlake.CfnFHIRDatastore_KmsEncryptionConfigProperty{
				CmkType:  jsii.String("CUSTOMER_MANAGED_KMS_KEY"),
				KmsKeyId: props.keyARN,
			},
		}
	}

	// The id below becomes the logical id; a new one would be a new datastore to CloudFormation.
	datastore := awshealthlake.NewCfnFHIRDatastore(stack, jsii.String("Datastore"), datastoreProps)
	// Every property is create-only: a change makes CloudFormation build a new, empty datastore. The old one then stays,
	// with its records; only the removal of the stack deletes, and not where the datastore is protected.
	datastore.CfnOptions().SetUpdateReplacePolicy(awscdk.CfnDeletionPolicy_RETAIN)
	datastore.CfnOptions().SetDeletionPolicy(awscdk.CfnDeletionPolicy_DELETE)
	if d.cfg.ProtectDatastore {
		datastore.CfnOptions().SetDeletionPolicy(awscdk.CfnDeletionPolicy_RETAIN)
	}
	return datastore
}

// testEvent is an event as HealthLake sends it, for the Lambda console.
type testEvent struct {
	DatastoreEndpoint string `json:"datastoreEndpoint"`
	BearerToken       string `json:"bearerToken"`
	OperationName     string `json:"operationName"`
}

func datastoreOutputs(stack awscdk.Stack, datastore awshealthlake.CfnFHIRDatastore) error {
	// HealthLake documents the endpoint as https://healthlake.<region>.amazonaws.com/datastore/<id>/r4/. It is cut and put
	// together again so that what follows is right with and without its last slash.
	parts := awscdk.Fn_Split(jsii.String("/r4"), datastore.AttrDatastoreEndpoint(), nil)
	endpoint := *awscdk.Fn_Select(jsii.Number(0), parts) + "/r4/"
	event, err := contract.CompactJSON(testEvent{
		DatastoreEndpoint: endpoint,
		BearerToken:       "<token>",
		OperationName:     "ReadResource",
	})
	if err != nil {
		return err
	}

	output(stack, "DatastoreId", "Datastore id", datastore.AttrDatastoreId())
	output(stack, "DatastoreArn", "Datastore ARN", datastore.AttrDatastoreArn())
	output(stack, "DatastoreEndpoint", "Base URL of FHIR requests", jsii.String(endpoint))
	output(stack, "DiscoveryDocumentUrl", "SMART discovery document; needs no bearer token",
		jsii.String(endpoint+".well-known/smart-configuration"))
	output(stack, "TestEvent", "Test event for the Lambda console: put an access token in the place of <token>",
		jsii.String(string(event)))
	return nil
}

// fhirActions are the IAM actions that the service role has on the datastore. They bound what any token, whatever its
// scopes, can make HealthLake do.
func fhirActions(access string) []string {
	if access == config.AccessReadOnly {
		// Nothing here can change a record or a tag. ValidateResource checks a resource without storing it; ProcessBundle is
		// out since a bundle may write.
		return []string{
			"healthlake:DescribeFHIRDatastore",
			"healthlake:GetCapabilities",
			"healthlake:GetHistoryByResourceId",
			"healthlake:ListTagsForResource",
			"healthlake:ReadResource",
			"healthlake:SearchEverything",
			"healthlake:SearchWithGet",
			"healthlake:SearchWithPost",
			"healthlake:ValidateResource",
			"healthlake:VersionReadResource",
		}
	}
	return []string{
		"healthlake:CreateResource",
		"healthlake:DeleteResource",
		"healthlake:DescribeFHIRDatastore",
		"healthlake:GetCapabilities",
		"healthlake:GetHistoryByResourceId",
		"healthlake:ListTagsForResource",
		"healthlake:PatchResource",
		"healthlake:ProcessBundle",
		"healthlake:ReadResource",
		"healthlake:SearchEverything",
		"healthlake:SearchWithGet",
		"healthlake:SearchWithPost",
		"healthlake:TagResource",
		"healthlake:UntagResource",
		"healthlake:UpdateResource",
		"healthlake:ValidateResource",
		"healthlake:VersionReadResource",
	}
}
