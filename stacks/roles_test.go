package stacks

import (
	"maps"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

func TestRoles(t *testing.T) {
	each(t, testRoles)
}

func testRoles(t *testing.T, cfg config.Config, s synthesized) {
	for _, name := range []string{"Secret", "CheckToken"} {
		if n := len(s.stacks[name].resources("AWS::IAM::Role")); n > 0 {
			t.Errorf("%s has %d roles", name, n)
		}
	}
	roles := s.stacks["Roles"].resources("AWS::IAM::Role")
	const lambda = `{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Principal": {"Service": "lambda.amazonaws.com"},
			"Action": "sts:AssumeRole"
		}]
	}`
	documents := map[string]string{cfg.Prefix + "Lambda-Role": lambda, cfg.Prefix + "Settings-Role": lambda}
	names := []string{"Role-for-HealthLake", "Role-for-HealthLake-Read"}
	// Those that come and go are in the stack of their policies.
	maps.Copy(roles, s.stacks["Datastore"].resources("AWS::IAM::Role"))
	maps.DeleteFunc(roles, func(_ string, role map[string]any) bool { // TestDataAccessRole
		return at(role, "Properties", "RoleName") == cfg.Names().DataAccessRole
	})
	if n := len(s.stacks["Roles"].resources("AWS::IAM::Role")); n != len(documents)+len(names) {
		t.Errorf("the first stack has %d roles", n)
	}
	if cfg.BulkExport != config.BulkExportOff {
		names = append(names, "Role-for-HealthLake-Export", "Role-for-HealthLake-Read-Export")
	}
	for _, name := range names {
		documents[cfg.Prefix+name] = `{
			"Version": "2012-10-17",
			"Statement": [{
				"Effect": "Allow",
				"Principal": {"Service": "healthlake.amazonaws.com"},
				"Action": "sts:AssumeRole",
				"Condition": {
					"StringEquals": {"aws:SourceAccount": "` + cfg.Account + `"},
					"ArnLike": {"aws:SourceArn": "arn:aws:healthlake:` + cfg.Region + `:` + cfg.Account + `:datastore/fhir/*"}
				}
			}]
		}`
	}
	if len(roles) != len(documents) {
		t.Fatalf("got %d roles, want %d", len(roles), len(documents))
	}
	for _, role := range roles {
		name := at(role, "Properties", "RoleName").(string)
		wantJSON(t, at(role, "Properties", "AssumeRolePolicyDocument"), documents[name])
		delete(documents, name)
	}
	for name := range documents {
		t.Errorf("no role %s", name)
	}
}

func TestServiceRoleOutput(t *testing.T) {
	roles := get(t, "default").stacks["Roles"]
	for id, role := range roles.resources("AWS::IAM::Role") {
		if at(role, "Properties", "RoleName") == "sof-hl-Role-for-HealthLake" {
			wantJSON(t, at(roles.json, "Outputs", "ServiceRoleArn", "Value"), `{"Fn::GetAtt": ["`+id+`", "Arn"]}`)
		}
	}
}

func TestKeyOnlyOnRequest(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		want := 0
		if cfg.KMSKey == config.KMSKeyCreate {
			want = 1
		}
		forExports := 0
		if cfg.KMSKey == config.KMSKeyAWSOwned && cfg.BulkExport == config.BulkExportS3 {
			forExports = 1
		}
		for name, tmpl := range s.stacks {
			wanted := map[string]int{"Roles": want, "Datastore": forExports}[name]
			if n := len(tmpl.resources("AWS::KMS::Key")); n != wanted {
				t.Errorf("%s has %d keys, want %d", name, n, wanted)
			}
		}
	})
}

func TestCreatedKey(t *testing.T) {
	roles := get(t, "ownKey").stacks["Roles"]
	_, key := roles.one(t, "AWS::KMS::Key")
	ids := map[any]string{}
	for id, role := range roles.resources("AWS::IAM::Role") {
		ids[at(role, "Properties", "RoleName")] = id
	}

	if at(key, "Properties", "EnableKeyRotation") != true {
		t.Error("the key does not rotate")
	}
	if key["DeletionPolicy"] != "Retain" || key["UpdateReplacePolicy"] != "Retain" {
		t.Errorf("the key may be deleted: %v, %v", key["DeletionPolicy"], key["UpdateReplacePolicy"])
	}
	wantJSON(t, at(key, "Properties", "KeyPolicy"), `{
		"Version": "2012-10-17",
		"Statement": [
			{
				"Sid": "AccountAdministersKey",
				"Effect": "Allow",
				"Principal": {"AWS": "arn:aws:iam::123456789012:root"},
				"Action": "kms:*",
				"Resource": "*"
			},
			{
				"Sid": "HealthLakeRequests",
				"Effect": "Allow",
				"Principal": {"AWS": [
					{"Fn::GetAtt": ["`+ids["sof-hl-Role-for-HealthLake"]+`", "Arn"]},
					{"Fn::GetAtt": ["`+ids["sof-hl-Role-for-HealthLake-Read"]+`", "Arn"]}
				]},
				"Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
				"Resource": "*",
				"Condition": {"StringEquals": {
					"kms:CallerAccount": "123456789012",
					"kms:ViaService": "healthlake.us-east-1.amazonaws.com"
				}}
			},
			{
				"Sid": "CloudWatchLogsEncrypts",
				"Effect": "Allow",
				"Principal": {"Service": "logs.us-east-1.amazonaws.com"},
				"Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
				"Resource": "*",
				"Condition": {"ArnEquals": {
					"kms:EncryptionContext:aws:logs:arn": [
						"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/sof-hl-checkToken",
						"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/sof-hl-datastoreSettings"
					]
				}}
			},
			{
				"Sid": "AdminsReadAndChangeSecret",
				"Effect": "Allow",
				"Principal": {"AWS": "arn:aws:iam::123456789012:role/Security"},
				"Action": ["kms:Decrypt", "kms:GenerateDataKey"],
				"Resource": "*",
				"Condition": {"StringEquals": {
					"kms:CallerAccount": "123456789012",
					"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"
				}}
			}
		]
	}`)
}
