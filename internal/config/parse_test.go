package config

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	want := Config{
		Account: "210987654321", Region: "us-east-1", TagName: "Purpose", TagValue: "smart", Prefix: "fhir-",
		DatastoreName: "records", ClientID: "resource-server",
		AuthEndpoint: "https://idp.example", AuthEndpointToken: "https://idp.example/oauth2/token",
		AuthEndpointIntrospect: "https://idp.example/admin/oauth2/introspect",
		AuthEndpointAuthorize:  "https://idp.example/oauth2/auth", AuthIssuer: "https://idp.example",
		AuthEndpointJwks:   "https://idp.example/.well-known/jwks.json",
		AuthEndpointRevoke: "https://idp.example/oauth2/revoke",
		TokenValidation:    TokenValidationIntrospection,
		IntrospectionAuth:  "auto", TrustedIssuers: []string{}, SenderConstrainedTokens: "deny", BulkExport: "off", AuditClaims: []string{"client_id", "jti"},
		RequiredAudience: []string{"datastore"}, RequiredScope: []string{}, ClaimNames: map[string]string{},
		AuthorizationStrategy: "SMART_ON_FHIR", FineGrainedAuthorization: true,
		SmartCapabilities: []string{"launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric",
			"client-confidential-asymmetric", "sso-openid-connect", "permission-offline", "permission-patient",
			"permission-user", "permission-v1", "permission-v2"},
		SmartScopes: []string{"openid", "fhirUser", "offline_access", "launch/patient",
			"patient/*.read", "patient/*.write", "patient/*.rs", "patient/*.cruds",
			"user/*.read", "user/*.write", "user/*.rs", "user/*.cruds",
			"system/*.read", "system/*.write", "system/*.rs", "system/*.cruds"},
		GrantTypes: []string{"authorization_code", "client_credentials"},
		KMSKey:     "aws-owned", HealthLakeAccess: "read-write", SecretName: "SOF-HL", SecretAdmins: []string{},
		LambdaArchitecture: "arm64", LambdaMemorySize: 128, LambdaConcurrentExecutions: 5, LogRetentionDays: 14,
		Dashboard: true, VPCSubnets: []string{}, VPCSecurityGroups: []string{},
		TokenEndpointAuthMethods: []string{}, TokenEndpointAuthSigningAlgs: []string{},
	}
	if got := accepts(t, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestMissing(t *testing.T) {
	required := []string{"account", "region", "tagName", "tagValue", "prefix", "datastoreName", "clientId", "authEndpoint",
		"authEndpointToken", "authEndpointIntrospect"}
	for _, name := range required {
		faults(t, name, map[string]any{name: nil})
	}
	says(t, map[string]any{"account": nil}, "error account: got nothing, want 12 digits")
	if got := len(lines(nil)); got != len(required) {
		t.Errorf("an empty context has %d problems, want %d", got, len(required))
	}
	// A JSON null is nothing.
	context := valid()
	context["account"] = nil
	if got := lines(context); !slices.Equal(got, []string{"error account: got nothing, want 12 digits"}) {
		t.Errorf("account null: %q", got)
	}
	for _, name := range []string{"account", "region", "tagName", "datastoreName", "clientId", "authEndpoint",
		"authEndpointToken", "authEndpointIntrospect", "secretName"} {
		faults(t, name, map[string]any{name: ""})
	}
	accepts(t, map[string]any{"prefix": "", "tagValue": "", "clientSecret": "", "srvAPIKey": ""})
}

func TestTypes(t *testing.T) {
	for _, test := range []struct {
		raw  any
		want bool
	}{{true, true}, {"true", true}, {"TRUE", true}, {false, false}, {"false", false}, {"False", false}} {
		if got := accepts(t, map[string]any{"lambdaEnhancedLogging": test.raw}); got.LambdaEnhancedLogging != test.want {
			t.Errorf("lambdaEnhancedLogging %#v: got %v", test.raw, got.LambdaEnhancedLogging)
		}
	}
	for _, raw := range []any{"yes", "", "1", " true", 1.0, []any{true}, map[string]any{}} {
		faults(t, "lambdaEnhancedLogging", map[string]any{"lambdaEnhancedLogging": raw})
	}

	for _, raw := range []any{7, 7.0, "7"} {
		if got := accepts(t, map[string]any{"lambdaConcurrentExecutions": raw}); got.LambdaConcurrentExecutions != 7 {
			t.Errorf("lambdaConcurrentExecutions %#v: got %d", raw, got.LambdaConcurrentExecutions)
		}
	}
	for _, raw := range []any{7.5, "7.5", "7.0", "seven", "", "7 ", "99999999999999999999", 1e300, math.Inf(1), math.NaN(),
		true, []any{7.0}, map[string]any{}} {
		faults(t, "lambdaConcurrentExecutions", map[string]any{"lambdaConcurrentExecutions": raw})
	}

	for _, raw := range []any{
		[]any{"a", "b"}, []string{"a", "b"}, `["a","b"]`, ` [ "a", "b" ] `, "a,b", "a b", "a, b", " a ,\tb,"} {
		got := accepts(t, map[string]any{"trustedIssuers": raw})
		if !slices.Equal(got.TrustedIssuers, []string{"a", "b"}) {
			t.Errorf("trustedIssuers %#v: got %q", raw, got.TrustedIssuers)
		}
	}
	for _, raw := range []any{[]any{}, "", "[]"} {
		if got := accepts(t, map[string]any{"trustedIssuers": raw}); len(got.TrustedIssuers) != 0 {
			t.Errorf("trustedIssuers %#v: got %q", raw, got.TrustedIssuers)
		}
	}
	for _, raw := range []any{[]any{"a", 1.0}, []any{nil}, []any{""}, []any{"a b"}, `["a"`, `["a"] b`, `[1]`, 1.0, true,
		map[string]any{}} {
		faults(t, "trustedIssuers", map[string]any{"trustedIssuers": raw})
	}

	for _, raw := range []any{1.0, true, []any{"x"}, map[string]any{}} {
		faults(t, "tagValue", map[string]any{"tagValue": raw})
		faults(t, "clientSecret", map[string]any{"clientSecret": raw})
	}
}

func TestAliases(t *testing.T) {
	c := accepts(t, map[string]any{"authEndpoint": nil, "authEndPoint": "https://other.example",
		"lambdaConcurentExecutions": "3"})
	if c.AuthEndpoint != "https://other.example" || c.AuthIssuer != "https://other.example" ||
		c.LambdaConcurrentExecutions != 3 {
		t.Errorf("got %+v", c)
	}
	// A problem shows the key as the context spells it.
	says(t, map[string]any{"lambdaConcurentExecutions": 0.0},
		"error lambdaConcurentExecutions: got 0, want a whole number, at least 1")

	says(t, map[string]any{"authEndPoint": "https://idp.example"},
		"error authEndpoint: got both authEndpoint and authEndPoint, want one of the two spellings")
	says(t, map[string]any{"lambdaConcurentExecutions": 5.0, "lambdaConcurrentExecutions": 5.0},
		"error lambdaConcurrentExecutions: got both lambdaConcurrentExecutions and lambdaConcurentExecutions, "+
			"want one of the two spellings")
}

func TestSpelling(t *testing.T) {
	for _, test := range []struct {
		context map[string]any
		want    string
	}{
		{map[string]any{}, "authEndpoint"},
		{map[string]any{"authEndpoint": "x"}, "authEndpoint"},
		{map[string]any{"authEndPoint": "x"}, "authEndPoint"},
		{map[string]any{"authEndPoint": "x", "authEndpoint": nil}, "authEndPoint"},
		{map[string]any{"authEndPoint": "x", "authEndpoint": "y"}, "authEndpoint"},
	} {
		if got := Spelling(test.context, KeyAuthEndpoint); got != test.want {
			t.Errorf("%v: got %s, want %s", test.context, got, test.want)
		}
	}
}

// Every fault at once, one line each, in the order of the tables.
func TestAllFaultsAtOnce(t *testing.T) {
	context := map[string]any{
		"account":                       "12345",
		"region":                        "us east",
		"tagName":                       "aws:Purpose",
		"tagValue":                      5.0,
		"prefix":                        "my_",
		"preloadData":                   "true",
		"preloadDataType":               "REAL",
		"clientId":                      "c",
		"clientSecret":                  []any{"hidden-secret"},
		"authEndpiont":                  "https://idp.example",
		"authEndPoint":                  "idp.example",
		"authEndpointToken":             "http://idp.example/token",
		"authEndpointIntrospect":        "https://user:hidden-secret@idp.example/introspect",
		"srvAPIKey":                     "hidden secret",
		"healthLakeAccess":              "all",
		"lambdaConcurrentExecutions":    "0",
		"lambdaMaxConcurrentExecutions": -1.0,
		"lambdaArchitecture":            "amd64",
		"Unrelated":                     true,
	}
	want := []string{
		`error account: got "12345", want 12 digits`,
		`error region: got "us east", want a region with HealthLake: us-east-1, us-east-2, us-west-2, ap-south-1, ap-southeast-2, ca-central-1, eu-west-1 or eu-west-2`,
		`error tagName: got "aws:Purpose", want 1 to 128 letters, digits, spaces or _.:/=+-@, not beginning with "aws:"`,
		`error tagValue: got 5, want at most 256 letters, digits, spaces or _.:/=+-@`,
		`error prefix: got "my_", want ASCII letters, digits and hyphens, a letter first, for the CloudFormation stack ` +
			`<prefix>Roles`,
		`error clientSecret: got (hidden, a list), want printable ASCII characters, or a reference such as ` +
			`{{resolve:secretsmanager:<secret>:SecretString:<json key>}}`,
		`error authEndPoint: got "idp.example", want an absolute https URL (http only for localhost), no user name, ` +
			`no query, no fragment, no braces`,
		`error unknown key authEndpiont, did you mean authEndpoint?`,
		`error authEndpointToken: got "http://idp.example/token", want an absolute https URL (http only for localhost), ` +
			`no user name, no fragment, no braces`,
		`error authEndpointIntrospect: got "https:(hidden)@idp.example/introspect", want an absolute https URL ` +
			`(http only for localhost), no user name, no fragment, no braces`,
		`error srvAPIKey: got (hidden, 13 characters), want printable ASCII characters without spaces, or ` +
			`a reference such as {{resolve:secretsmanager:<secret>:SecretString:<json key>}}`,
		`error lambdaArchitecture: got "amd64", want arm64 or x86_64`,
		`error lambdaConcurrentExecutions: got "0", want a whole number, at least 1`,
		`error lambdaMaxConcurrentExecutions: got -1, want a whole number, at least 0`,
		`error datastoreName: got nothing, want 1 to 256 letters, digits, spaces or _.:/=+-%@`,
		`error preloadDataType: got "REAL", want SYNTHEA where preloadData is true`,
		`error healthLakeAccess: got "all", want read-write or read-only`,
		`error unknown key Unrelated, all keys are in docs/reference/configuration.md`,
	}
	for range 20 { // a map's order differs from run to run
		if got := lines(context); !slices.Equal(got, want) {
			t.Fatalf("got\n%q\nwant\n%q", got, want)
		}
	}
	if c, _ := Parse(context); !reflect.DeepEqual(c, Config{}) {
		t.Errorf("with errors the Config is %+v, want the zero value", c)
	}
}

func TestSampleContext(t *testing.T) {
	file, err := os.ReadFile("../../cdk.context.json")
	if err != nil {
		t.Fatal(err)
	}
	var context map[string]any
	if err := json.Unmarshal(file, &context); err != nil {
		t.Fatal(err)
	}
	c, problems := Parse(context)
	var keys []string
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("the sample has an error: %s", p)
		}
		keys = append(keys, p.Key)
	}
	want := []string{"account", "clientId", "clientSecret", "authEndpoint", "authEndpointToken", "authEndpointIntrospect",
		"srvAPIKey", "requiredAudience"}
	if !slices.Equal(keys, want) {
		t.Errorf("warnings about %q, want %q", keys, want)
	}
	if c.Prefix != "sof-hl-" || c.PreloadData || c.LambdaConcurrentExecutions != 5 || c.LambdaEnhancedLogging ||
		c.AuthIssuer != "https://main-oauth2-server-link.com/" ||
		c.AuthEndpointAuthorize != "https://main-oauth2-server-link.com/oauth2/auth" {
		t.Errorf("got %+v", c)
	}
}

