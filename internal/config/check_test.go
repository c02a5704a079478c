package config

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/clientauth"
)

// TestSingleKeys: values that a key accepts, and values that it refuses by itself.
func TestSingleKeys(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) }
	arn := "arn:aws:iam::210987654321:"
	ref := "{{resolve:secretsmanager:idp:SecretString:client_secret}}"
	for _, test := range []struct {
		key     string
		takes   []any
		refuses []any
	}{
		{"account", []any{"210987654321", "000000000000", 210987654321.0, 210987654321},
			[]any{"12345", "2109876543210", "21098765432a", "2109-8765-4321",
				" 210987654321", 12345.0, 210987654321.5, -1.0, true}},
		{"region", []any{"eu-west-2", "ca-central-1"},
			[]any{"us east", "us-east", "US-EAST-1", "us-east-1 ", "us-east-1a", 1.0}},
		{"tagName", []any{"Purpose", "cost centre", "a", long(128), "_.:/=+-@"},
			[]any{"", long(129), "aws:x", "AWS:x", "a!", "a\nb"}},
		{"tagValue", []any{"", "sof-hl", long(256), "a.b:c/d=e+f-g@h"}, []any{long(257), "a;b", "a\tb"}},
		{"prefix", []any{"", "a", "sof-hl-", "A1"}, []any{"1a", "-a", "a_", "a.", "a b", "é", 1.0}},
		{"datastoreName", []any{"records", "Größe 1", "_.:/=+-%@"}, []any{"", long(257), "a!", "a\nb", "a(b)"}},
		{"clientId", []any{"id", "a b"}, []any{"", "  ", "a\tb", "é"}},
		{"clientSecret", []any{"", ref}, []any{"a\nb", "é", ref + "x", " " + ref}},
		{"srvAPIKey", []any{"", ref}, []any{"a b", "a\n", "é", ref + "x"}},
		{"authEndpoint", []any{"https://idp.example/", "https://idp.example:8443/base", "http://localhost:4444",
			"http://127.0.0.1:4444/", "http://[::1]:4444/"},
			[]any{"idp.example", "//idp.example", "/", "https:", "https://", "https:///x", "https:idp", "ftp://idp.example",
				"http://idp.example", "http://10.0.0.1", "http://localhost.evil.example", "https://u@idp.example",
				"https://u:p@idp.example", "https://idp.example/#", "https://idp.example/#f", "https://idp.example/?x=1",
				"https://idp.example/a b", " https://idp.example", "https://idp.example\n", "https://idp.example:0",
				"https://idp.example:65536", "https://:443", "https://idp.example/%zz", "javascript:alert(1)",
				"https://idp.example/{tenant}", "https://idp.example/}"}},
		{"authEndpointToken", []any{"https://idp.example/token?tenant=1"}, []any{"http://idp.example/token", "https://i/#",
			"https://i/{{resolve:secretsmanager:other}}", "https://i/?{x}"}},
		{"authEndpointIntrospect", []any{"http://localhost/introspect"}, []any{"http://idp.example", "introspect"}},
		{"authEndpointAuthorize", []any{"https://idp.example/authorize"}, []any{"", "x"}},
		{"authIssuer", []any{"https://idp.example/realms/x"}, []any{"x", "https://idp.example/?q"}},
		{"authEndpointJwks", []any{"https://idp.example/keys"}, []any{"x"}},
		{"authEndpointRevoke", []any{"https://idp.example/revoke", ""}, []any{"x"}},
		{"authEndpointRegister", []any{"https://idp.example/register", ""}, []any{"x"}},
		{"authEndpointManage", []any{"https://idp.example/manage", ""}, []any{"x"}},
		{"authCaBundle", []any{"", "ca.pem", "/etc/ssl/ca.pem"}, []any{" ", "a\x00", 1.0}},
		{"introspectionAuth", []any{"auto", "bearer", "basic", "post", "none", "client_secret_basic", "client_secret_post"},
			[]any{"Auto", "", "apikey", "client_secret_jwt", "Client_Secret_Basic", true}},
		{"requiredAudience", []any{"datastore", "https://fhir.example/", []any{"a", "b"}}, []any{1.0, []any{"a b"}, []any{""}}},
		{"requiredScope", []any{"", "fhir", []any{"fhir", "patient/*.rs"}}, []any{1.0, []any{"a b"}, []any{`a"b`}}},
		{"tokenValidation", []any{"introspection"}, []any{"JWT", "", "both", true}},
		{"claimNames", []any{map[string]any{}, map[string]any{"fhirUser": "custom:fhirUser", "scope": "roles"}, `{"patient": "p"}`},
			[]any{"fhirUser", []any{}, map[string]any{"fhirUser": 1.0}, map[string]any{"fhirUser": ""},
				map[string]any{"isAuthorized": "x"}, map[string]any{"ISS": "x"}, map[string]any{"active": "x"}, "null"}},
		{"trustedIssuers", []any{"https://idp.example/", "accounts.example"}, []any{[]any{"a b"}, []any{""}}},
		{"authorizationStrategy", []any{"SMART_ON_FHIR", "SMART_ON_FHIR_V1"}, []any{"AWS_AUTH", "smart_on_fhir", ""}},
		{"fineGrainedAuthorization", []any{false, "true"}, []any{"on"}},
		{"protectDatastore", []any{true, "false"}, []any{"on"}},
		{"smartCapabilities", []any{"launch-ehr permission-v2", []any{"permission-v2", "our-own"}},
			[]any{"", []any{}, []any{1.0}, "permission-v2 launch-ehr permission-v2"}},
		{"smartScopes", []any{"", "openid", "patient/Observation.rs?category=laboratory&status=final"},
			[]any{[]any{"a b"}, []any{`a"b`}, []any{`a\b`}, "openid openid"}},
		{"grantTypes", []any{"authorization_code", []any{"authorization_code"}, "client_credentials authorization_code"},
			[]any{"", []any{}, "client_credential", "authorization_code refresh_token",
				"authorization_code authorization_code"}},
		{"kmsKey", []any{"aws-owned", "create", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab",
			"arn:aws:kms:us-east-1:111122223333:key/mrk-1234"},
			[]any{"", "Create", "1234abcd", "alias/x", "arn:aws:kms:us-east-1:111122223333:alias/x",
				"arn:aws:kms:us-east-1:1:key/x"}},
		{"healthLakeAccess", []any{"read-write", "read-only"}, []any{"write", ""}},
		{"restrictInvokeToAccount", []any{true, "false"}, []any{"on"}},
		{"secretName", []any{"SOF-HL", "a/b_c+d=e.f@g", strings.Repeat("a", 512)},
			[]any{"", strings.Repeat("a", 513), "a b", "a:b", "é"}},
		{"secretAdmins", []any{"", arn + "role/Admin", arn + "user/a/b/jo@example.com," + arn + "role/x",
			"arn:aws-us-gov:iam::210987654321:role/x"},
			[]any{"arn:aws:sts::210987654321:assumed-role/Admin/jo", arn + "root", arn + "role/", arn + "role/*",
				"Admin", "*"}},
		{"lambdaArchitecture", []any{"arm64", "x86_64"}, []any{"amd64", ""}},
		{"introspectionCacheSeconds", []any{0.0, "300"}, []any{-1, 301, "1m", true}},
		{"vpcId", []any{""}, []any{"vpc-", "vpc-0123456789abcdeg0", "vpc-123", "subnet-01234567", "VPC-01234567", " vpc-01234567"}},
		{"vpcSubnets", []any{"", []any{}}, []any{"subnet-1", "vpc-01234567", []any{"subnet-01234567", "subnet-01234567"}, []any{1}, true}},
		{"vpcSecurityGroups", []any{"", []any{}}, []any{"sg-1", "sg-01234567/8", []any{"sg-01234567", "sg-01234567"}}},
		{"vpcSecretsEndpoint", []any{false, "FALSE"}, []any{"on", 1}},
		{"lambdaMemorySize", []any{128, "10240"}, []any{127, 10241.0, "512MB"}},
		{"lambdaConcurrentExecutions", []any{1, 1000}, []any{0, -1}},
		{"lambdaMaxConcurrentExecutions", []any{0, 5, "50"}, []any{-1, 1.5}},
		{"lambdaReservedConcurrency", []any{0, 5, "50"}, []any{-1, 1.5}},
		{"lambdaEnhancedLogging", []any{true, "FALSE"}, []any{"on", 0}},
		{"logRetentionDays", []any{1, 14, "365", 3653}, []any{0, 2, 15, 3652}},
		{"dashboard", []any{true, "false"}, []any{"on", 1}},
		{"alarmEmail", []any{"", "ops@example.org", "on-call+fhir@mail.hospital.example"},
			[]any{"ops", "ops@", "@example.org", "ops@example", "a@b@example.org", "ops @example.org", "ops@-x.org",
				"Ops <ops@example.org>", "a@example.org,b@example.org", "ops@example.org\n", "mailto:ops@example.org",
				strings.Repeat("a", 250) + "@example.org", true}},
	} {
		for _, v := range test.takes {
			accepts(t, map[string]any{test.key: v})
		}
		for _, v := range test.refuses {
			faults(t, test.key, map[string]any{test.key: v})
		}
	}
}

