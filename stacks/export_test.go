package stacks

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/scopes"
)

// exporting are the variants whose exports go to a bucket, and the key that encrypts it.
var exporting = map[string]string{
	"exports": `{"Fn::GetAtt": ["ExportKeyCEC9964D", "Arn"]}`,
	"ownKey":  `{"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}`,
}

const (
	exportBucket  = "ExportBucketFD42BCED"
	exportLog     = "ExportAccessLog1FC1BF28"
	denyPlainHTTP = `{
		"Effect": "Deny",
		"Principal": {"AWS": "*"},
		"Action": "s3:*",
		"Resource": [{"Fn::GetAtt": ["<bucket>", "Arn"]}, {"Fn::Join": ["", [{"Fn::GetAtt": ["<bucket>", "Arn"]}, "/*"]]}],
		"Condition": {"Bool": {"aws:SecureTransport": "false"}}
	}`
)

func TestBucketOnlyForExportsByPost(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		want := 0
		if cfg.BulkExport == config.BulkExportS3 {
			want = 2
		}
		for name, tmpl := range s.stacks {
			if n := len(tmpl.resources("AWS::S3::Bucket")); name == "Datastore" && n != want || name != "Datastore" && n != 0 {
				t.Errorf("%s has %d buckets", name, n)
			}
		}
		if _, has := s.stacks["Datastore"].json["Outputs"].(map[string]any)["ExportRequestBody"]; has != (want > 0) {
			t.Errorf("output ExportRequestBody: %t", has)
		}
	})
}

func TestExportBuckets(t *testing.T) {
	for name, key := range exporting {
		tmpl := get(t, name).stacks["Datastore"]
		bucket := func(expireAfter, rest string) string {
			return `{
				"PublicAccessBlockConfiguration": {
					"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true
				},
				"VersioningConfiguration": {"Status": "Enabled"},
				"LifecycleConfiguration": {"Rules": [{
					"Status": "Enabled",
					"ExpirationInDays": ` + expireAfter + `,
					"NoncurrentVersionExpiration": {"NoncurrentDays": 7},
					"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}
				}]},
				"Tags": [{"Key": "Purpose", "Value": "sof-hl"}],
				` + rest + `
			}`
		}
		wantJSON(t, tmpl.all()[exportBucket]["Properties"], bucket("7", `
			"BucketEncryption": {"ServerSideEncryptionConfiguration": [{
				"BucketKeyEnabled": true,
				"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": `+key+`}
			}]},
			"LoggingConfiguration": {"DestinationBucketName": {"Ref": "`+exportLog+`"}}`))
		wantJSON(t, tmpl.all()[exportLog]["Properties"], bucket("14", `
			"BucketEncryption": {"ServerSideEncryptionConfiguration": [{
				"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}
			}]}`))
		for _, id := range []string{exportBucket, exportLog} {
			if r := tmpl.all()[id]; r["DeletionPolicy"] != "Retain" || r["UpdateReplacePolicy"] != "Retain" {
				t.Errorf("%s: %s may be deleted with its files", name, id)
			}
		}
	}
}

func TestExportBucketPolicies(t *testing.T) {
	want := map[any]string{
		exportBucket: `[` + denyPlainHTTP + `]`,
		exportLog: `[` + denyPlainHTTP + `, {
			"Effect": "Allow",
			"Principal": {"Service": "logging.s3.amazonaws.com"},
			"Action": "s3:PutObject",
			"Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["<bucket>", "Arn"]}, "/*"]]},
			"Condition": {
				"StringEquals": {"aws:SourceAccount": "123456789012"},
				"ArnLike": {"aws:SourceArn": {"Fn::GetAtt": ["` + exportBucket + `", "Arn"]}}
			}
		}]`,
	}
	for name := range exporting {
		policies := get(t, name).stacks["Datastore"].resources("AWS::S3::BucketPolicy")
		if len(policies) != len(want) {
			t.Errorf("%s: %d bucket policies", name, len(policies))
		}
		for _, policy := range policies {
			bucket := at(policy, "Properties", "Bucket", "Ref").(string)
			wantJSON(t, at(policy, "Properties", "PolicyDocument", "Statement"), strings.ReplaceAll(want[bucket], "<bucket>", bucket))
			if policy["DeletionPolicy"] != "Retain" {
				t.Errorf("%s: %s would lose its policy", name, bucket)
			}
		}
	}
}

