package stacks

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// The function's own parser reads what the stack writes, every field of it.
func TestSecretDocument(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		_, resource := s.stacks["Secret"].one(t, "AWS::SecretsManager::Secret")
		deployed := map[string]string{"ClientSecret": "", "SrvAPIKey": ""}
		if len(s.stacks["Secret"].parameters()) > 0 {
			deployed = map[string]string{"ClientSecret": "given at deploy time", "SrvAPIKey": "and !#[]~ this too"}
			cfg.ClientSecret, cfg.SrvAPIKey = deployed["ClientSecret"], deployed["SrvAPIKey"]
		}
		got, err := contract.ParseDocument([]byte(filled(t, at(resource, "Properties", "SecretString"), deployed)),
			cfg.TokenValidation == config.TokenValidationIntrospection)
		if err != nil {
			t.Fatal(err)
		}
		want := contract.Document{
			ClientID:               cfg.ClientID,
			ClientSecret:           cfg.ClientSecret,
			AuthEndpoint:           cfg.AuthEndpoint,
			AuthEndpointToken:      cfg.AuthEndpointToken,
			AuthEndpointIntrospect: cfg.AuthEndpointIntrospect,
			APIKey:                 cfg.SrvAPIKey,
			HLRoleARN:              "arn:aws:iam::" + cfg.Account + ":role/" + cfg.Prefix + "Role-for-HealthLake",
			HLDatastoreName:        cfg.Prefix + cfg.DatastoreName,
			LambdaEnhancedLogging:  contract.Flag(cfg.LambdaEnhancedLogging),
		}
		if want.HLRoleARNRead = want.HLRoleARN + "-Read"; cfg.BulkExport != config.BulkExportOff {
			want.HLRoleARNExport, want.HLRoleARNReadExport = want.HLRoleARN+"-Export", want.HLRoleARN+"-Read-Export"
		}
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if at(resource, "Properties", "Name") != cfg.SecretName {
			t.Errorf("secret is named %v, want %s", at(resource, "Properties", "Name"), cfg.SecretName)
		}
	})
}

// parameters are the template's own, apart from the one that the CDK adds for its bootstrap version.
func (tmpl template) parameters() map[string]any {
	found, _ := at(tmpl.json, "Parameters").(map[string]any)
	found = maps.Clone(found)
	delete(found, "BootstrapVersion")
	return found
}

// filled is a template's text as CloudFormation puts it together from its parameters.
func filled(t *testing.T, text any, parameters map[string]string) string {
	t.Helper()
	if plain, ok := text.(string); ok {
		return plain
	}
	join, _ := at(text, "Fn::Join").([]any)
	if len(join) != 2 || join[0] != "" {
		t.Fatalf("neither text nor a concatenation: %v", text)
	}
	var b strings.Builder
	for _, part := range join[1].([]any) {
		if plain, ok := part.(string); ok {
			b.WriteString(plain)
			continue
		}
		value, ok := parameters[at(part, "Ref").(string)]
		if !ok {
			t.Fatalf("%v is no parameter", part)
		}
		b.WriteString(value)
	}
	return b.String()
}

