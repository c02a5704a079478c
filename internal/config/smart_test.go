package config

import (
	"maps"
	"slices"
	"testing"
)

func TestSmartV2(t *testing.T) {
	type m = map[string]any
	c := accepts(t, m{"authorizationStrategy": StrategySMARTV1})
	if slices.Contains(c.SmartCapabilities, "permission-v2") || slices.ContainsFunc(c.SmartScopes, isScopeV2) {
		t.Errorf("v1 defaults: %q, %q", c.SmartCapabilities, c.SmartScopes)
	}
	if !slices.Contains(c.SmartScopes, "patient/*.read") {
		t.Errorf("v1 default scopes: %q", c.SmartScopes)
	}
	c = accepts(t, m{"smartCapabilities": "launch-standalone permission-v1"})
	if slices.ContainsFunc(c.SmartScopes, isScopeV2) {
		t.Errorf("default scopes without permission-v2: %q", c.SmartScopes)
	}
	accepts(t, m{"smartCapabilities": "permission-v2 permission-v2.2"})

	says(t, m{"smartCapabilities": "permission-v2.2"},
		"error smartCapabilities: got permission-v2.2 without permission-v2, want permission-v2 as well")
	says(t, m{"smartCapabilities": "permission-v2", "authorizationStrategy": StrategySMARTV1, "smartScopes": "openid"},
		"error smartCapabilities: got permission-v2 with authorizationStrategy SMART_ON_FHIR_V1, "+
			"want authorizationStrategy SMART_ON_FHIR, or no permission-v2")
	says(t, m{"smartCapabilities": "permission-v2.2", "authorizationStrategy": StrategySMARTV1},
		"error smartCapabilities: got permission-v2.2 with authorizationStrategy SMART_ON_FHIR_V1, "+
			"want authorizationStrategy SMART_ON_FHIR, or no permission-v2.2",
		"error smartCapabilities: got permission-v2.2 without permission-v2, want permission-v2 as well")
	says(t, m{"authorizationStrategy": StrategySMARTV1, "smartScopes": "openid patient/Observation.rs?status=final"},
		`error smartScopes: got "patient/Observation.rs?status=final", a SMART v2 scope, `+
			`want v1 scopes (.read, .write, .*), or permission-v2 among smartCapabilities`)
}

// The grammar itself is tested in package scopes.
func TestScopeGrammar(t *testing.T) {
	type m = map[string]any
	for _, scope := range []string{"patient/Observation.", "patient/*.sr", "patient/*.rs?category=laboratory", "user/observation.rs"} {
		says(t, m{"smartScopes": "openid " + scope}, "error smartScopes: got \""+scope+"\", want a SMART scope such as "+
			"patient/*.read, user/Observation.rs or patient/Observation.rs?category=laboratory (no filter on *)")
	}
	accepts(t, m{"smartScopes": "openid launch/patient other/*.rs patient/*.read system/*.cruds patient/Observation.rs?category=laboratory"})
}

func TestSSO(t *testing.T) {
	type m = map[string]any
	says(t, m{"authIssuer": "", "authEndpointJwks": ""},
		`error authIssuer: got "", want a URL, because smartCapabilities has sso-openid-connect`,
		`error authEndpointJwks: got "", want a URL, because smartCapabilities has sso-openid-connect`)
	c := accepts(t, m{"authIssuer": "", "authEndpointJwks": "", "smartCapabilities": "launch-standalone"})
	if c.AuthIssuer != "" || c.AuthEndpointJwks != "" {
		t.Errorf("explicit empties: %+v", c)
	}
}

