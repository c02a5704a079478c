package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

// newKey adds the customer key. It is in the first stack so that every later one can use it, and it outlives the stack:
// without the key the datastore's records, kept ones included, are unreadable for ever.
func newKey(scope constructs.Construct, cfg config.Config, serviceRoles []awsiam.IPrincipal) awskms.Key {
	policy := awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
		// Hands control of the key to the account's IAM policies. A key that nobody can administer cannot be repaired. It
		// also covers whoever creates the datastore: HealthLake makes a grant (kms:CreateGrant) in the name of that
		// principal, which is CloudFormation's execution role and not known here.
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("AccountAdministersKey"),
			Principals: &[]awsiam.IPrincipal{awsiam.NewAccountRootPrincipal()},
			Actions:    jsii.Strings("kms:*"),
			Resources:  jsii.Strings("*"),
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("HealthLakeRequests"),
			Principals: &serviceRoles,
			Actions:    jsii.Strings(keyActions...),
			Resources:  jsii.Strings("*"), // in a key policy: this key
			Conditions: throughService(cfg, "healthlake", nil),
		}),
	}})
	// CloudWatch Logs encrypts the functions' logs, and no other log group (CloudWatch Logs User Guide, "Encrypt log data").
	policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("CloudWatchLogsEncrypts"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logs."+cfg.Region+".amazonaws.com"), nil)},
		Actions:    jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"),
		Resources:  jsii.Strings("*"), // in a key policy: this key
		Conditions: &map[string]any{"ArnEquals": map[string]any{
			"kms:EncryptionContext:aws:logs:arn": []string{cfg.Names().LogGroupARN, cfg.Names().Settings.LogGroupARN},
		}},
	}))
	// The function reads the secret by its role's own policy. The admins' policies are not this deployment's to write.
	if len(cfg.SecretAdmins) > 0 {
		policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("AdminsReadAndChangeSecret"),
			Principals: arnPrincipals(cfg.SecretAdmins...),
			Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"),
			Resources:  jsii.Strings("*"),
			Conditions: throughService(cfg, "secretsmanager", nil),
		}))
	}
	return awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Records of the HealthLake datastore " + cfg.Names().Datastore + ", and the secret"),
		EnableKeyRotation: jsii.Bool(true),
		Policy:            policy,
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
}

// keyActions are what a FHIR request on a datastore under a customer key needs: to write (GenerateDataKey), to read and
// search (Decrypt), and to check the key (DescribeKey). See "Encryption at rest" in the HealthLake developer guide; its
// kms:CreateGrant is for creating a datastore only.
var keyActions = []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}

// throughService are the conditions under which a key is used only by way of an AWS service, such as healthlake, and for
// this account. secretARN, where it is not nil, is the only secret that Secrets Manager may decrypt: it puts the secret's
// ARN into the encryption context (Secrets Manager User Guide, "Secret encryption and decryption").
func throughService(cfg config.Config, service string, secretARN *string) *map[string]any {
	equals := map[string]any{
		"kms:CallerAccount": cfg.Account,
		// AWS KMS Developer Guide, "kms:ViaService".
		"kms:ViaService": service + "." + cfg.Region + ".amazonaws.com",
	}
	if secretARN != nil {
		equals["kms:EncryptionContext:SecretARN"] = secretARN
	}
	return &map[string]any{"StringEquals": equals}
}

func arnPrincipals(arns ...string) *[]awsiam.IPrincipal {
	principals := make([]awsiam.IPrincipal, 0, len(arns))
	for _, arn := range arns {
		principals = append(principals, awsiam.NewArnPrincipal(jsii.String(arn)))
	}
	return &principals
}
