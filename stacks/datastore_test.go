package stacks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

func TestDatastore(t *testing.T) {
	tmpl := get(t, "default").stacks["Datastore"]
	_, datastore := tmpl.one(t, "AWS::HealthLake::FHIRDatastore")
	quoted, err := json.Marshal(sample().Metadata())
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, datastore["Properties"], `{
		"DatastoreName": "sof-hl-datastorename",
		"DatastoreTypeVersion": "R4",
		"IdentityProviderConfiguration": {
			"AuthorizationStrategy": "SMART_ON_FHIR",
			"FineGrainedAuthorizationEnabled": true,
			"IdpLambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:sof-hl-checkToken:live",
			"Metadata": `+string(quoted)+`
		},
		"Tags": [{"Key": "Purpose", "Value": "sof-hl"}]
	}`)
}

func TestDatastoreSettings(t *testing.T) {
	_, datastore := get(t, "ownKey").stacks["Datastore"].one(t, "AWS::HealthLake::FHIRDatastore")
	wantJSON(t, at(datastore, "Properties", "PreloadDataConfig"), `{"PreloadDataType": "SYNTHEA"}`)
	wantJSON(t, at(datastore, "Properties", "SseConfiguration"), `{"KmsEncryptionConfig": {
		"CmkType": "CUSTOMER_MANAGED_KMS_KEY",
		"KmsKeyId": {"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}
	}}`)
	provider := at(datastore, "Properties", "IdentityProviderConfiguration")
	wantJSON(t, at(provider, "AuthorizationStrategy"), `"SMART_ON_FHIR_V1"`)
	wantJSON(t, at(provider, "FineGrainedAuthorizationEnabled"), `false`)

	_, datastore = get(t, "givenKey").stacks["Datastore"].one(t, "AWS::HealthLake::FHIRDatastore")
	wantJSON(t, at(datastore, "Properties", "SseConfiguration", "KmsEncryptionConfig", "KmsKeyId"), `"`+keyARN+`"`)
}

// The logical id is as good as the datastore's identity: another one, and CloudFormation builds a new datastore.
func TestDatastoreLastsAndIsNeverReplacedAway(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		id, datastore := s.stacks["Datastore"].one(t, "AWS::HealthLake::FHIRDatastore")
		if id != "Datastore" {
			t.Errorf("logical id is %s, want Datastore", id)
		}
		if datastore["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("UpdateReplacePolicy is %v, want Retain", datastore["UpdateReplacePolicy"])
		}
		want := "Delete"
		if cfg.ProtectDatastore {
			want = "Retain"
		}
		if datastore["DeletionPolicy"] != want {
			t.Errorf("DeletionPolicy is %v, want %s", datastore["DeletionPolicy"], want)
		}
	})
}

func TestProtectionHoldsEveryStack(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		manifest, err := os.ReadFile(filepath.Join(s.dir, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		var assembly struct {
			Artifacts map[string]struct {
				Type       string
				Properties struct{ TerminationProtection bool }
			}
		}
		if err := json.Unmarshal(manifest, &assembly); err != nil {
			t.Fatal(err)
		}
		stacks := 0
		for name, artifact := range assembly.Artifacts {
			if artifact.Type != "aws:cloudformation:stack" {
				continue
			}
			stacks++
			if artifact.Properties.TerminationProtection != cfg.ProtectDatastore {
				t.Errorf("%s: termination protection is %t", name, artifact.Properties.TerminationProtection)
			}
		}
		if stacks != 4 {
			t.Errorf("%d stacks, want 4", stacks)
		}
	})
}

// Whatever changes about the function, its secret, its logs and its scaling, nothing in the datastore's stack does.
func TestFunctionSettingsNeverReachDatastore(t *testing.T) {
	one, other := get(t, "default").stacks["Datastore"].json, get(t, "function").stacks["Datastore"].json
	if !reflect.DeepEqual(one, other) {
		t.Errorf("got\n%v\nand\n%v", one, other)
	}
}