func TestLaunchNeedsAuthorizationCode(t *testing.T) {
	type m = map[string]any
	c := accepts(t, m{"grantTypes": "client_credentials", "smartCapabilities": "client-confidential-asymmetric permission-v2"})
	if !slices.Equal(c.GrantTypes, []string{"client_credentials"}) {
		t.Errorf("read %q", c.GrantTypes)
	}
	says(t, m{"grantTypes": "client_credentials"},
		"error grantTypes: got no authorization_code, want authorization_code, or smartCapabilities without launch-standalone")
	says(t, m{"grantTypes": "client_credentials", "smartCapabilities": "launch-ehr"},
		"error grantTypes: got no authorization_code, want authorization_code, or smartCapabilities without launch-ehr")
}

func TestAsymmetricClients(t *testing.T) {
	type m = map[string]any
	c := accepts(t, m{"tokenEndpointAuthMethods": []any{"client_secret_basic", "private_key_jwt"}, "tokenEndpointAuthSigningAlgs": "RS256, RS384"})
	if !slices.Equal(c.TokenEndpointAuthMethods, []string{"client_secret_basic", "private_key_jwt"}) ||
		!slices.Equal(c.TokenEndpointAuthSigningAlgs, []string{"RS256", "RS384"}) {
		t.Errorf("read %q, %q", c.TokenEndpointAuthMethods, c.TokenEndpointAuthSigningAlgs)
	}
	says(t, m{"tokenEndpointAuthMethods": "client_secret_basic", "tokenEndpointAuthSigningAlgs": "RS256"},
		"error smartCapabilities: got client-confidential-asymmetric, but no private_key_jwt among tokenEndpointAuthMethods, "+
			"want private_key_jwt there, if the provider accepts it, or no client-confidential-asymmetric",
		"error smartCapabilities: got client-confidential-asymmetric, but no RS384 or ES384 among tokenEndpointAuthSigningAlgs, "+
			"want RS384 or ES384 there, if the provider accepts it, or no client-confidential-asymmetric")
	accepts(t, m{"tokenEndpointAuthMethods": "client_secret_basic", "tokenEndpointAuthSigningAlgs": "RS256",
		"smartCapabilities": "launch-standalone permission-v2"})
	faults(t, "tokenEndpointAuthMethods", m{"tokenEndpointAuthMethods": "none none"})
	faults(t, "tokenEndpointAuthSigningAlgs", m{"tokenEndpointAuthSigningAlgs": "none RS384"})
}

