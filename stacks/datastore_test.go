package stacks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

func TestDatastore(t *testing.T) {
	tmpl := get(t, "default").stacks["Datastore"]
	_, datastore := tmpl.one(t, contract.DatastoreType)
	wantJSON(t, datastore["Properties"], `{
		"DatastoreName": {"Ref": "CreatedDatastoreName"},
		"DatastoreTypeVersion": "R4",
		"IdentityProviderConfiguration": {
			"AuthorizationStrategy": {"Ref": "CreatedAuthorizationStrategy"},
			"FineGrainedAuthorizationEnabled": {"Fn::If": ["CreatedFineGrained", true, false]},
			"IdpLambdaArn": {"Ref": "CreatedIdpLambdaArn"},
			"Metadata": {"Ref": "CreatedMetadata"}
		},
		"Tags": [{"Key": "Purpose", "Value": "sof-hl"}]
	}`)
	wantJSON(t, at(tmpl.json, "Conditions", "CreatedFineGrained"),
		`{"Fn::Equals": [{"Ref": "CreatedFineGrainedAuthorizationEnabled"}, "true"]}`)
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		for name, want := range map[string]string{
			"DatastoreName": cfg.Prefix + "datastorename", "AuthorizationStrategy": cfg.AuthorizationStrategy,
			"FineGrainedAuthorizationEnabled": strconv.FormatBool(cfg.FineGrainedAuthorization),
			"IdpLambdaArn":                    cfg.Names().AliasARN, "Metadata": cfg.Metadata(),
		} {
			parameter := at(s.stacks["Datastore"].json, "Parameters", "Created"+name)
			if at(parameter, "Type") != "String" || at(parameter, "Default") != want {
				t.Errorf("parameter of %s is %v, want %s", name, parameter, want)
			}
		}
	})
}

func TestDatastoreSettings(t *testing.T) {
	_, datastore := get(t, "ownKey").stacks["Datastore"].one(t, contract.DatastoreType)
	wantJSON(t, at(datastore, "Properties", "PreloadDataConfig"), `{"PreloadDataType": "SYNTHEA"}`)
	wantJSON(t, at(datastore, "Properties", "SseConfiguration"), `{"KmsEncryptionConfig": {
		"CmkType": "CUSTOMER_MANAGED_KMS_KEY",
		"KmsKeyId": {"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}
	}}`)

	_, datastore = get(t, "givenKey").stacks["Datastore"].one(t, contract.DatastoreType)
	wantJSON(t, at(datastore, "Properties", "SseConfiguration", "KmsEncryptionConfig", "KmsKeyId"), `"`+keyARN+`"`)
}

