package stacks

import (
	"maps"
	"path/filepath"
	"reflect"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

func TestSettings(t *testing.T) {
	tmpl := get(t, "default").stacks["Datastore"]
	function, _ := tmpl.one(t, "AWS::Lambda::Function")
	_, settings := tmpl.one(t, contract.SettingsType)
	wantJSON(t, settings["Properties"], `{
		"ServiceToken": {"Fn::GetAtt": ["`+function+`", "Arn"]},
		"ServiceTimeout": "720",
		"DatastoreId": {"Fn::GetAtt": ["Datastore", "DatastoreId"]},
		"DatastoreName": "sof-hl-datastorename",
		"AuthorizationStrategy": "SMART_ON_FHIR",
		"FineGrainedAuthorizationEnabled": "true",
		"IdpLambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:sof-hl-checkToken:live",
		"Metadata": {
			"issuer": "https://idp.example/",
			"jwks_uri": "https://idp.example/.well-known/jwks.json",
			"authorization_endpoint": "https://idp.example/oauth2/auth",
			"token_endpoint": "https://idp.example/oauth2/token",
			"revocation_endpoint": "https://idp.example/oauth2/revoke",
			"scopes_supported": ["openid", "patient/*.rs"],
			"response_types_supported": ["code"],
			"grant_types_supported": ["authorization_code", "client_credentials"],
			"capabilities": ["launch-standalone", "sso-openid-connect", "permission-v1", "permission-v2"],
			"code_challenge_methods_supported": ["S256"]
		},
		"Created": {
			"DatastoreName": {"Ref": "CreatedDatastoreName"},
			"AuthorizationStrategy": {"Ref": "CreatedAuthorizationStrategy"},
			"FineGrainedAuthorizationEnabled": {"Ref": "CreatedFineGrainedAuthorizationEnabled"},
			"IdpLambdaArn": {"Ref": "CreatedIdpLambdaArn"},
			"Metadata": {"Ref": "CreatedMetadata"}
		},
		"ApplySettings": {"Ref": "ApplySettings"}
	}`)
	wantJSON(t, at(tmpl.json, "Parameters", "ApplySettings", "Default"), `""`)
}

// To CloudFormation a changed setting changes the custom resource and a parameter's default, which a later deployment
// ignores. The datastore is the same.
func TestSettingsChangeInPlace(t *testing.T) {
	before := get(t, "default").stacks["Datastore"]
	settingsID, _ := before.one(t, contract.SettingsType)
	for name, test := range map[string]struct {
		change          func(*config.Config)
		parameter       string
		property, field string
	}{
		"endpoint":     {func(c *config.Config) { c.AuthEndpointToken = "https://other.example/t" }, "CreatedMetadata", "Metadata", "token_endpoint"},
		"capabilities": {func(c *config.Config) { c.SmartCapabilities = []string{"permission-v2"} }, "CreatedMetadata", "Metadata", "capabilities"},
		"name":         {func(c *config.Config) { c.DatastoreName = "other" }, "CreatedDatastoreName", "DatastoreName", ""},
		"strategy": {func(c *config.Config) { c.AuthorizationStrategy = config.StrategySMARTV1 }, "CreatedAuthorizationStrategy",
			"AuthorizationStrategy", ""},
		"fine grain": {func(c *config.Config) { c.FineGrainedAuthorization = false }, "CreatedFineGrainedAuthorizationEnabled",
			"FineGrainedAuthorizationEnabled", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := sample()
			test.change(&cfg)
			after := synthesize(t, cfg, filepath.Join(t.TempDir(), "cdk.out"), false).stacks["Datastore"]
			differ(t, before.json["Parameters"], after.json["Parameters"], test.parameter)
			differ(t, before.json["Resources"], after.json["Resources"], settingsID)
			differ(t, at(before.json, "Parameters", test.parameter), at(after.json, "Parameters", test.parameter), "Default")
			was := at(before.json, "Resources", settingsID, "Properties")
			is := at(after.json, "Resources", settingsID, "Properties")
			differ(t, was, is, test.property)
			if test.field != "" {
				differ(t, at(was, test.property), at(is, test.property), test.field)
			}
			differ(t, before.json["Outputs"], after.json["Outputs"])
		})
	}
}