func TestIdpLambdaArnIsTheAlias(t *testing.T) {
	// HealthLake API reference, IdentityProviderConfiguration.
	pattern := regexp.MustCompile(
		`^arn:aws:lambda:[a-z]{2}-[a-z]+-\d{1}:\d{12}:function:[a-zA-Z0-9\-_\.]+(:(\$LATEST|[a-zA-Z0-9\-_]+))?$`)
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		_, datastore := s.stacks["Datastore"].one(t, "AWS::HealthLake::FHIRDatastore")
		arn, ok := at(datastore, "Properties", "IdentityProviderConfiguration", "IdpLambdaArn").(string)
		if !ok || !pattern.MatchString(arn) || len(arn) < 49 || len(arn) > 256 {
			t.Fatalf("HealthLake would refuse %v", arn)
		}
		_, function := s.stacks["CheckToken"].one(t, "AWS::Lambda::Function")
		_, alias := s.stacks["CheckToken"].one(t, "AWS::Lambda::Alias")
		want := strings.Join([]string{
			"arn", "aws", "lambda", cfg.Region, cfg.Account, "function",
			at(function, "Properties", "FunctionName").(string), at(alias, "Properties", "Name").(string),
		}, ":")
		if arn != want {
			t.Errorf("datastore calls %s, the alias is %s", arn, want)
		}
	})
}

func TestServicePermissions(t *testing.T) {
	readWrite := `["healthlake:ConfirmAttributionList", "healthlake:CreateResource", "healthlake:DeleteResource",
		"healthlake:ExpandValueSetWithGet", "healthlake:ExpandValueSetWithPost", "healthlake:GenerateDocumentWithGet",
		"healthlake:GenerateDocumentWithPost", "healthlake:GetCapabilities", "healthlake:GetHistoryByResourceId",
		"healthlake:InquirePreAuthClaim", "healthlake:LookupCodeSystemWithGet", "healthlake:LookupCodeSystemWithPost",
		"healthlake:MemberAdd", "healthlake:MemberMatch", "healthlake:MemberRemove", "healthlake:PatchResource",
		"healthlake:ProcessBundle", "healthlake:QuestionnairePackage", "healthlake:ReadResource",
		"healthlake:RetrieveAttributionStatus", "healthlake:SearchEverything", "healthlake:SearchWithGet",
		"healthlake:SearchWithPost", "healthlake:SubmitPreAuthClaim", "healthlake:TranslateConceptMapWithGet",
		"healthlake:TranslateConceptMapWithPost", "healthlake:UpdateResource", "healthlake:ValidateResource",
		"healthlake:VersionReadResource"]`
	readOnly := `["healthlake:ExpandValueSetWithGet", "healthlake:ExpandValueSetWithPost", "healthlake:GetCapabilities",
		"healthlake:GetHistoryByResourceId", "healthlake:InquirePreAuthClaim", "healthlake:LookupCodeSystemWithGet",
		"healthlake:LookupCodeSystemWithPost", "healthlake:QuestionnairePackage", "healthlake:ReadResource",
		"healthlake:SearchEverything", "healthlake:SearchWithGet", "healthlake:SearchWithPost",
		"healthlake:TranslateConceptMapWithGet", "healthlake:TranslateConceptMapWithPost", "healthlake:ValidateResource",
		"healthlake:VersionReadResource"]`
	fhir := func(actions string) string {
		return `{"Effect": "Allow", "Action": ` + actions + `, "Resource": {"Fn::GetAtt": ["Datastore", "DatastoreArn"]}}`
	}
	key := func(arn, account, region string) string {
		return `{
			"Effect": "Allow",
			"Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
			"Resource": ` + arn + `,
			"Condition": {"StringEquals": {
				"kms:CallerAccount": "` + account + `",
				"kms:ViaService": "healthlake.` + region + `.amazonaws.com"
			}}
		}`
	}
	for name, statements := range map[string][]string{
		"default": {fhir(readWrite)},
		"ownKey": {fhir(readOnly), key(
			`{"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}`, "123456789012", "us-east-1")},
		"givenKey": {fhir(readWrite), key(`"`+keyARN+`"`, "210987654321", "eu-west-2")},
	} {
		t.Run(name, func(t *testing.T) {
			_, policy := get(t, name).stacks["Datastore"].one(t, "AWS::IAM::ManagedPolicy")
			wantJSON(t, at(policy, "Properties", "PolicyDocument"),
				`{"Version": "2012-10-17", "Statement": [`+strings.Join(statements, ",")+`]}`)
			wantJSON(t, at(policy, "Properties", "Roles"), `["`+variant(name).Prefix+`Role-for-HealthLake"]`)
		})
	}
}

