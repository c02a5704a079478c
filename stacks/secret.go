package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// Secret holds the identity provider's settings, and says who may read them.
type Secret struct {
	constructs.Construct
	ARN *string // with the random suffix that Secrets Manager appends
}

// SecretProps are the properties of Secret.
type SecretProps struct {
	Config config.Config
	KeyARN *string // the customer key; nil: Secrets Manager's own
}

// NewSecret adds the secret and its policy.
func NewSecret(scope constructs.Construct, id string, props SecretProps) (Secret, error) {
	cfg := props.Config
	construct := constructs.NewConstruct(scope, jsii.String(id))

	document, err := secretDocument(construct, cfg)
	if err != nil {
		return Secret{}, err
	}
	// The plain resources: the CDK's own secret class would generate a value, and its policy helper cannot ask Secrets
	// Manager to refuse a public policy.
	resource := awssecretsmanager.NewCfnSecret(construct, jsii.String("Secret"), &awssecretsmanager.CfnSecretProps{
		Name:         jsii.String(cfg.SecretName),
		Description:  jsii.String("Identity provider settings of " + cfg.Names().Function),
		SecretString: jsii.String(document),
		KmsKeyId:     props.KeyARN,
	})
	resource.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)

	awssecretsmanager.NewCfnResourcePolicy(construct, jsii.String("SecretPolicy"), &awssecretsmanager.CfnResourcePolicyProps{
		SecretId:          resource.Ref(),
		ResourcePolicy:    secretPolicy(cfg),
		BlockPublicPolicy: jsii.Bool(true),
	})

	output(construct, "SecretArn", "Secret that the function reads its settings from", resource.Ref())
	return Secret{Construct: construct, ARN: resource.Ref()}, nil
}

// secretDocument is the secret's first value. CloudFormation writes it again only when its text changes, so nothing
// belongs in it that changes for other reasons than the settings themselves.
func secretDocument(scope constructs.Construct, cfg config.Config) (string, error) {
	auth := cfg.IntrospectionAuth
	if cfg.TokenValidation == config.TokenValidationJWT {
		auth = clientauth.None // there is no introspection
	}
	clientSecret := credential{
		id:          contract.ClientSecret.Parameter,
		description: "Secret of client " + cfg.ClientID + " at the identity provider",
		given:       cfg.ClientSecret,
		need:        auth.NeedsClientSecret(),
	}
	apiKey := credential{
		id:          contract.APIKey.Parameter,
		description: "API key for the introspection endpoint",
		given:       cfg.SrvAPIKey,
		need:        auth.NeedsAPIKey(),
	}
	privateKey := credential{
		id:          contract.ClientPrivateKey.Parameter,
		description: "Private key of client " + cfg.ClientID + " at the identity provider",
		need:        auth.NeedsPrivateKey(),
		escaped:     true,
	}
	document := cfg.Document()
	document.ClientSecret, document.APIKey = clientSecret.value(scope), apiKey.value(scope)
	document.ClientPrivateKey = privateKey.value(scope)
	text, err := contract.CompactJSON(document)
	return string(text), err
}

// credential is what this deployment shows to the provider.
type credential struct {
	id          string // of the stack's parameter
	description string
	given       string // what the context holds, a literal or a dynamic reference; may be empty
	need        clientauth.Need
	escaped     bool // the parameter is written as JSON writes a string
}

// value is what goes into the document: what the context gives, or else a parameter that CloudFormation fills at deploy
// time and shows to nobody. The parameter has no default, so that a deploy cannot forget it, and CloudFormation keeps
// its value for later deploys.
func (c credential) value(scope constructs.Construct) string {
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
	if c.escaped {
		props.AllowedPattern = jsii.String(`([ !#-\[\]-~]|\\["\\/nrt])*`)
		props.ConstraintDescription = jsii.String(`printable ASCII characters, " and \ and line breaks as JSON escapes them`)
	}
	if c.need == clientauth.Optional {
		props.Description = jsii.String(c.description + "; empty if the provider wants none")
	} else {
		props.MinLength = jsii.Number(1)
	}
	return *awscdk.NewCfnParameter(scope, jsii.String(c.id), &props).ValueAsString()
}

// secretPolicy lets the function's role read the secret, the admins read and change it, and nobody else read it: the
// explicit denial also binds administrators of the account, whose IAM policies would allow it.
func secretPolicy(cfg config.Config) awsiam.PolicyDocument {
	const read = "secretsmanager:GetSecretValue"
	function := cfg.Names().LambdaRoleARN
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("OnlyTheseMayRead"),
			Effect:     awsiam.Effect_DENY,
			Principals: &[]awsiam.IPrincipal{awsiam.NewStarPrincipal()},
			Actions:    jsii.Strings(read),
			Resources:  jsii.Strings("*"), // in a resource policy: this secret
			Conditions: &map[string]any{"ArnNotEquals": map[string]any{
				"aws:PrincipalArn": append([]string{function}, cfg.SecretAdmins...),
			}},
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("FunctionReads"),
			Principals: arnPrincipals(function),
			Actions:    jsii.Strings(read),
			Resources:  jsii.Strings("*"),
		}),
	}
	if len(cfg.SecretAdmins) > 0 {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("AdminsReadAndChange"),
			Principals: arnPrincipals(cfg.SecretAdmins...),
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