func TestReferences(t *testing.T) {
	arn := "arn:aws:secretsmanager:us-east-1:210987654321:secret:idp/client-AbCdEf"
	for inner, want := range map[string]bool{
		"secretsmanager:idp": true, "secretsmanager:idp/client-1": true, "secretsmanager:" + arn: true,
		"secretsmanager:idp:SecretString": true, "secretsmanager:idp:SecretString:": true,
		"secretsmanager:idp:SecretString:client_secret": true, "secretsmanager:" + arn + ":SecretString:client secret": true,
		"secretsmanager:idp:SecretString:key:AWSPREVIOUS": true, "secretsmanager:idp:SecretString:key:AWSPREVIOUS:": true,
		"secretsmanager:idp:SecretString:key::0a1b-2c": true, "secretsmanager:idp::::": true,

		"secretsmanager:": false, "secretsmanager": false, "secretsmanager:a b": false,
		"secretsmanager:idp:SecretBinary":     false,
		"secretsmanager:idp:secretstring:key": false, "secretsmanager:idp:SecretString:key:STAGE:0a1b": false,
		"secretsmanager:idp:SecretString:k:s::x": false, `secretsmanager:idp:SecretString:k"`: false,
		`secretsmanager:idp:SecretString:k\`: false, "secretsmanager:idp:SecretString:k}": false,
		"secretsmanager:arn:aws:ssm:us-east-1:210987654321:secret:x": false, "ssm:name:1": false, "ssm-secure:name:1": false,
	} {
		for _, key := range []string{"clientSecret", "srvAPIKey"} {
			context := map[string]any{key: "{{resolve:" + inner + "}}"}
			if want {
				accepts(t, context)
			} else {
				faults(t, key, context)
			}
		}
	}
	says(t, map[string]any{"srvAPIKey": "{{resolve:ssm-secure:key}}"}, "error srvAPIKey: got (hidden, 26 characters), "+
		"want printable ASCII characters without spaces, or a reference such as "+
		"{{resolve:secretsmanager:<secret>:SecretString:<json key>}}")
}

// A literal works, with a warning.
func TestLiteralCredentials(t *testing.T) {
	for _, test := range []struct{ key, value, length, variable string }{
		{"clientSecret", "s3cr%t with space", "17", "CLIENT_SECRET"},
		{"srvAPIKey", "ory_pat_x+/=", "12", "SRV_API_KEY"},
		{"clientSecret", "{{mustache}}", "12", "CLIENT_SECRET"},
	} {
		context := map[string]any{test.key: test.value}
		says(t, context, "warning "+test.key+": got (hidden, "+test.length+" characters), want no "+test.key+
			" here: it can be read in cdk.out, in the CDK's assets bucket and in the CloudFormation template; leave it out "+
			"and run make deploy with "+test.variable+" in the environment, or refer to it with {{resolve:secretsmanager:…}}")
		c, _ := Parse(with(context))
		if got := c.ClientSecret + c.SrvAPIKey; got != test.value {
			t.Errorf("read %q, want %q", got, test.value)
		}
	}
}

// RFC 7591 calls two of the methods by longer names.
func TestIntrospectionAuthNames(t *testing.T) {
	for name, want := range map[string]clientauth.Method{"client_secret_basic": clientauth.Basic,
		"client_secret_post": clientauth.Post, "basic": clientauth.Basic, "post": clientauth.Post} {
		if c := accepts(t, map[string]any{"introspectionAuth": name}); c.IntrospectionAuth != want {
			t.Errorf("%s: read %s, want %s", name, c.IntrospectionAuth, want)
		}
	}
}

func TestChoiceNamesWhatIsAllowed(t *testing.T) {
	says(t, map[string]any{"authorizationStrategy": "AWS_AUTH"},
		`error authorizationStrategy: got "AWS_AUTH", want SMART_ON_FHIR or SMART_ON_FHIR_V1`)
	says(t, map[string]any{"introspectionAuth": "key"},
		`error introspectionAuth: got "key", want auto, bearer, basic (or client_secret_basic), `+
			`post (or client_secret_post), private_key_jwt or none`)
	says(t, map[string]any{"lambdaMemorySize": 64.0},
		`error lambdaMemorySize: got 64, want a whole number from 128 to 10240`)
	// Of a list the element at fault is shown.
	says(t, map[string]any{"grantTypes": "authorization_code implicit"},
		`error grantTypes: got "implicit", want a list with authorization_code, client_credentials or both, each once`)
	says(t, map[string]any{"secretAdmins": "arn:aws:sts::210987654321:assumed-role/Admin/jo"},
		`error secretAdmins: got "arn:aws:sts::210987654321:assumed-role/Admin/jo", want IAM role or user ARNs such as `+
			`arn:aws:iam::<account>:role/<name> (of an assumed-role session: its role's ARN)`)
}

func TestDerivedEndpoints(t *testing.T) {
	for base, root := range map[string]string{
		"https://idp.example":       "https://idp.example",
		"https://idp.example/":      "https://idp.example",
		"https://idp.example/base":  "https://idp.example/base",
		"https://idp.example/base/": "https://idp.example/base",
	} {
		c := accepts(t, map[string]any{"authEndpoint": base})
		if c.AuthEndpointAuthorize != root+"/oauth2/auth" || c.AuthEndpointJwks != root+"/.well-known/jwks.json" ||
			c.AuthEndpointRevoke != root+"/oauth2/revoke" || c.AuthIssuer != base {
			t.Errorf("authEndpoint %s: %s, %s, %s, %s", base, c.AuthEndpointAuthorize, c.AuthEndpointJwks,
				c.AuthEndpointRevoke, c.AuthIssuer)
		}
	}
	c := accepts(t, map[string]any{"authEndpointAuthorize": "https://a.example/1", "authIssuer": "https://a.example/2",
		"authEndpointJwks": "https://a.example/3", "authEndpointRevoke": ""})
	if c.AuthEndpointAuthorize != "https://a.example/1" || c.AuthIssuer != "https://a.example/2" ||
		c.AuthEndpointJwks != "https://a.example/3" || c.AuthEndpointRevoke != "" {
		t.Errorf("overridden: %+v", c)
	}
}

// A fault in the base URL is reported once, not again for what is derived from it.
func TestBadBaseReportedOnce(t *testing.T) {
	faults(t, "authEndpoint", map[string]any{"authEndpoint": "idp.example"})
	faults(t, "authEndpoint", map[string]any{"authEndpoint": nil})
}

func TestPreload(t *testing.T) {
	for _, yes := range []any{true, "true"} {
		c := accepts(t, map[string]any{"preloadData": yes, "preloadDataType": "SYNTHEA"})
		if !c.PreloadData || c.PreloadDataType != "SYNTHEA" {
			t.Errorf("preloadData %v: %+v", yes, c)
		}
	}
	says(t, map[string]any{"preloadData": true},
		"error preloadDataType: got nothing, want SYNTHEA where preloadData is true")
	for _, kind := range []any{"synthea", "", 1.0, []any{}} {
		faults(t, "preloadDataType", map[string]any{"preloadData": "true", "preloadDataType": kind})
		c := accepts(t, map[string]any{"preloadData": "false", "preloadDataType": kind})
		if c.PreloadData || c.PreloadDataType != "" {
			t.Errorf("preloadData false, type %v: %+v", kind, c)
		}
	}
	faults(t, "preloadData", map[string]any{"preloadData": "perhaps", "preloadDataType": 1.0})
}
