package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

type secretProps struct {
	after  awscdk.Stack
	keyARN *string // nil: Secrets Manager's own key
}

type secretStack struct {
	stack awscdk.Stack
	arn   *string // with the random suffix that Secrets Manager appends
}

// newSecretStack adds the secret and who may read it.
func newSecretStack(d deployment, props secretProps) (secretStack, error) {
	stack := d.stack("Secret", "SMART on FHIR for HealthLake: the identity provider's settings", props.after)

	document, err := secretDocument(d, stack)
	if err != nil {
		return secretStack{}, err
	}
	// The plain resources: the CDK's own secret class would generate a value, and its policy helper cannot ask Secrets
	// Manager to refuse a public policy.
	resource := awssecretsmanager.NewCfnSecret(stack, jsii.String("Secret"), &awssecretsmanager.CfnSecretProps{
		Name:         jsii.String(d.cfg.SecretName),
		Description:  jsii.String("Identity provider settings of " + d.names.Function),
		SecretString: jsii.String(document),
		KmsKeyId:     props.keyARN,
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

// secretDocument is the secret's first value. CloudFormation writes it again only when its text changes, so nothing
// belongs in it that changes for other reasons than the settings themselves.
func secretDocument(d deployment, stack awscdk.Stack) (string, error) {
	auth := d.cfg.IntrospectionAuth
	if d.cfg.TokenValidation == config.TokenValidationJWT {
		auth = clientauth.None // nobody is asked
	}
	clientSecret := credential{
		id:          "ClientSecret",
		description: "Secret of client " + d.cfg.ClientID + " at the identity provider",
		given:       d.cfg.ClientSecret,
		need:        auth.NeedsClientSecret(),
	}
	apiKey := credential{
		id:          "SrvAPIKey",
		description: "API key for the introspection endpoint",
		given:       d.cfg.SrvAPIKey,
		need:        auth.NeedsAPIKey(),
	}
	document := d.cfg.Document()
	document.ClientSecret, document.APIKey = clientSecret.value(stack), apiKey.value(stack)
	text, err := contract.CompactJSON(document)
	return string(text), err
}

// credential is what this deployment shows to the provider.
type credential struct {
	id          string // of the stack's parameter
	description string
	given       string // what the context holds, a literal or a dynamic reference; may be empty
	need        clientauth.Need
}

// value is what goes into the document: what the context gives, or else a parameter that CloudFormation fills at deploy
// time and shows to nobody. The parameter has no default, so that a deploy cannot forget it, and CloudFormation keeps
// its value for later deploys.
func (c credential) value(stack awscdk.Stack) string {
	if c.given != "" || c.need == clientauth.Unused {
		return c.given
	}
	props := awscdk.CfnParameterProps{
		Type:        jsii.String("String"),
		Description: jsii.String(c.description),
		NoEcho:      jsii.Bool(true),
		// CloudFormation puts the value between the quotation marks of the JSON document as it is.
		AllowedPattern: jsii.String(`[ !#-\[\]-~]*`),
		ConstraintDescription: jsii.String(`printable ASCII characters without " and \, which would break the secret's ` +
			`JSON document; a value that has them can be put into the secret itself`),
	}
	if c.need == clientauth.Optional {
		props.Description = jsii.String(c.description + "; empty if the provider wants none")
	} else {
		props.MinLength = jsii.Number(1)
	}
	return *awscdk.NewCfnParameter(stack, jsii.String(c.id), &props).ValueAsString()
}

// secretPolicy lets the function's role read the secret, the admins read and change it, and nobody else read it: the
// explicit denial also binds administrators of the account, whose IAM policies would allow it.
func secretPolicy(d deployment) awsiam.PolicyDocument {
	const read = "secretsmanager:GetSecretValue"
	readers := append([]string{d.names.LambdaRoleARN}, d.cfg.SecretAdmins...)
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
			Principals: arnPrincipals(d.names.LambdaRoleARN),
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
