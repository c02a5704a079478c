package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"
)

// newKey adds the customer key. It stands in the first stack so that every later one can use it, and it outlives the
// stack: without the key the datastore's records, kept ones included, are unreadable for ever.
func newKey(d deployment, stack awscdk.Stack, serviceRole awsiam.Role) awskms.Key {
	policy := awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
		// Hands control of the key to the account's IAM policies. A key that nobody can administer cannot be mended. It also
		// covers whoever creates the datastore: HealthLake makes a grant (kms:CreateGrant) in the name of that principal,
		// which is CloudFormation's execution role and not known here.
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("AccountAdministersKey"),
			Principals: &[]awsiam.IPrincipal{awsiam.NewAccountRootPrincipal()},
			Actions:    jsii.Strings("kms:*"),
			Resources:  jsii.Strings("*"),
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("HealthLakeRequests"),
			Principals: &[]awsiam.IPrincipal{awsiam.NewArnPrincipal(serviceRole.RoleArn())},
			Actions:    jsii.Strings(keyActions...),
			Resources:  jsii.Strings("*"), // in a key policy: this key
			Conditions: throughHealthLake(d),
		}),
	}})
	// The function reads the secret by its role's own policy. The admins' policies are not this deployment's to write.
	if len(d.cfg.SecretAdmins) > 0 {
		policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("AdminsReadAndChangeSecret"),
			Principals: arnPrincipals(d.cfg.SecretAdmins...),
			Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"),
			Resources:  jsii.Strings("*"),
			Conditions: throughSecretsManager(d),
		}))
	}
	return awskms.NewKey(stack, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Records of the HealthLake datastore " + d.names.Datastore + ", and the secret"),
		EnableKeyRotation: jsii.Bool(true),
		Policy:            policy,
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
}

// keyActions are what a FHIR request on a datastore under a customer key needs: to write (GenerateDataKey), to read and
// search (Decrypt), and to check the key (DescribeKey). See "Encryption at rest" in the HealthLake developer guide; its
// kms:CreateGrant is for creating a datastore only.
var keyActions = []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}

// throughHealthLake allows a key to be used only by way of HealthLake and for this account. The guide shows the
// service's name without a region, the KMS documentation of kms:ViaService with it; either is HealthLake.
func throughHealthLake(d deployment) *map[string]any {
	return &map[string]any{"StringEquals": map[string]any{
		"kms:CallerAccount": d.cfg.Account,
		"kms:ViaService": []string{
			"healthlake." + d.cfg.Region + ".amazonaws.com",
			"healthlake.amazonaws.com",
		},
	}}
}

// throughSecretsManager allows a key to be used only by way of Secrets Manager and for this account.
func throughSecretsManager(d deployment) *map[string]any {
	return &map[string]any{"StringEquals": map[string]any{
		"kms:CallerAccount": d.cfg.Account,
		"kms:ViaService":    "secretsmanager." + d.cfg.Region + ".amazonaws.com",
	}}
}
