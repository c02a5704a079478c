package stacks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/secret"
)

type secretProps struct {
	after awscdk.Stack
}

type secretStack struct {
	stack awscdk.Stack
	arn   *string // with the random suffix that Secrets Manager appends
}

// newSecretStack adds the secret and who may read it.
func newSecretStack(d deployment, props secretProps) (secretStack, error) {
	stack := d.stack("Secret", "SMART on FHIR for HealthLake: the identity provider's settings", props.after)

	document, err := secretDocument(d)
	if err != nil {
		return secretStack{}, err
	}
	// The plain resources: the CDK's own secret class would generate a value, and its policy helper cannot ask Secrets
	// Manager to refuse a public policy.
	resource := awssecretsmanager.NewCfnSecret(stack, jsii.String("Secret"), &awssecretsmanager.CfnSecretProps{
		Name:         jsii.String(d.cfg.SecretName),
		Description:  jsii.String("Identity provider settings of " + d.names.function),
		SecretString: jsii.String(document),
	})
	resource.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)

	awssecretsmanager.NewCfnResourcePolicy(stack, jsii.String("SecretPolicy"), &awssecretsmanager.CfnResourcePolicyProps{
		SecretId:          resource.Ref(),
		ResourcePolicy:    secretPolicy(d),
		BlockPublicPolicy: jsii.Bool(true),
	})

	output(stack, "SecretArn", "Secret that the function reads its settings from", resource.Ref())
	return secretStack{stack: stack, arn: resource.Ref()}, nil
}

// secretDocument is the secret's first value.
func secretDocument(d deployment) (string, error) {
	return compactJSON(secret.Document{
		ClientID:               d.cfg.ClientID,
		ClientSecret:           d.cfg.ClientSecret,
		AuthEndpoint:           d.cfg.AuthEndpoint,
		AuthEndpointToken:      d.cfg.AuthEndpointToken,
		AuthEndpointIntrospect: d.cfg.AuthEndpointIntrospect,
		APIKey:                 d.cfg.SrvAPIKey,
		HLRoleARN:              d.names.serviceRoleARN,
		HLDatastoreName:        d.names.datastore,
		LambdaEnhancedLogging:  secret.Flag(d.cfg.LambdaEnhancedLogging),
	})
}

// secretPolicy lets the function's role read the secret, the admins read and change it, and nobody else read it: the
// explicit denial also binds administrators of the account, whose IAM policies would allow it.
func secretPolicy(d deployment) awsiam.PolicyDocument {
	const read = "secretsmanager:GetSecretValue"
	readers := append([]string{d.names.lambdaRoleARN}, d.cfg.SecretAdmins...)
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("OnlyTheseMayRead"),
			Effect:     awsiam.Effect_DENY,
			Principals: &[]awsiam.IPrincipal{awsiam.NewStarPrincipal()},
			Actions:    jsii.Strings(read),
			Resources:  jsii.Strings("*"), // in a resource policy: this secret
			Conditions: &map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": readers}},
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("FunctionReads"),
			Principals: arnPrincipals(d.names.lambdaRoleARN),
			Actions:    jsii.Strings(read),
			Resources:  jsii.Strings("*"),
		}),
	}
	if len(d.cfg.SecretAdmins) > 0 {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("AdminsReadAndChange"),
			Principals: arnPrincipals(d.cfg.SecretAdmins...),
			Actions: jsii.Strings(
				"secretsmanager:DescribeSecret",
				read,
				"secretsmanager:ListSecretVersionIds",
				"secretsmanager:PutSecretValue",
				"secretsmanager:UpdateSecret",
				"secretsmanager:UpdateSecretVersionStage",
			),
			Resources: jsii.Strings("*"),
		}))
	}
	return awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements})
}

func arnPrincipals(arns ...string) *[]awsiam.IPrincipal {
	principals := make([]awsiam.IPrincipal, 0, len(arns))
	for _, arn := range arns {
		principals = append(principals, awsiam.NewArnPrincipal(jsii.String(arn)))
	}
	return &principals
}

// compactJSON is v as one line of JSON, with &, < and > as they are: these documents are read by people, never by a
// browser.
func compactJSON(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
