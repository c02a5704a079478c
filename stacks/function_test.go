package stacks

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

func TestFunction(t *testing.T) {
	tmpl := get(t, "default").stacks["CheckToken"]
	id, function := tmpl.one(t, "AWS::Lambda::Function")
	logs, logGroup := tmpl.one(t, "AWS::Logs::LogGroup")
	policy, _ := tmpl.one(t, "AWS::IAM::ManagedPolicy")

	properties := maps.Clone(function["Properties"].(map[string]any))
	delete(properties, "Code")
	delete(properties, "Tags")
	wantJSON(t, properties, `{
		"FunctionName": "sof-hl-checkToken",
		"Description": "Verifies the bearer token of a FHIR request for HealthLake",
		"Runtime": "provided.al2023",
		"Handler": "bootstrap",
		"Architectures": ["arm64"],
		"MemorySize": 512,
		"Timeout": 2,
		"Role": "arn:aws:iam::123456789012:role/sof-hl-Lambda-Role",
		"Environment": {"Variables": {
			"SECRET_ID": {"Fn::ImportValue": "sof-hl-Secret:ExportsOutputRefSecret34AA9512"},
			"INTROSPECTION_AUTH": "auto",
			"INTROSPECTION_ORIGIN": "https://idp.example", "AUDIT_CLAIMS": "client_id jti"
		}},
		"LoggingConfig": {
			"LogGroup": {"Ref": "`+logs+`"},
			"LogFormat": "JSON",
			"ApplicationLogLevel": "DEBUG",
			"SystemLogLevel": "INFO"
		}
	}`)
	// Without its permissions the function could not read its secret while it starts.
	wantJSON(t, function["DependsOn"], `["`+policy+`"]`)
	_, version := tmpl.one(t, "AWS::Lambda::Version")
	wantJSON(t, at(version, "Properties", "FunctionName"), `{"Ref": "`+id+`"}`)

	wantJSON(t, at(logGroup, "Properties", "LogGroupName"), `"/aws/lambda/sof-hl-checkToken"`)
	wantJSON(t, at(logGroup, "Properties", "RetentionInDays"), `14`)
	wantJSON(t, logGroup["DeletionPolicy"], `"Delete"`)
}

func TestFunctionSettings(t *testing.T) {
	tmpl := get(t, "function").stacks["CheckToken"]
	tmpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Architectures":                []any{"x86_64"},
		"MemorySize":                   1024,
		"ReservedConcurrentExecutions": 50,
		"Environment": map[string]any{"Variables": map[string]any{
			"SECRET_ID":          map[string]any{"Fn::ImportValue": "sof-hl-Secret:ExportsOutputRefSecret34AA9512"},
			"INTROSPECTION_AUTH": "basic", "INTROSPECTION_ORIGIN": "https://idp.example", "AUDIT_CLAIMS": "client_id jti",
			"REQUIRED_AUDIENCE": "datastore https://fhir.example/",
			"REQUIRED_SCOPE":    "fhir launch",
			"CLAIM_NAMES":       `{"fhirUser":"https://clinic.example/fhirUser"}`,
			"TRUSTED_ISSUERS":   "https://a.example/ https://b.example/",
			"AUTH_CA_BUNDLE":    "ca.pem",

			"INTROSPECTION_CACHE_SECONDS": "30",
		}},
	})
	tmpl.HasResourceProperties(jsii.String("AWS::Logs::LogGroup"), map[string]any{"RetentionInDays": 365})
}

