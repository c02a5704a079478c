package config

import (
	"encoding/json"
	"strings"
	"testing"
)

// Byte for byte: the same context gives the same template.
func TestMetadata(t *testing.T) {
	full := providerSample()
	full.AuthEndpointRegister = "https://idp.example/oauth2/register"
	full.AuthEndpointManage = "https://idp.example/account?a=1&b=2"

	v1 := providerSample()
	v1.AuthorizationStrategy = StrategySMARTV1
	v1.SmartCapabilities = []string{"launch-standalone", "permission-v1"}
	v1.SmartScopes = []string{"patient/*.read"}
	v1.AuthIssuer, v1.AuthEndpointJwks, v1.AuthEndpointRevoke = "", "", ""

	v22 := providerSample()
	v22.SmartCapabilities = []string{"permission-v2", "permission-v2.2"}
	v22.SmartScopes = []string{"patient/Observation.rs?category=laboratory&status=final"}
	v22.GrantTypes = []string{"client_credentials"}

	asymmetric := providerSample()
	asymmetric.TokenEndpointAuthMethods = []string{"client_secret_basic", "private_key_jwt"}
	asymmetric.TokenEndpointAuthSigningAlgs = []string{"ES384", "RS256"}

	for _, test := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"sample", providerSample(), []string{
			`{"issuer":"https://idp.example/"`,
			`"jwks_uri":"https://idp.example/.well-known/jwks.json"`,
			`"authorization_endpoint":"https://idp.example/oauth2/auth"`,
			`"token_endpoint":"https://idp.example/oauth2/token"`,
			`"revocation_endpoint":"https://idp.example/oauth2/revoke"`,
			`"scopes_supported":["openid","patient/*.rs"]`,
			`"response_types_supported":["code"]`,
			`"grant_types_supported":["authorization_code","client_credentials"]`,
			`"capabilities":["launch-standalone","sso-openid-connect","permission-v1","permission-v2"]`,
			`"code_challenge_methods_supported":["S256"]}`,
		}},
		{"every endpoint", full, []string{
			`{"issuer":"https://idp.example/"`,
			`"jwks_uri":"https://idp.example/.well-known/jwks.json"`,
			`"authorization_endpoint":"https://idp.example/oauth2/auth"`,
			`"token_endpoint":"https://idp.example/oauth2/token"`,
			`"registration_endpoint":"https://idp.example/oauth2/register"`,
			`"management_endpoint":"https://idp.example/account?a=1&b=2"`,
			`"revocation_endpoint":"https://idp.example/oauth2/revoke"`,
			`"scopes_supported":["openid","patient/*.rs"]`,
			`"response_types_supported":["code"]`,
			`"grant_types_supported":["authorization_code","client_credentials"]`,
			`"capabilities":["launch-standalone","sso-openid-connect","permission-v1","permission-v2"]`,
			`"code_challenge_methods_supported":["S256"]}`,
		}},
		{"asymmetric clients", asymmetric, []string{
			`{"issuer":"https://idp.example/"`,
			`"jwks_uri":"https://idp.example/.well-known/jwks.json"`,
			`"authorization_endpoint":"https://idp.example/oauth2/auth"`,
			`"token_endpoint":"https://idp.example/oauth2/token"`,
			`"revocation_endpoint":"https://idp.example/oauth2/revoke"`,
			`"scopes_supported":["openid","patient/*.rs"]`,
			`"response_types_supported":["code"]`,
			`"grant_types_supported":["authorization_code","client_credentials"]`,
			`"token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"]`,
			`"token_endpoint_auth_signing_alg_values_supported":["ES384","RS256"]`,
			`"capabilities":["launch-standalone","sso-openid-connect","permission-v1","permission-v2"]`,
			`"code_challenge_methods_supported":["S256"]}`,
		}},
		{"v1, no OpenID Connect", v1, []string{
			`{"authorization_endpoint":"https://idp.example/oauth2/auth"`,
			`"token_endpoint":"https://idp.example/oauth2/token"`,
			`"scopes_supported":["patient/*.read"]`,
			`"response_types_supported":["code"]`,
			`"grant_types_supported":["authorization_code","client_credentials"]`,
			`"capabilities":["launch-standalone","permission-v1"]`,
			`"code_challenge_methods_supported":["S256"]}`,
		}},
		{"v2.2, services only", v22, []string{
			`{"issuer":"https://idp.example/"`,
			`"jwks_uri":"https://idp.example/.well-known/jwks.json"`,
			`"authorization_endpoint":"https://idp.example/oauth2/auth"`,
			`"token_endpoint":"https://idp.example/oauth2/token"`,
			`"revocation_endpoint":"https://idp.example/oauth2/revoke"`,
			`"scopes_supported":["patient/Observation.rs?category=laboratory&status=final"]`,
			`"grant_types_supported":["client_credentials"]`,
			`"capabilities":["permission-v2","permission-v2.2"]`,
			`"code_challenge_methods_supported":["S256"]}`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.cfg.Metadata()
			if want := strings.Join(test.want, ","); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("not JSON")
			}
		})
	}
}

// The introspection endpoint may change without a new datastore, and credentials have no place in a public document.
func TestMetadataHoldsNothingPrivate(t *testing.T) {
	cfg := providerSample()
	got := cfg.Metadata()
	for _, private := range []string{cfg.AuthEndpointIntrospect, cfg.ClientID, cfg.ClientSecret, cfg.SrvAPIKey} {
		if strings.Contains(got, private) {
			t.Errorf("%s is in %s", private, got)
		}
	}
}

func providerSample() Config {
	return Config{
		ClientID: "client-of-ours", ClientSecret: "secret-of-ours", SrvAPIKey: "key-of-ours",
		AuthEndpointToken:      "https://idp.example/oauth2/token",
		AuthEndpointIntrospect: "https://idp.example/admin/oauth2/introspect",
		AuthEndpointAuthorize:  "https://idp.example/oauth2/auth",
		AuthIssuer:             "https://idp.example/",
		AuthEndpointJwks:       "https://idp.example/.well-known/jwks.json",
		AuthEndpointRevoke:     "https://idp.example/oauth2/revoke",
		AuthorizationStrategy:  StrategySMART,
		SmartCapabilities:      []string{"launch-standalone", "sso-openid-connect", "permission-v1", "permission-v2"},
		SmartScopes:            []string{"openid", "patient/*.rs"},
		GrantTypes:             []string{"authorization_code", "client_credentials"},
	}
}