// A read-only deployment may do a part of what a read-write one may, and none of what writes.
func TestReadOnlyActions(t *testing.T) {
	readOnly, readWrite := serviceActions(config.AccessReadOnly), serviceActions(config.AccessReadWrite)
	for _, actions := range [][]string{readOnly, readWrite} {
		if !slices.IsSorted(actions) {
			t.Errorf("not in order: %v", actions)
		}
	}
	writes := regexp.MustCompile(`:(Create|Update|Patch|Delete|Tag|Untag|Process|Start|Cancel|Submit|Member|Confirm|Generate)`)
	for _, action := range readOnly {
		if writes.MatchString(action) {
			t.Errorf("%s writes", action)
		}
		if !slices.Contains(readWrite, action) {
			t.Errorf("read-write lacks %s", action)
		}
	}
}

// Each of the data plane's 40 actions is listed once (Service Authorization Reference, AWS HealthLake).
func TestFHIRActions(t *testing.T) {
	listed := map[string]bool{}
	for _, names := range fhirActions {
		for _, name := range names {
			if listed[name] {
				t.Errorf("%s is listed twice", name)
			}
			listed[name] = true
		}
	}
	if len(listed) != 40 {
		t.Errorf("got %d actions, want 40", len(listed))
	}
}

func TestDatastoreOutputs(t *testing.T) {
	tmpl := get(t, "default").stacks["Datastore"]
	for name, want := range map[string]string{
		"DatastoreId":  `{"Fn::GetAtt": ["Datastore", "DatastoreId"]}`,
		"DatastoreArn": `{"Fn::GetAtt": ["Datastore", "DatastoreArn"]}`,
	} {
		wantJSON(t, at(tmpl.json, "Outputs", name, "Value"), want)
	}
	// With and without the slash that HealthLake documents.
	for _, attribute := range []string{
		"https://healthlake.us-east-1.amazonaws.com/datastore/0123456789abcdef0123456789abcdef/r4/",
		"https://healthlake.us-east-1.amazonaws.com/datastore/0123456789abcdef0123456789abcdef/r4",
	} {
		const endpoint = "https://healthlake.us-east-1.amazonaws.com/datastore/0123456789abcdef0123456789abcdef/r4/"
		for name, want := range map[string]string{
			"DatastoreEndpoint":    endpoint,
			"DiscoveryDocumentUrl": endpoint + ".well-known/smart-configuration",
			"TestEvent": `{"datastoreEndpoint":"` + endpoint +
				`","bearerToken":"<token>","operationName":"ReadResource"}`,
		} {
			if got := resolve(t, at(tmpl.json, "Outputs", name, "Value"), attribute); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
	for name := range tmpl.json["Outputs"].(map[string]any) {
		if at(tmpl.json, "Outputs", name, "Description") == nil {
			t.Errorf("output %s has no description", name)
		}
	}
}

// resolve does what CloudFormation does with an output of the datastore's endpoint.
func resolve(t *testing.T, v any, endpoint string) string {
	t.Helper()
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if attribute, ok := v["Fn::GetAtt"].([]any); ok && attribute[1] == "DatastoreEndpoint" {
			return endpoint
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, resolve(t, part, endpoint))
			}
			return strings.Join(parts, join[0].(string))
		}
		if choice, ok := v["Fn::Select"].([]any); ok {
			split := at(choice[1], "Fn::Split").([]any)
			return strings.Split(resolve(t, split[1], endpoint), split[0].(string))[int(choice[0].(float64))]
		}
	}
	t.Fatalf("cannot resolve %v", v)
	return ""
}
