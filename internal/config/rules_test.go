package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestRegionWithoutHealthLake(t *testing.T) {
	for _, region := range []string{"us-east-1", "us-east-2", "us-west-2", "ap-south-1", "ap-southeast-2", "ca-central-1",
		"eu-west-1", "eu-west-2"} {
		accepts(t, map[string]any{"region": region})
	}
	says(t, map[string]any{"region": "eu-north-1"}, `error region: got "eu-north-1", want a region with HealthLake: `+
		`us-east-1, us-east-2, us-west-2, ap-south-1, ap-southeast-2, ca-central-1, eu-west-1 or eu-west-2`)
}

// The credentials that a method needs may come at deploy time, so the context need not hold them.
func TestIntrospectionAuthWithoutCredentials(t *testing.T) {
	for _, auth := range []string{"auto", "bearer", "basic", "post", "none", "private_key_jwt"} {
		accepts(t, map[string]any{"introspectionAuth": auth})
	}
}

func TestClientAssertionAudience(t *testing.T) {
	type m = map[string]any
	for want, context := range map[string]m{
		"":                            {"clientAssertionAudience": "https://other.example"}, // no assertions
		"https://idp.example":         {"introspectionAuth": "private_key_jwt", "authIssuer": "https://idp.example"},
		"https://idp.example/x":       {"introspectionAuth": "private_key_jwt", "clientAssertionAudience": "https://idp.example/x"},
		"urn:example:idp, not a URL?": nil,
	} {
		if context == nil {
			says(t, m{"clientAssertionAudience": want},
				`error clientAssertionAudience: got "`+want+`", want a text without spaces, or the empty string for none`)
			continue
		}
		if got := accepts(t, context).Environment().ClientAssertionAudience; got != want {
			t.Errorf("%v: got %q, want %q", context, got, want)
		}
	}
	says(t, m{"introspectionAuth": "private_key_jwt", "authIssuer": "", "smartCapabilities": "permission-v2"},
		"error clientAssertionAudience: got nothing, and no authIssuer, "+
			"want the audience of client assertions that the provider's documentation names, often its issuer")
}

func TestJWT(t *testing.T) {
	type m = map[string]any
	jwt := func(changes m) m {
		all := m{"tokenValidation": "jwt", "requiredAudience": "datastore", "clientId": nil, "authEndpointIntrospect": nil}
		maps.Copy(all, changes)
		return all
	}
	c := accepts(t, jwt(nil))
	if c.TokenValidation != TokenValidationJWT || c.ClientID != "" || c.AuthEndpointIntrospect != "" {
		t.Errorf("got %+v", c)
	}
	accepts(t, jwt(m{"clientId": "resource-server"}))
	says(t, jwt(m{"requiredAudience": nil}),
		"error requiredAudience: got nothing, want the audience that a token must be for, because tokenValidation is jwt")
	says(t, jwt(m{"authEndpointJwks": "", "smartCapabilities": "launch-standalone permission-v2"}),
		"error authEndpointJwks: got nothing, want where the provider publishes its keys, because tokenValidation is jwt")
	says(t, jwt(m{"authIssuer": "", "smartCapabilities": "launch-standalone permission-v2"}),
		"error authIssuer: got nothing, want the provider's issuer, byte for byte, because tokenValidation is jwt")
	faults(t, "clientId", m{"clientId": nil})
	faults(t, "authEndpointIntrospect", m{"authEndpointIntrospect": nil})
}

// Introspection alone does not tell what a token is for.
func TestAnyToken(t *testing.T) {
	type m = map[string]any
	want := "warning requiredAudience: got nothing, and no trustedIssuers either, want the audience of the datastore's tokens: " +
		"without it every active token is accepted, also one for another API and a refresh token (Okta, Ping)"
	says(t, m{"requiredAudience": nil}, want)
	says(t, m{"requiredAudience": "", "trustedIssuers": ""}, want)
	accepts(t, m{"requiredAudience": nil, "trustedIssuers": "https://idp.example"})
	accepts(t, m{"requiredAudience": "https://fhir.example"})
}

func TestConcurrency(t *testing.T) {
	type m = map[string]any
	accepts(t, m{"lambdaConcurrentExecutions": 5, "lambdaMaxConcurrentExecutions": 5, "lambdaReservedConcurrency": 5})
	accepts(t, m{"lambdaConcurrentExecutions": 5, "lambdaMaxConcurrentExecutions": 9, "lambdaReservedConcurrency": 9})
	says(t, m{"lambdaConcurrentExecutions": 5, "lambdaMaxConcurrentExecutions": "4"},
		"error lambdaMaxConcurrentExecutions: got 4, want 0 for no scaling, or at least 5, "+
			"the value of lambdaConcurrentExecutions")
	says(t, m{"lambdaConcurrentExecutions": 5, "lambdaReservedConcurrency": 4},
		"error lambdaReservedConcurrency: got 4, want 0 for none, or at least 5, the most that is provisioned")
	says(t, m{"lambdaConcurrentExecutions": 5, "lambdaMaxConcurrentExecutions": 9, "lambdaReservedConcurrency": 8},
		"error lambdaReservedConcurrency: got 8, want 0 for none, or at least 9, the most that is provisioned")
	// What cannot be compared is not compared.
	faults(t, "lambdaConcurrentExecutions", m{"lambdaConcurrentExecutions": "x", "lambdaMaxConcurrentExecutions": 1})
}