// The logical id is as good as the datastore's identity: another one, and CloudFormation builds a new datastore.
func TestDatastoreLastsAndIsNeverReplacedAway(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		id, datastore := s.stacks["Datastore"].one(t, contract.DatastoreType)
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

// Whatever changes about the function, its secret, its logs and its scaling, the datastore and its settings stay.
func TestFunctionSettingsNeverReachDatastore(t *testing.T) {
	one, other := get(t, "default").stacks["Datastore"], get(t, "function").stacks["Datastore"]
	if !reflect.DeepEqual(one.json["Parameters"], other.json["Parameters"]) {
		t.Errorf("got parameters\n%v\nand\n%v", one.json["Parameters"], other.json["Parameters"])
	}
	for _, kind := range []string{contract.DatastoreType, contract.SettingsType} {
		if a, b := one.resources(kind), other.resources(kind); !reflect.DeepEqual(a, b) {
			t.Errorf("got\n%v\nand\n%v", a, b)
		}
	}
}

func TestIdpLambdaArnIsTheAlias(t *testing.T) {
	// HealthLake API reference, IdentityProviderConfiguration.
	pattern := regexp.MustCompile(
		`^arn:aws:lambda:[a-z]{2}-[a-z]+-\d{1}:\d{12}:function:[a-zA-Z0-9\-_\.]+(:(\$LATEST|[a-zA-Z0-9\-_]+))?$`)
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		_, settings := s.stacks["Datastore"].one(t, contract.SettingsType)
		arn, ok := at(settings, "Properties", "IdpLambdaArn").(string)
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

// An adopted datastore is not the stack's own: only its settings are.
func TestAdoptedDatastore(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	const arn, endpoint = "arn:aws:healthlake:us-east-1:123456789012:datastore/fhir/" + id,
		"https://healthlake.us-east-1.amazonaws.com/datastore/" + id + "/r4/"
	cfg := sample()
	cfg.AdoptDatastore = id
	tmpl := synthesize(t, cfg, filepath.Join(t.TempDir(), "cdk.out"), false).stacks["Datastore"]
	if n := len(tmpl.resources(contract.DatastoreType)); n != 0 {
		t.Errorf("%d datastores", n)
	}
	_, settings := tmpl.one(t, contract.SettingsType)
	wantJSON(t, at(settings, "Properties", "DatastoreId"), `"`+id+`"`)
	// Nobody knows what it has, so the function looks.
	wantJSON(t, at(settings, "Properties", "Created"), `{"DatastoreName": "", "AuthorizationStrategy": "",
		"FineGrainedAuthorizationEnabled": "", "IdpLambdaArn": "", "Metadata": ""}`)
	for _, policy := range tmpl.resources("AWS::IAM::ManagedPolicy") {
		for _, statement := range at(policy, "Properties", "PolicyDocument", "Statement").([]any) {
			if actions := fmt.Sprint(at(statement, "Action")); strings.Contains(actions, "healthlake:") {
				wantJSON(t, at(statement, "Resource"), `"`+arn+`"`)
			}
		}
	}
	for name, want := range map[string]string{
		"DatastoreId": id, "DatastoreArn": arn, "DatastoreEndpoint": endpoint,
		"DiscoveryDocumentUrl": endpoint + ".well-known/smart-configuration",
	} {
		wantJSON(t, at(tmpl.json, "Outputs", name, "Value"), `"`+want+`"`)
	}
}

// CloudFormation keeps the parameter's value, and refuses one that a template does not allow.
func TestOriginCannotChange(t *testing.T) {
	cfg := sample()
	cfg.AdoptDatastore = "0123456789abcdef0123456789abcdef"
	adopted := synthesize(t, cfg, filepath.Join(t.TempDir(), "cdk.out"), false).stacks["Datastore"]
	for origin, tmpl := range map[string]template{"created": get(t, "default").stacks["Datastore"], "adopted": adopted} {
		parameter := at(tmpl.json, "Parameters", "DatastoreOrigin")
		wantJSON(t, at(parameter, "Default"), `"`+origin+`"`)
		wantJSON(t, at(parameter, "AllowedValues"), `["`+origin+`"]`)
		wantJSON(t, at(tmpl.json, "Outputs", "Origin", "Value"), `{"Ref": "DatastoreOrigin"}`)
	}
}

// What each role may do, action by action, in each variant.
func TestServicePermissions(t *testing.T) {
	const (
		read = `ExpandValueSetWithGet ExpandValueSetWithPost GetCapabilities GetHistoryByResourceId InquirePreAuthClaim
			LookupCodeSystemWithGet LookupCodeSystemWithPost QuestionnairePackage ReadResource SearchEverything SearchWithGet
			SearchWithPost TranslateConceptMapWithGet TranslateConceptMapWithPost ValidateResource VersionReadResource`
		bundle = ` ProcessBundle`
		write  = ` ConfirmAttributionList CreateResource DeleteResource GenerateDocumentWithGet GenerateDocumentWithPost MemberAdd
			MemberMatch MemberRemove PatchResource RetrieveAttributionStatus SubmitPreAuthClaim UpdateResource`
		export = ` StartFHIRExportJobWithGet DescribeFHIRExportJobWithGet GetExportedFile CancelFHIRExportJobWithDelete`
		toS3   = export + ` StartFHIRExportJobWithPost`
	)
	key := func(arn, account, region string) string {
		return `, {
			"Effect": "Allow",
			"Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
			"Resource": ` + arn + `,
			"Condition": {"StringEquals": {
				"kms:CallerAccount": "` + account + `",
				"kms:ViaService": "healthlake.` + region + `.amazonaws.com"
			}}
		}`
	}
	for name, test := range map[string]struct {
		roles map[string]string
		key   string
	}{
		"default": {roles: map[string]string{
			"sof-hl-Role-for-HealthLake": read + bundle + write, "sof-hl-Role-for-HealthLake-Read": read + bundle}},
		"ownKey": {
			map[string]string{"sof-hl-Role-for-HealthLake": read, "sof-hl-Role-for-HealthLake-Read": read,
				"sof-hl-Role-for-HealthLake-Export": read + toS3, "sof-hl-Role-for-HealthLake-Read-Export": read + toS3},
			key(`{"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}`, "123456789012", "us-east-1"),
		},
		"exports": {roles: map[string]string{
			"sof-hl-Role-for-HealthLake": read + bundle + write, "sof-hl-Role-for-HealthLake-Read": read + bundle,
			"sof-hl-Role-for-HealthLake-Export":      read + bundle + write + toS3,
			"sof-hl-Role-for-HealthLake-Read-Export": read + bundle + toS3}},
		"givenKey": {
			map[string]string{"Role-for-HealthLake": read + bundle + write, "Role-for-HealthLake-Read": read + bundle,
				"Role-for-HealthLake-Export": read + bundle + write + export, "Role-for-HealthLake-Read-Export": read + bundle + export},
			key(`"`+keyARN+`"`, "210987654321", "eu-west-2"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, policy := range get(t, name).stacks["Datastore"].resources("AWS::IAM::ManagedPolicy") {
				roles := at(policy, "Properties", "Roles").([]any)
				role, byName := roles[0].(string)
				if id, ok := at(roles[0], "Ref").(string); ok {
					role = at(get(t, name).stacks["Datastore"].all()[id], "Properties", "RoleName").(string)
				}
				if role == variant(name).Names().DataAccessRole || role == variant(name).Names().Settings.Role {
					continue // those have TestDataAccessRole and TestSettingsPermissions
				}
				if byName == strings.HasSuffix(role, "Export") {
					t.Errorf("%s: a role that comes and goes is in another stack than its policy", role)
				}
				actions := strings.Fields(test.roles[role])
				if len(roles) != 1 || len(actions) == 0 {
					t.Fatalf("a policy for %v", roles)
				}
				delete(test.roles, role)
				for i := range actions {
					actions[i] = "healthlake:" + actions[i]
				}
				slices.Sort(actions)
				quoted, err := json.Marshal(actions)
				if err != nil {
					t.Fatal(err)
				}
				pass := ""
				if slices.Contains(actions, "healthlake:StartFHIRExportJobWithPost") {
					pass = `, {
						"Effect": "Allow",
						"Action": "iam:PassRole",
						"Resource": {"Fn::GetAtt": ["ExportDataAccessRole4D757127", "Arn"]},
						"Condition": {"StringEquals": {"iam:PassedToService": "healthlake.amazonaws.com"}}
					}`
				}
				wantJSON(t, at(policy, "Properties", "PolicyDocument"), `{"Version": "2012-10-17", "Statement": [
					{"Effect": "Allow", "Action": `+string(quoted)+`, "Resource": {"Fn::GetAtt": ["Datastore", "DatastoreArn"]}}`+
					pass+test.key+`]}`)
			}
			for role := range test.roles {
				t.Errorf("no policy for %s", role)
			}
		})
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