func TestPlaceholders(t *testing.T) {
	says(t, map[string]any{"account": 123456789012.0},
		"warning account: got 123456789012, want your own value: this is a placeholder")
	// One warning a key, also where a literal alone gives one.
	for key, value := range map[string]string{"clientSecret": "abcdefghijklmnopqrstuvxyz", "srvAPIKey": "srv_pat_aBcDeFgHiJkLmNoPqRsTuVwXyZ"} {
		got := lines(with(map[string]any{key: value}))
		if len(got) != 1 || !strings.Contains(got[0], "want your own value: this is a placeholder; and no "+key) {
			t.Errorf("the sample's %s: %q", key, got)
		}
	}
}

// Whatever the context holds: no panic, a usable Config exactly where there is no error, never a secret in a message.
func FuzzParse(f *testing.F) {
	sample, err := os.ReadFile("../../cdk.context.json")
	if err != nil {
		f.Fatal(err)
	}
	usable, err := json.Marshal(valid())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample, "")
	f.Add(usable, "clientSecert")
	f.Add([]byte(`{}`), "clientSecret")
	f.Add([]byte(`{"account":1e300,"prefix":"\u0000","trustedIssuers":[null],"kmsKey":"arn:aws:kms::"}`), "srvAPIKey")
	f.Add([]byte(`{"authEndpoint":"https://%zz@[::1","authEndPoint":{},"secretAdmins":"["}`), "SRVAPIKEY")

	const secret = "hunter-2-hunter-2"
	f.Fuzz(func(t *testing.T, document []byte, secretKey string) {
		var context map[string]any
		if json.Unmarshal(document, &context) != nil || context == nil {
			return
		}
		if plain, err := json.Marshal(context); err != nil || bytes.Contains(plain, []byte("hunter")) {
			return // the fuzzer found the secret's word by itself
		}
		for _, hidden := range []any{secret, "\x00" + secret, []any{secret}, map[string]any{secret: secret}} {
			context["clientSecret"], context["srvAPIKey"] = hidden, hidden
			if _, known := position[secretKey]; !known && len(secretKey) < 40 {
				context[secretKey] = hidden
			}
			c, problems := Parse(context)
			var report bytes.Buffer
			Report(&report, problems)
			for _, p := range problems {
				report.WriteString(p.String())
			}
			if bytes.Contains(report.Bytes(), []byte("hunter")) {
				t.Fatalf("a secret is in %q", report.String())
			}
			if HasErrors(problems) != reflect.DeepEqual(c, Config{}) {
				t.Fatalf("Config %+v with problems %v", c, problems)
			}
			if !HasErrors(problems) {
				checkUsable(t, c)
			}
		}
	})
}

