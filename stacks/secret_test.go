package stacks

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/secret"
)

// The function's own parser reads what the stack writes, every field of it.
func TestSecretDocument(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		_, resource := s.stacks["Secret"].one(t, "AWS::SecretsManager::Secret")
		value, ok := at(resource, "Properties", "SecretString").(string)
		if !ok {
			t.Fatalf("the secret is not plain text: %v", at(resource, "Properties", "SecretString"))
		}
		got, err := secret.Parse([]byte(value), true)
		if err != nil {
			t.Fatal(err)
		}
		want := secret.Document{
			ClientID:               cfg.ClientID,
			ClientSecret:           cfg.ClientSecret,
			AuthEndpoint:           cfg.AuthEndpoint,
			AuthEndpointToken:      cfg.AuthEndpointToken,
			AuthEndpointIntrospect: cfg.AuthEndpointIntrospect,
			APIKey:                 cfg.SrvAPIKey,
			HLRoleARN:              "arn:aws:iam::" + cfg.Account + ":role/" + cfg.Prefix + "Role-for-HealthLake",
			HLDatastoreName:        cfg.Prefix + cfg.DatastoreName,
			LambdaEnhancedLogging:  secret.Flag(cfg.LambdaEnhancedLogging),
		}
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if at(resource, "Properties", "Name") != cfg.SecretName {
			t.Errorf("secret is named %v, want %s", at(resource, "Properties", "Name"), cfg.SecretName)
		}
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
		"hl_datastore_name", "hl_role_arn", "lambda_enhanced_logging",
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