// Each recommendation, as a change of a context that follows them all.
func TestSMARTWarnings(t *testing.T) {
	type m = map[string]any
	const capabilities = "launch-standalone sso-openid-connect client-confidential-asymmetric permission-v1 permission-v2"
	for _, test := range []struct {
		name   string
		change m
		want   []string
	}{
		{"the defaults, and what the provider says", m{"smartCapabilities": nil}, nil},
		{"the same for v1", m{"smartCapabilities": nil, "authorizationStrategy": StrategySMARTV1}, nil},
		{"the defaults alone", m{"smartCapabilities": nil, "tokenEndpointAuthMethods": nil, "tokenEndpointAuthSigningAlgs": ""},
			[]string{"tokenEndpointAuthMethods: got nothing, but smartCapabilities has client-confidential-asymmetric, want what the " +
				"provider supports, with private_key_jwt; make preflight write takes it from the provider's document, if that says it",
				"tokenEndpointAuthSigningAlgs: got nothing, but smartCapabilities has client-confidential-asymmetric, want what the " +
					"provider supports, with RS384 or ES384; make preflight write takes it from the provider's document, if that says it"}},
		{"no asymmetric clients", m{"smartCapabilities": "sso-openid-connect permission-v1 permission-v2",
			"grantTypes": "authorization_code", "tokenEndpointAuthMethods": nil, "tokenEndpointAuthSigningAlgs": nil}, nil},
		{"this context", m{}, nil},
		{"an issuer without OpenID Connect",
			m{"smartCapabilities": "client-confidential-asymmetric permission-v1 permission-v2"},
			[]string{"smartCapabilities: got no sso-openid-connect, but the document has an issuer, want sso-openid-connect, or an empty authIssuer"}},
		{"an issuer that the function needs",
			m{"smartCapabilities": "client-confidential-asymmetric permission-v1 permission-v2", "tokenValidation": "jwt",
				"requiredAudience": "datastore"},
			[]string{"smartCapabilities: got no sso-openid-connect, but the document has an issuer, want sso-openid-connect"}},
		{"no issuer without OpenID Connect",
			m{"smartCapabilities": "client-confidential-asymmetric permission-v1 permission-v2", "authIssuer": ""}, nil},
		{"backend services with a shared secret",
			m{"smartCapabilities": "sso-openid-connect permission-v1 permission-v2"},
			[]string{"smartCapabilities: got no client-confidential-asymmetric, want client-confidential-asymmetric, " +
				"which backend services with client_credentials need"}},
		{"no backend services",
			m{"smartCapabilities": "sso-openid-connect permission-v1 permission-v2", "grantTypes": "authorization_code"}, nil},
		{"a v1 scope without v1", m{"smartCapabilities": "sso-openid-connect client-confidential-asymmetric permission-v2"},
			[]string{`smartScopes: got "patient/*.read", a SMART v1 scope, want v2 scopes (such as .rs), or permission-v1 ` +
				`among smartCapabilities`}},
		{"v2 scopes without v1", m{"smartCapabilities": "sso-openid-connect client-confidential-asymmetric permission-v2",
			"smartScopes": "openid fhirUser patient/Observation.rs?category=laboratory launch/patient"}, nil},
		{"openId", m{"smartScopes": "openId fhirUser"},
			[]string{"smartScopes: got no openid, want openid, because smartCapabilities has sso-openid-connect"}},
		{"no fhirUser", m{"smartScopes": "openid"},
			[]string{"smartScopes: got no fhirUser, want fhirUser, because smartCapabilities has sso-openid-connect"}},
		{"no scopes at all", m{"smartScopes": ""}, nil},
		{"more capabilities than scopes", m{"smartCapabilities": capabilities + " permission-offline permission-online " +
			"context-standalone-patient context-standalone-encounter", "smartScopes": "openid fhirUser"},
			[]string{"smartScopes: got no offline_access, want offline_access, because smartCapabilities has permission-offline",
				"smartScopes: got no online_access, want online_access, because smartCapabilities has permission-online",
				"smartScopes: got no launch/patient, want launch/patient, because smartCapabilities has context-standalone-patient",
				"smartScopes: got no launch/encounter, want launch/encounter, because smartCapabilities has " +
					"context-standalone-encounter"}},
		{"http on this machine", m{"authEndpointToken": "http://localhost:4444/token", "authEndpointManage": "http://[::1]/"},
			[]string{"authEndpointToken: got http, like authEndpointManage, want https, which apps on other " +
				"machines need"}},
		{"every endpoint by http", m{"authEndpoint": "http://127.0.0.1:4444", "authEndpointToken": "http://127.0.0.1:4444/token",
			"authEndpointRegister": "http://127.0.0.1:4444/register", "authEndpointManage": "http://127.0.0.1:4444/manage"},
			[]string{"authIssuer: got http, like authEndpointJwks, authEndpointAuthorize, authEndpointToken, " +
				"authEndpointRegister, authEndpointManage, authEndpointRevoke, want https, which apps on other machines need"}},
		{"what apps do not use", m{"authEndpointIntrospect": "http://localhost/introspect"}, nil},
	} {
		context := m{"smartCapabilities": capabilities, "tokenEndpointAuthMethods": "private_key_jwt",
			"tokenEndpointAuthSigningAlgs": "ES384"}
		maps.Copy(context, test.change)
		c := accepts(t, context)
		var got []string
		for _, p := range c.SMARTWarnings() {
			if !p.Warning {
				t.Errorf("%s: %s is an error", test.name, p)
			}
			got = append(got, p.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got\n%q\nwant\n%q", test.name, got, test.want)
		}
	}
}