// checkUsable holds a Config against what the stacks rely on.
func checkUsable(t *testing.T, c Config) {
	t.Helper()
	for _, s := range []string{c.Account, c.Region, c.TagName, c.DatastoreName, c.ClientID, c.AuthEndpoint,
		c.AuthEndpointToken, c.AuthEndpointIntrospect, c.AuthEndpointAuthorize, string(c.IntrospectionAuth), c.AuthorizationStrategy,
		c.KMSKey, c.HealthLakeAccess, c.SecretName, c.LambdaArchitecture} {
		if s == "" {
			t.Fatalf("something is empty in %+v", c)
		}
	}
	if len(c.SmartCapabilities) == 0 || len(c.GrantTypes) == 0 || c.LambdaMemorySize < 128 || c.LogRetentionDays < 1 ||
		c.LambdaConcurrentExecutions < 1 || c.PreloadData != (c.PreloadDataType == PreloadSynthea) ||
		len(c.Prefix+"Role-for-HealthLake") > 64 {
		t.Fatalf("not usable: %+v", c)
	}
}

// A dynamic reference is resolved wherever it stands in a template, so only the credentials may be one.
func TestReferencesElsewhere(t *testing.T) {
	const reference = "{{resolve:secretsmanager:other:SecretString:password}}"
	for _, k := range keys {
		for _, name := range k.spellings() {
			if k.secret != "" {
				accepts(t, map[string]any{name: reference})
				continue
			}
			for _, v := range []any{reference, []any{"a", reference}, map[string]any{"patient": reference},
				map[string]any{reference: "patient"}, `["\u007b\u007bresolve:x}}"]`, "a{{b"} {
				_, problems := Parse(with(map[string]any{k.name: nil, name: v}))
				found := slices.ContainsFunc(problems, func(p Problem) bool {
					return p.Key == name && !p.Warning && p.Want == "no {{, which begins a dynamic reference of CloudFormation"
				})
				if !found {
					t.Errorf("%s: %v: got %v", name, v, problems)
				}
			}
		}
	}
}