func TestFunctionThatVerifiesJWTs(t *testing.T) {
	s := get(t, "givenKey")
	_, function := s.stacks["CheckToken"].one(t, "AWS::Lambda::Function")
	for name, want := range map[string]string{
		"TOKEN_VALIDATION": "jwt", "AUDIT_CLAIMS": "client_id jti", "AUTH_ISSUER": "https://idp.example/", "REQUIRED_AUDIENCE": "datastore",
		"AUTH_ENDPOINT_JWKS": "https://idp.example/.well-known/jwks.json",
	} {
		if got := at(function, "Properties", "Environment", "Variables", name); got != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	// It shows nobody any credentials, so a deploy asks for none.
	for name := range at(s.stacks["Secret"].json, "Parameters").(map[string]any) {
		if name != "BootstrapVersion" {
			t.Errorf("the secret's stack has the parameter %s", name)
		}
	}
}

func TestFunctionPermissions(t *testing.T) {
	const own = `{"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}`
	decrypt := func(key, secret, account, region string) string {
		return `, {
			"Effect": "Allow",
			"Action": "kms:Decrypt",
			"Resource": ` + key + `,
			"Condition": {"StringEquals": {
				"kms:CallerAccount": "` + account + `",
				"kms:ViaService": "secretsmanager.` + region + `.amazonaws.com",
				"kms:EncryptionContext:SecretARN": {"Fn::ImportValue": "` + secret + `"}
			}}
		}`
	}
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		tmpl := s.stacks["CheckToken"]
		logs, _ := tmpl.one(t, "AWS::Logs::LogGroup")
		_, policy := tmpl.one(t, "AWS::IAM::ManagedPolicy")
		secret := cfg.Prefix + "Secret:ExportsOutputRefSecret34AA9512"
		var key string
		switch cfg.KMSKey {
		case config.KMSKeyCreate:
			key = decrypt(own, secret, "123456789012", "us-east-1")
		case keyARN:
			key = decrypt(`"`+keyARN+`"`, secret, "210987654321", "eu-west-2")
		}
		if cfg.Tracing {
			key += `, {"Effect": "Allow", "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "Resource": "*"}`
		}
		key += networkStatements(t, cfg, tmpl)
		wantJSON(t, at(policy, "Properties", "Roles"), `["`+cfg.Prefix+`Lambda-Role"]`)
		wantJSON(t, at(policy, "Properties", "PolicyDocument"), `{
			"Version": "2012-10-17",
			"Statement": [
				{
					"Effect": "Allow",
					"Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
					"Resource": {"Fn::GetAtt": ["`+logs+`", "Arn"]}
				},
				{
					"Effect": "Allow",
					"Action": "secretsmanager:GetSecretValue",
					"Resource": {"Fn::ImportValue": "`+secret+`"}
				}`+key+`
			]
		}`)
	})
}

func TestAlias(t *testing.T) {
	tmpl := get(t, "default").stacks["CheckToken"]
	function, _ := tmpl.one(t, "AWS::Lambda::Function")
	version, _ := tmpl.one(t, "AWS::Lambda::Version")
	id, alias := tmpl.one(t, "AWS::Lambda::Alias")
	wantJSON(t, alias["Properties"], `{
		"Name": "live",
		"Description": "Called by HealthLake",
		"FunctionName": {"Ref": "`+function+`"},
		"FunctionVersion": {"Fn::GetAtt": ["`+version+`", "Version"]},
		"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 5}
	}`)
	wantJSON(t, at(tmpl.json, "Outputs", "AliasArn", "Value"), `{"Ref": "`+id+`"}`)
}

// One permission in every variant, and that on the alias: the function itself and its versions stay out of HealthLake's
// reach. The account's condition is there on request.
func TestInvokePermission(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		tmpl := s.stacks["CheckToken"]
		alias, _ := tmpl.one(t, "AWS::Lambda::Alias")
		account := ""
		if cfg.RestrictInvokeToAccount {
			account = `, "SourceAccount": "123456789012"`
		}
		_, permission := tmpl.one(t, "AWS::Lambda::Permission")
		wantJSON(t, permission["Properties"], `{
			"Action": "lambda:InvokeFunction",
			"FunctionName": {"Ref": "`+alias+`"},
			"Principal": "healthlake.amazonaws.com"`+account+`
		}`)
	})
}

// A changed setting must come to the alias as a new version, or HealthLake would go on calling the old one.
func TestSettingsMakeNewVersion(t *testing.T) {
	one, _ := get(t, "default").stacks["CheckToken"].one(t, "AWS::Lambda::Version")
	other, _ := get(t, "function").stacks["CheckToken"].one(t, "AWS::Lambda::Version")
	if one == other {
		t.Errorf("both configurations have version %s", one)
	}
}