// What the context leaves out becomes a parameter, if the way of introspection has a use for it.
func TestCredentialParameters(t *testing.T) {
	const literal = "literal"
	for _, test := range []struct {
		auth                 clientauth.Method
		clientSecret, apiKey string
		want                 map[string]bool // by parameter: may it be empty?
	}{
		{clientauth.Auto, "", "", map[string]bool{"ClientSecret": true, "SrvAPIKey": true}},
		{clientauth.Auto, literal, "", map[string]bool{"SrvAPIKey": true}},
		{clientauth.Auto, "", literal, map[string]bool{"ClientSecret": true}},
		{clientauth.Auto, literal, literal, nil},
		{clientauth.Bearer, "", "", map[string]bool{"SrvAPIKey": false}},
		{clientauth.Bearer, "", literal, nil},
		{clientauth.Basic, "", "", map[string]bool{"ClientSecret": false}},
		{clientauth.Post, "", "", map[string]bool{"ClientSecret": false}},
		{clientauth.Post, literal, "", nil},
		{clientauth.None, "", "", nil},
		{clientauth.PrivateKeyJWT, "", "", map[string]bool{"ClientPrivateKey": false}},
	} {
		cfg := sample()
		cfg.IntrospectionAuth, cfg.ClientSecret, cfg.SrvAPIKey = test.auth, test.clientSecret, test.apiKey
		tmpl := secretTemplate(t, cfg)

		parameters := tmpl.parameters()
		for id, mayBeEmpty := range test.want {
			parameter, ok := parameters[id].(map[string]any)
			if !ok {
				t.Errorf("%+v: no parameter %s", test, id)
				continue
			}
			delete(parameters, id)
			if parameter["NoEcho"] != true || parameter["Default"] != nil || parameter["Type"] != "String" {
				t.Errorf("%+v: %s is %v", test, id, parameter)
			}
			if least := parameter["MinLength"]; (least == nil) != mayBeEmpty {
				t.Errorf("%+v: %s has MinLength %v", test, id, least)
			}
			// CloudFormation matches the whole value.
			allowed := regexp.MustCompile(`^(?:` + parameter["AllowedPattern"].(string) + `)$`)
			escapes := id == "ClientPrivateKey" // it is written as JSON writes a string
			for value, want := range map[string]bool{
				"": true, "ory_pat_x+/=": true, " !#$[]~": true, `a"b`: false, `a\ b`: false, "a\nb": false, "é": false,
				`{\"kty\":\"EC\"}`: escapes, `-----BEGIN\n-----\r\n`: escapes, `a\`: false, `a\u0022`: false,
			} {
				if allowed.MatchString(value) != want {
					t.Errorf("%s allows %q: %t", id, value, !want)
				}
			}
		}
		if len(parameters) > 0 {
			t.Errorf("%+v: more parameters: %v", test, parameters)
		}
	}
}

// secretTemplate is the secret's stack alone.
func secretTemplate(t *testing.T, cfg config.Config) template {
	t.Helper()
	stack := awscdk.NewStack(nil, nil, nil)
	if _, err := NewSecret(stack, defaultID, SecretProps{Config: cfg}); err != nil {
		t.Fatal(err)
	}
	tmpl := assertions.Template_FromStack(stack, nil)
	return template{Template: tmpl, json: *tmpl.ToJSON()}
}

// The private key is no part of the template, and the function reads it as it was given.
func TestPrivateKeyParameter(t *testing.T) {
	cfg := sample()
	cfg.IntrospectionAuth = clientauth.PrivateKeyJWT
	_, resource := secretTemplate(t, cfg).one(t, "AWS::SecretsManager::Secret")
	const key = "-----BEGIN PRIVATE KEY-----\nMIG\"\\\n-----END PRIVATE KEY-----\n"
	text := filled(t, at(resource, "Properties", "SecretString"), map[string]string{"ClientPrivateKey": contract.EscapeJSON(key)})
	document, err := contract.ParseDocument([]byte(text), true)
	if err != nil || document.ClientPrivateKey != key {
		t.Errorf("got %q, %v", document.ClientPrivateKey, err)
	}
}

// CloudFormation compares templates, not live values: it writes the secret again only when the resource's text changes.
// So no key that is not about the secret may reach it, or a deploy would undo what an admin has changed since.
func TestUnrelatedKeysLeaveSecretAlone(t *testing.T) {
	cfg := sample()
	_, before := secretTemplate(t, cfg).one(t, "AWS::SecretsManager::Secret")

	cfg.ProtectDatastore = true
	cfg.PreloadData = true
	cfg.AuthEndpointAuthorize += "2"
	cfg.AuthIssuer += "2"
	cfg.AuthEndpointJwks += "2"
	cfg.AuthEndpointRevoke += "2"
	cfg.AuthEndpointRegister = "https://idp.example/register"
	cfg.AuthEndpointManage = "https://idp.example/manage"
	cfg.IntrospectionAuth = clientauth.Post
	cfg.AuthCABundle = caFile
	cfg.IntrospectionCacheSeconds = 30
	cfg.RequiredAudience = []string{"datastore"}
	cfg.TrustedIssuers = []string{"https://a.example/"}
	cfg.AuthorizationStrategy = config.StrategySMARTV1
	cfg.FineGrainedAuthorization = false
	cfg.SmartCapabilities = []string{"launch-standalone"}
	cfg.SmartScopes = nil
	cfg.GrantTypes = []string{"client_credentials"}
	cfg.HealthLakeAccess = config.AccessReadOnly
	cfg.RestrictInvokeToAccount = true
	cfg.SecretAdmins = []string{"arn:aws:iam::123456789012:role/Security"}
	cfg.LambdaArchitecture = config.ArchitectureX8664
	cfg.LambdaMemorySize = 1024
	cfg.LambdaConcurrentExecutions = 6
	cfg.LambdaMaxConcurrentExecutions = 20
	cfg.LambdaReservedConcurrency = 50
	cfg.LogRetentionDays = 365
	if _, after := secretTemplate(t, cfg).one(t, "AWS::SecretsManager::Secret"); !reflect.DeepEqual(before, after) {
		t.Errorf("before\n%v\nafter\n%v", before, after)
	}
}

func TestSecretKey(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		want := map[string]string{
			config.KMSKeyAWSOwned: `null`,
			config.KMSKeyCreate:   `{"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}`,
			keyARN:                `"` + keyARN + `"`,
		}[cfg.KMSKey]
		_, resource := s.stacks["Secret"].one(t, "AWS::SecretsManager::Secret")
		wantJSON(t, at(resource, "Properties", "KmsKeyId"), want)
	})
}

func TestSecretFieldNames(t *testing.T) {
	_, resource := get(t, "default").stacks["Secret"].one(t, "AWS::SecretsManager::Secret")
	var fields map[string]string
	if err := json.Unmarshal([]byte(at(resource, "Properties", "SecretString").(string)), &fields); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"api_key", "auth_endpoint", "auth_endpoint_introspect", "auth_endpoint_token", "client_id", "client_secret",
		"hl_datastore_name", "hl_role_arn", "hl_role_arn_read", "lambda_enhanced_logging",
	}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if fields["lambda_enhanced_logging"] != "false" {
		t.Errorf("lambda_enhanced_logging is %q", fields["lambda_enhanced_logging"])
	}
}