func TestDataAccessRole(t *testing.T) {
	for name, key := range exporting {
		tmpl := get(t, name).stacks["Datastore"]
		const id = "ExportDataAccessRole4D757127"
		role := tmpl.all()[id]
		if got := at(role, "Properties", "RoleName"); got != "sof-hl-Role-for-HealthLake-Data-Access" {
			t.Errorf("the role is named %v", got)
		}
		wantJSON(t, at(role, "Properties", "AssumeRolePolicyDocument"), `{
			"Version": "2012-10-17",
			"Statement": [{
				"Effect": "Allow",
				"Principal": {"Service": "healthlake.amazonaws.com"},
				"Action": "sts:AssumeRole",
				"Condition": {
					"StringEquals": {"aws:SourceAccount": "123456789012"},
					"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Datastore", "DatastoreArn"]}}
				}
			}]
		}`)
		policy := tmpl.all()["ExportDataAccess78B2E5E6"]
		wantJSON(t, at(policy, "Properties", "Roles"), `[{"Ref": "`+id+`"}]`)
		wantJSON(t, at(policy, "Properties", "PolicyDocument"), `{
			"Version": "2012-10-17",
			"Statement": [
				{
					"Effect": "Allow",
					"Action": ["s3:GetBucketPublicAccessBlock", "s3:GetEncryptionConfiguration", "s3:ListBucket"],
					"Resource": {"Fn::GetAtt": ["`+exportBucket+`", "Arn"]}
				},
				{
					"Effect": "Allow",
					"Action": "s3:PutObject",
					"Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["`+exportBucket+`", "Arn"]}, "/*"]]}
				},
				{
					"Effect": "Allow",
					"Action": ["kms:DescribeKey", "kms:GenerateDataKey*"],
					"Resource": `+key+`
				}
			]
		}`)
		wantJSON(t, at(tmpl.json, "Outputs", "ExportBucket", "Value"), `{"Ref": "`+exportBucket+`"}`)
		wantJSON(t, at(tmpl.json, "Outputs", "ExportRequestBody", "Value"), `{"Fn::Join": ["", [
			"{\"DataAccessRoleArn\":\"", {"Fn::GetAtt": ["`+id+`", "Arn"]},
			"\",\"OutputDataConfig\":{\"S3Configuration\":{\"S3Uri\":\"s3://", {"Ref": "`+exportBucket+`"},
			"/exports\",\"KmsKeyId\":\"", `+key+`, "\"}}}"
		]]}`)
	}
}

// The key that exports get where AWS owns the others: the account's policies decide, and no file is left that nobody can read.
func TestExportKey(t *testing.T) {
	_, key := get(t, "exports").stacks["Datastore"].one(t, "AWS::KMS::Key")
	if at(key, "Properties", "EnableKeyRotation") != true || key["DeletionPolicy"] != "Retain" || key["UpdateReplacePolicy"] != "Retain" {
		t.Errorf("got %v", key)
	}
	wantJSON(t, at(key, "Properties", "KeyPolicy", "Statement"), `[{
		"Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"},
		"Action": "kms:*",
		"Resource": "*"
	}]`)
}

// From a token's scopes to the actions of the role that it gets: a token of a patient or a user never has an export action,
// whatever the deployment allows, and a backend service only what the deployment allows.
func TestWhoseTokensExport(t *testing.T) {
	granted := map[string]int{config.BulkExportOff: 0, config.BulkExportGet: 4, config.BulkExportS3: 5}
	for _, bulkExport := range []string{config.BulkExportOff, config.BulkExportGet, config.BulkExportS3} {
		for _, healthLakeAccess := range []string{config.AccessReadWrite, config.AccessReadOnly} {
			cfg := sample()
			cfg.BulkExport, cfg.HealthLakeAccess = bulkExport, healthLakeAccess
			for claim, backend := range map[string]bool{
				"patient/*.rs": false, "patient/*.cruds": false, "patient/*.*": false, "user/*.rs": false, "user/*.cruds": false,
				"user/*.*": false, "patient/*.rs system/*.rs": false, "user/*.cruds system/*.cruds": false,
				"launch/patient openid fhirUser": false, "": false, "system/*.cud": false,
				"system/Observation.rs?category=laboratory": false,
				"system/*.rs": true, "system/*.read": true, "system/*.cruds": true, "system/*.*": true,
			} {
				want := 0
				if backend {
					want = granted[bulkExport]
				}
				arn := cfg.Document().RoleARN(scopes.AccessOf(claim))
				got := 0
				for _, role := range cfg.ServiceRoles() {
					if cfg.Names().RoleARN(role) != arn {
						continue
					}
					for _, action := range serviceActions(cfg, role.Access) {
						if strings.Contains(action, "Export") {
							got++
						}
					}
				}
				if got != want {
					t.Errorf("bulkExport %s, %s: %q has %d export actions, want %d", bulkExport, healthLakeAccess, claim, got, want)
				}
			}
		}
	}
}
