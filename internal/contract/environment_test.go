package contract_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
)

var variables = map[string]string{
	"SECRET_ID": "other", "INTROSPECTION_AUTH": "post", "REQUIRED_AUDIENCE": "datastore",
	"TRUSTED_ISSUERS": "https://a.example/ https://b.example/", "INTROSPECTION_CACHE_SECONDS": "300",
	"TOKEN_VALIDATION": "jwt", "AUTH_ISSUER": "https://idp.example/", "AUTH_ENDPOINT_JWKS": "https://idp.example/jwks",
	"REQUIRED_SCOPE": "fhir launch", "CLAIM_NAMES": `{"fhirUser":"https://clinic.example/fhirUser?a&b"}`, "AUTH_CA_BUNDLE": "ca.pem",
	"AUDIT_CLAIMS":               "client_id sub",
	"MAX_TOKEN_LIFETIME_SECONDS": "3600", "SENDER_CONSTRAINED_TOKENS": "accept",
	"MORE_ISSUERS": `[{"issuer":"https://c.example","jwks":"https://c.example/jwks?a&b","requiredAudience":["datastore"],` +
		`"claimNames":{"patient":"p"}}]`,
	"INTROSPECTION_ORIGIN": "https://idp.example", "CLIENT_ASSERTION_AUDIENCE": "https://idp.example/introspect",
}

func read(variables map[string]string) (contract.Environment, error) {
	return contract.ReadEnvironment(func(name string) string { return variables[name] })
}

func TestEnvironmentIsReadAsItIsWritten(t *testing.T) {
	got, err := read(variables)
	want := contract.Environment{
		SecretID: "other", TokenValidation: "jwt", IntrospectionAuth: "post", IntrospectionCache: 5 * time.Minute,
		AuthIssuer: "https://idp.example/", AuthEndpointJwks: "https://idp.example/jwks", AuthCABundle: "ca.pem",
		AuditClaims:      []string{"client_id", "sub"},
		RequiredAudience: []string{"datastore"}, TrustedIssuers: []string{"https://a.example/", "https://b.example/"},
		RequiredScope:    []string{"fhir", "launch"},
		MaxTokenLifetime: time.Hour, SenderConstrainedTokens: "accept", IntrospectionOrigin: "https://idp.example",
		ClaimNames:              map[string]string{"fhirUser": "https://clinic.example/fhirUser?a&b"},
		ClientAssertionAudience: "https://idp.example/introspect",
		MoreIssuers: []contract.Issuer{{Issuer: "https://c.example", JWKS: "https://c.example/jwks?a&b",
			RequiredAudience: []string{"datastore"}, ClaimNames: map[string]string{"patient": "p"}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if written := want.Variables(); !maps.Equal(written, variables) {
		t.Errorf("got %v, want %v", written, variables)
	}
}

func TestEnvironmentDefaults(t *testing.T) {
	got, err := read(map[string]string{"INTROSPECTION_ORIGIN": "https://idp.example"})
	want := contract.Environment{SecretID: "SOF-HL", TokenValidation: "introspection", SenderConstrainedTokens: "deny",
		IntrospectionOrigin: "https://idp.example",
		RequiredAudience:    []string{}, TrustedIssuers: []string{}, RequiredScope: []string{}, AuditClaims: []string{}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if written := got.Variables(); len(written) != 1 {
		t.Errorf("the defaults need the variables %v", written)
	}
}

func TestEnvironmentFaultsNameTheVariable(t *testing.T) {
	for _, fault := range [][2]string{
		{"INTROSPECTION_CACHE_SECONDS", "301"}, {"INTROSPECTION_CACHE_SECONDS", "-1"}, {"INTROSPECTION_CACHE_SECONDS", "1m"},
		{"INTROSPECTION_CACHE_SECONDS", "99999999999999999999"}, {"TOKEN_VALIDATION", "both"}, {"AUTH_ISSUER", ""},
		{"AUTH_ENDPOINT_JWKS", ""}, {"REQUIRED_AUDIENCE", ""}, {"REQUIRED_AUDIENCE", " "}, {"CLAIM_NAMES", "fhirUser"},
		{"SENDER_CONSTRAINED_TOKENS", "maybe"}, {"MAX_TOKEN_LIFETIME_SECONDS", "86401"},
	} {
		faulty := maps.Clone(variables)
		faulty[fault[0]] = fault[1]
		if _, err := read(faulty); err == nil || !strings.Contains(err.Error(), fault[0]) {
			t.Errorf("%s=%s: got %v, want an error that names it", fault[0], fault[1], err)
		}
	}
	if _, err := read(nil); err == nil || !strings.Contains(err.Error(), "INTROSPECTION_ORIGIN") {
		t.Errorf("without an origin: got %v", err)
	}
}