func TestAutoScaling(t *testing.T) {
	if n := len(get(t, "default").stacks["CheckToken"].resources("AWS::ApplicationAutoScaling::ScalableTarget")); n != 0 {
		t.Errorf("the default scales %d targets", n)
	}

	tmpl := get(t, "function").stacks["CheckToken"]
	alias, _ := tmpl.one(t, "AWS::Lambda::Alias")
	target, resource := tmpl.one(t, "AWS::ApplicationAutoScaling::ScalableTarget")
	wantJSON(t, at(resource, "Properties", "MinCapacity"), `5`)
	wantJSON(t, at(resource, "Properties", "MaxCapacity"), `20`)
	wantJSON(t, at(resource, "Properties", "ScalableDimension"), `"lambda:function:ProvisionedConcurrency"`)
	wantJSON(t, at(resource, "Properties", "ResourceId"), `{"Fn::Join": ["", [
		"function:",
		{"Fn::Select": [6, {"Fn::Split": [":", {"Ref": "`+alias+`"}]}]},
		":live"
	]]}`)
	_, policy := tmpl.one(t, "AWS::ApplicationAutoScaling::ScalingPolicy")
	wantJSON(t, at(policy, "Properties", "ScalingTargetId"), `{"Ref": "`+target+`"}`)
	wantJSON(t, at(policy, "Properties", "TargetTrackingScalingPolicyConfiguration"), `{
		"PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
		"TargetValue": 0.7
	}`)
}

// The functions as they would be deployed: right machine, nothing in them that they do not need, and the same bytes from a
// copy of the source in another place.
func TestFunctionBinary(t *testing.T) {
	cfg := sample()
	cfg.AuthCABundle = caFile
	here := synthesize(t, cfg, filepath.Join(t.TempDir(), "cdk.out"), true)
	asset := func(stack string) string {
		return filepath.Join(here.dir, "asset."+strings.TrimSuffix(codeKey(t, here, stack), ".zip"))
	}
	for _, stack := range []string{"CheckToken", "Datastore"} {
		checkBinary(t, filepath.Join(asset(stack), "bootstrap"))
	}

	content, err := os.ReadFile(filepath.Join(asset("CheckToken"), "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, linked := range []string{source.Version, source.Revision} {
		if !bytes.Contains(content, []byte(linked)) {
			t.Errorf("%s is not in the binary", linked)
		}
	}
	bundle, err := os.ReadFile(filepath.Join(asset("CheckToken"), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if original, err := os.ReadFile(caFile); err != nil || !bytes.Equal(bundle, original) {
		t.Errorf("ca.pem differs from %s: %v", caFile, err)
	}
	if info, err := os.Stat(filepath.Join(asset("CheckToken"), "ca.pem")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("ca.pem is not readable for everybody: %v, %v", info.Mode(), err)
	}

	elsewhere := t.TempDir()
	for _, dir := range []string{"lambda", "internal"} {
		if err := os.CopyFS(filepath.Join(elsewhere, dir), os.DirFS(filepath.Join("..", dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(elsewhere, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "cdk.out")
	there := synthesizeWith(t, cfg, Source{elsewhere, source.Version, source.Revision}, out, contextFlags(t))
	for _, stack := range []string{"CheckToken", "Datastore"} {
		if a, b := codeKey(t, there, stack), codeKey(t, here, stack); a != b {
			t.Errorf("the same source elsewhere gives %s, here %s", a, b)
		}
	}
}

func checkBinary(t *testing.T, binary string) {
	t.Helper()
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Machine != elf.EM_AARCH64 {
		t.Errorf("compiled for %v, want arm64", file.Machine)
	}
	for _, section := range []string{".symtab", ".debug_info", ".note.go.buildid", ".interp"} {
		if file.Section(section) != nil {
			t.Errorf("section %s is there", section)
		}
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{
		"-trimpath": "true", "-tags": "lambda.norpc", "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "arm64", "vcs": "",
	} {
		if settings[key] != want {
			t.Errorf("built with %s=%q, want %q", key, settings[key], want)
		}
	}
	for _, module := range info.Deps {
		if strings.Contains(module.Path, "cdk") || strings.Contains(module.Path, "jsii") ||
			strings.Contains(module.Path, "constructs") {
			t.Errorf("%s is linked into the function", module.Path)
		}
	}
}

// codeKey names a stack's function's package; it is a hash of the package's content.
func codeKey(t *testing.T, s synthesized, stack string) string {
	t.Helper()
	_, function := s.stacks[stack].one(t, "AWS::Lambda::Function")
	return at(function, "Properties", "Code", "S3Key").(string)
}