func TestSecretGoesWithItsStack(t *testing.T) {
	_, resource := get(t, "default").stacks["Secret"].one(t, "AWS::SecretsManager::Secret")
	if resource["DeletionPolicy"] != "Delete" {
		t.Errorf("DeletionPolicy is %v, want Delete", resource["DeletionPolicy"])
	}
}

func TestSecretPolicy(t *testing.T) {
	for name, want := range map[string]string{
		"default": `{
			"Version": "2012-10-17",
			"Statement": [
				{
					"Sid": "OnlyTheseMayRead",
					"Effect": "Deny",
					"Principal": "*",
					"Action": "secretsmanager:GetSecretValue",
					"Resource": "*",
					"Condition": {"ArnNotEquals": {"aws:PrincipalArn": ["arn:aws:iam::123456789012:role/sof-hl-Lambda-Role"]}}
				},
				{
					"Sid": "FunctionReads",
					"Effect": "Allow",
					"Principal": {"AWS": "arn:aws:iam::123456789012:role/sof-hl-Lambda-Role"},
					"Action": "secretsmanager:GetSecretValue",
					"Resource": "*"
				}
			]
		}`,
		"function": `{
			"Version": "2012-10-17",
			"Statement": [
				{
					"Sid": "OnlyTheseMayRead",
					"Effect": "Deny",
					"Principal": "*",
					"Action": "secretsmanager:GetSecretValue",
					"Resource": "*",
					"Condition": {"ArnNotEquals": {"aws:PrincipalArn": [
						"arn:aws:iam::123456789012:role/sof-hl-Lambda-Role",
						"arn:aws:iam::123456789012:role/Security",
						"arn:aws:iam::123456789012:user/kim"
					]}}
				},
				{
					"Sid": "FunctionReads",
					"Effect": "Allow",
					"Principal": {"AWS": "arn:aws:iam::123456789012:role/sof-hl-Lambda-Role"},
					"Action": "secretsmanager:GetSecretValue",
					"Resource": "*"
				},
				{
					"Sid": "AdminsReadAndChange",
					"Effect": "Allow",
					"Principal": {"AWS": [
						"arn:aws:iam::123456789012:role/Security",
						"arn:aws:iam::123456789012:user/kim"
					]},
					"Action": [
						"secretsmanager:DescribeSecret",
						"secretsmanager:GetSecretValue",
						"secretsmanager:ListSecretVersionIds",
						"secretsmanager:PutSecretValue",
						"secretsmanager:UpdateSecret",
						"secretsmanager:UpdateSecretVersionStage"
					],
					"Resource": "*"
				}
			]
		}`,
	} {
		t.Run(name, func(t *testing.T) {
			tmpl := get(t, name).stacks["Secret"]
			secretID, _ := tmpl.one(t, "AWS::SecretsManager::Secret")
			_, policy := tmpl.one(t, "AWS::SecretsManager::ResourcePolicy")
			wantJSON(t, at(policy, "Properties", "ResourcePolicy"), want)
			wantJSON(t, at(policy, "Properties", "SecretId"), `{"Ref": "`+secretID+`"}`)
			if at(policy, "Properties", "BlockPublicPolicy") != true {
				t.Error("a public policy would be accepted")
			}
			wantJSON(t, at(tmpl.json, "Outputs", "SecretArn", "Value"), `{"Ref": "`+secretID+`"}`)
		})
	}
}