// differ wants two JSON objects to differ in the fields of some names, and in no other.
func differ(t *testing.T, a, b any, names ...string) {
	t.Helper()
	x, y := maps.Clone(a.(map[string]any)), maps.Clone(b.(map[string]any))
	for _, name := range names {
		if x[name] == nil || reflect.DeepEqual(x[name], y[name]) {
			t.Errorf("%s is %v and %v", name, x[name], y[name])
		}
		delete(x, name)
		delete(y, name)
	}
	for name := range x {
		if !reflect.DeepEqual(x[name], y[name]) {
			t.Errorf("%s differs: got\n%v\nand\n%v", name, x[name], y[name])
		}
	}
	if len(x) != len(y) {
		t.Errorf("%d and %d fields", len(x), len(y))
	}
}

func TestSettingsFunction(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		tmpl := s.stacks["Datastore"]
		_, function := tmpl.one(t, "AWS::Lambda::Function")
		logs, logGroup := tmpl.one(t, "AWS::Logs::LogGroup")
		properties := maps.Clone(function["Properties"].(map[string]any))
		delete(properties, "Code")
		delete(properties, "Tags")
		wantJSON(t, properties, `{
			"FunctionName": "`+cfg.Prefix+`datastoreSettings",
			"Description": "Changes the settings of the HealthLake datastore in place, for CloudFormation",
			"Runtime": "provided.al2023",
			"Handler": "bootstrap",
			"Architectures": ["`+cfg.LambdaArchitecture+`"],
			"MemorySize": 128,
			"Timeout": 600,
			"Environment": {"Variables": {"IDP_LAMBDA_ARN": "`+cfg.Names().AliasARN+`"}},
			"Role": "arn:aws:iam::`+cfg.Account+`:role/`+cfg.Prefix+`Settings-Role",
			"LoggingConfig": {
				"LogGroup": {"Ref": "`+logs+`"},
				"LogFormat": "JSON",
				"ApplicationLogLevel": "DEBUG",
				"SystemLogLevel": "INFO"
			}
		}`)
		wantJSON(t, at(logGroup, "Properties", "LogGroupName"), `"/aws/lambda/`+cfg.Prefix+`datastoreSettings"`)
		if got := at(logGroup, "Properties", "KmsKeyId"); (got == nil) != (cfg.KMSKey == config.KMSKeyAWSOwned) {
			t.Errorf("log encrypted with %v", got)
		}
	})
}

func TestSettingsPermissions(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		tmpl := s.stacks["Datastore"]
		logs, _ := tmpl.one(t, "AWS::Logs::LogGroup")
		found := ""
		for id, policy := range tmpl.resources("AWS::IAM::ManagedPolicy") {
			if !reflect.DeepEqual(at(policy, "Properties", "Roles"), []any{cfg.Prefix + "Settings-Role"}) {
				continue
			}
			found = id
			wantJSON(t, at(policy, "Properties", "PolicyDocument"), `{"Version": "2012-10-17", "Statement": [
				{
					"Effect": "Allow",
					"Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
					"Resource": {"Fn::GetAtt": ["`+logs+`", "Arn"]}
				},
				{
					"Effect": "Allow",
					"Action": ["healthlake:DescribeFHIRDatastore", "healthlake:UpdateFHIRDatastore"],
					"Resource": {"Fn::GetAtt": ["Datastore", "DatastoreArn"]}
				}
			]}`)
		}
		// Without its permissions the function could do nothing yet when CloudFormation calls it.
		_, settings := tmpl.one(t, contract.SettingsType)
		wantJSON(t, settings["DependsOn"], `["`+found+`"]`)
	})
}