func TestKMSKeyRegion(t *testing.T) {
	says(t, map[string]any{"kmsKey": "arn:aws:kms:us-west-2:210987654321:key/1234abcd"},
		"error kmsKey: got a key in us-west-2, want a key in region us-east-1")
}

func TestNamesWithPrefix(t *testing.T) {
	type m = map[string]any
	// 40 + len("Role-for-HealthLake-Read") is 64, the most that IAM allows.
	accepts(t, m{"prefix": strings.Repeat("a", 40)})
	says(t, m{"prefix": strings.Repeat("a", 46)}, `error prefix: got "`+strings.Repeat("a", 46)+`", 46 characters, `+
		`want at most 40 characters, for the IAM role <prefix>Role-for-HealthLake-Read`)
	says(t, m{"prefix": "a." + strings.Repeat("b", 44)},
		`error prefix: got "a.`+strings.Repeat("b", 44)+`", want ASCII letters, digits and hyphens, a letter first, `+
			`for the CloudFormation stack <prefix>Roles`,
		`error prefix: got "a.`+strings.Repeat("b", 44)+`", 46 characters, want at most 40 characters, `+
			`for the IAM role <prefix>Role-for-HealthLake-Read`)

	accepts(t, m{"prefix": "fhir-", "datastoreName": strings.Repeat("é", 251)})
	says(t, m{"prefix": "fhir-", "datastoreName": strings.Repeat("é", 252)},
		"error datastoreName: got 257 characters with the prefix, want at most 256")
}

// The names that users know, stated once more apart from the code's table.
func TestNamesWithPrefixAreAllChecked(t *testing.T) {
	var rests []string
	for _, n := range contract.PrefixedNames(contract.ServiceRoles) {
		rests = append(rests, n.Name)
		if !regexp.MustCompile(n.Pattern).MatchString("a-" + n.Name) {
			t.Errorf("%s does not match its own pattern", n.Name)
		}
	}
	want := []string{"Roles", "Secret", "CheckToken", "Datastore", "checkToken", "datastoreSettings", "Lambda-Role",
		"Settings-Role", "Role-for-HealthLake", "Role-for-HealthLake-Read", "Role-for-HealthLake-Export",
		"Role-for-HealthLake-Read-Export", "Role-for-HealthLake-Data-Access"}
	if !slices.Equal(rests, want) {
		t.Errorf("names with the prefix: %q, want %q", rests, want)
	}
}

func TestDocumentSize(t *testing.T) {
	scopes := make([]any, 120)
	for i := range scopes {
		scopes[i] = fmt.Sprintf("patient/Observation.rs?code=%03d", i)
	}
	size := len(accepts(t, map[string]any{"smartScopes": scopes[:1]}).Metadata())
	const scope = len(`,"patient/Observation.rs?code=000"`)
	fit := 1 + (contract.MaxParameter-size)/scope
	if got := len(accepts(t, map[string]any{"smartScopes": scopes[:fit]}).Metadata()); got > contract.MaxParameter {
		t.Errorf("accepts %d bytes", got)
	}
	says(t, map[string]any{"smartScopes": scopes[:fit+1]}, fmt.Sprintf("error smartScopes: got a discovery document of %d bytes, want fewer "+
		"scopes: at most 4096 bytes with the endpoints, CloudFormation's limit for a parameter", size+fit*scope))
}

func TestSecretNameLikeARN(t *testing.T) {
	for _, name := range []string{"SOF-HL", "sof-hl-12345", "sof-hl-1234567", "abcdef"} {
		accepts(t, map[string]any{"secretName": name})
	}
	for _, name := range []string{"SOF-HL-abc123", "my-secret"} {
		says(t, map[string]any{"secretName": name}, `warning secretName: got "`+name+`", want a name that does not end in `+
			`a hyphen and six characters: Secrets Manager may confuse it with an ARN`)
	}
}

func TestAuditedPeople(t *testing.T) {
	type m = map[string]any
	says(t, m{"auditClaims": "client_id fhirUser"},
		`warning auditClaims: got "fhirUser", which may name a person, want a customer key (kmsKey) and logRetentionDays of at least 365`)
	says(t, m{"auditClaims": "sub", "kmsKey": "create", "logRetentionDays": 180},
		`warning auditClaims: got "sub", which may name a person, want a customer key (kmsKey) and logRetentionDays of at least 365`)
	accepts(t, m{"auditClaims": "sub", "kmsKey": "create", "logRetentionDays": 365})
	accepts(t, m{"auditClaims": "azp jti scope"})
	if c := accepts(t, m{"auditClaims": []any{}}); len(c.AuditClaims) != 0 {
		t.Errorf("got %v", c.AuditClaims)
	}
}
