package smart

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// good is a document without a fault, from SMART App Launch's own list of elements.
func good() map[string]any {
	return map[string]any{
		"issuer":                           "https://idp.example",
		"jwks_uri":                         "https://idp.example/keys",
		"authorization_endpoint":           "https://idp.example/auth",
		"token_endpoint":                   "https://idp.example/token",
		"grant_types_supported":            []string{"authorization_code", "client_credentials"},
		"response_types_supported":         []string{"code"},
		"code_challenge_methods_supported": []string{"S256"},
		"scopes_supported":                 []string{"openid", "fhirUser", "offline_access", "patient/*.read", "user/*.rs"},
		"capabilities": []string{"launch-standalone", "sso-openid-connect", "permission-offline", "permission-v1",
			"permission-v2", "client-confidential-asymmetric"},
	}
}

type m = map[string]any

// The findings of a good document with some elements changed; nil takes one away.
func TestRules(t *testing.T) {
	capabilities := func(l ...string) m { return m{"capabilities": append(l, "client-confidential-asymmetric")} }
	scopes := func(l ...string) m { return m{"scopes_supported": append(l, "openid", "fhirUser", "offline_access")} }
	for _, test := range []struct {
		name     string
		change   m
		strategy string
		want     []string
	}{
		{"good", m{}, StrategyV2, nil},
		{"unknown elements", m{"our_own": 1, "user_access_brand_bundle": "https://x.example/b"}, StrategyV2, nil},
		{"minimal", m{"scopes_supported": nil, "response_types_supported": nil}, StrategyV2, nil},
		{"v1", capabilities("permission-v1"), "SMART_ON_FHIR_V1",
			[]string{"warning issuer is there without the capability sso-openid-connect",
				`error scopes_supported "user/*.rs" is a SMART v2 scope, and capabilities lack permission-v2`}},

		{"no authorization endpoint", m{"authorization_endpoint": nil}, StrategyV2, []string{"error authorization_endpoint is missing"}},
		{"empty token endpoint", m{"token_endpoint": ""}, StrategyV2, []string{"error token_endpoint is missing",
			"error token_endpoint is not an absolute URL without user name and fragment"}},
		{"token endpoint no string", m{"token_endpoint": 1}, StrategyV2,
			[]string{"error token_endpoint is not an absolute URL without user name and fragment"}},
		{"relative", m{"revocation_endpoint": "/revoke"}, StrategyV2,
			[]string{"error revocation_endpoint is not an absolute URL without user name and fragment"}},
		{"fragment", m{"management_endpoint": "https://x.example/#"}, StrategyV2,
			[]string{"error management_endpoint is not an absolute URL without user name and fragment"}},
		{"user name", m{"introspection_endpoint": "https://u:p@x.example/"}, StrategyV2,
			[]string{"error introspection_endpoint is not an absolute URL without user name and fragment"}},
		{"http", m{"registration_endpoint": "http://x.example/"}, StrategyV2, []string{"error registration_endpoint is not https"}},
		{"http here", m{"jwks_uri": "http://127.0.0.1:4444/"}, StrategyV2, []string{"warning jwks_uri is not https"}},
		{"issuer with a query", m{"issuer": "https://idp.example/?a=b"}, StrategyV2, []string{"error issuer has a query"}},
		{"SSO without issuer and keys", m{"issuer": nil, "jwks_uri": nil}, StrategyV2, []string{
			"error issuer is missing, although capabilities have sso-openid-connect",
			"error jwks_uri is missing, although capabilities have sso-openid-connect"}},

		{"no capabilities", m{"capabilities": []string{}}, StrategyV2, []string{"error capabilities is not an array of strings",
			"warning issuer is there without the capability sso-openid-connect",
			"warning capabilities lacks client-confidential-asymmetric, which backend services with client_credentials need",
			`error scopes_supported "user/*.rs" is a SMART v2 scope, and capabilities lack permission-v2`,
			`warning scopes_supported "patient/*.read" is a SMART v1 scope, and capabilities lack permission-v1`}},
		{"capability twice", m{"capabilities": append(good()["capabilities"].([]string), "permission-v1")}, StrategyV2,
			[]string{"error capabilities has the same twice"}},
		{"capability no string", m{"capabilities": "permission-v2"}, StrategyV2, []string{
			"error capabilities is not an array of strings",
			"warning issuer is there without the capability sso-openid-connect",
			"warning capabilities lacks client-confidential-asymmetric, which backend services with client_credentials need",
			`error scopes_supported "user/*.rs" is a SMART v2 scope, and capabilities lack permission-v2`,
			`warning scopes_supported "patient/*.read" is a SMART v1 scope, and capabilities lack permission-v1`}},
		{"v2.2 without v2", capabilities("permission-v1", "sso-openid-connect", "permission-v2.2"), StrategyV2, []string{
			"error capabilities has permission-v2.2 without permission-v2",
			`error scopes_supported "user/*.rs" is a SMART v2 scope, and capabilities lack permission-v2`}},
		{"v2 with the v1 strategy", m{}, "SMART_ON_FHIR_V1", []string{
			"error capabilities has SMART v2 permissions, which the strategy SMART_ON_FHIR_V1 does not know"}},
		{"launch without code", m{"grant_types_supported": []string{"client_credentials"}}, StrategyV2, []string{
			"error capabilities has a launch, and grant_types_supported no authorization_code"}},
		{"backend services with a shared secret",
			m{"capabilities": []string{"sso-openid-connect", "permission-v1", "permission-v2"}}, StrategyV2, []string{
				"warning capabilities lacks client-confidential-asymmetric, which backend services with client_credentials need"}},

		{"no grants", m{"grant_types_supported": nil}, StrategyV2, []string{"error grant_types_supported is missing",
			"error capabilities has a launch, and grant_types_supported no authorization_code"}},
		{"refresh_token", m{"grant_types_supported": []string{"authorization_code", "refresh_token"}}, StrategyV2,
			[]string{`error grant_types_supported "refresh_token" is not a grant type that HealthLake takes`}},
		{"client_credential", m{"grant_types_supported": []string{"authorization_code", "client_credential"}}, StrategyV2,
			[]string{`error grant_types_supported "client_credential" is not a grant type that HealthLake takes`}},
		{"no response type", m{"response_types_supported": []string{"token"}}, StrategyV2, []string{
			"warning response_types_supported lacks code, which the grant authorization_code needs"}},

		{"no PKCE", m{"code_challenge_methods_supported": nil}, StrategyV2,
			[]string{"error code_challenge_methods_supported is missing"}},
		{"no S256", m{"code_challenge_methods_supported": []string{"S512"}}, StrategyV2,
			[]string{"error code_challenge_methods_supported lacks S256"}},
		{"plain", m{"code_challenge_methods_supported": []string{"plain", "S256"}}, StrategyV2,
			[]string{"error code_challenge_methods_supported has plain"}},

		{"scopes a string", m{"scopes_supported": "openid fhirUser"}, StrategyV2,
			[]string{"error scopes_supported is not an array of strings"}},
		{"no scopes in the list", m{"scopes_supported": []string{}}, StrategyV2,
			[]string{"error scopes_supported is not an array of strings",
				"warning scopes_supported lacks openid, although capabilities have sso-openid-connect",
				"warning scopes_supported lacks fhirUser, although capabilities have sso-openid-connect",
				"warning scopes_supported lacks offline_access, although capabilities have permission-offline"}},
		{"two scopes in one", scopes("a b"), StrategyV2,
			[]string{`error scopes_supported "a b" is no scope (RFC 6749 section 3.3)`}},
		{"openId", m{"scopes_supported": []string{"openId", "fhirUser", "offline_access"}}, StrategyV2,
			[]string{"warning scopes_supported lacks openid, although capabilities have sso-openid-connect"}},
		{"fine grained", scopes("patient/Observation.rs?category=laboratory"), StrategyV2, nil},
		{"neither v1 nor v2", scopes("patient/Observation."), StrategyV2, nil},
		{"v1 scope without v1", m{"capabilities": []string{"permission-v2", "client-confidential-asymmetric",
			"sso-openid-connect"}}, StrategyV2,
			[]string{`warning scopes_supported "patient/*.read" is a SMART v1 scope, and capabilities lack permission-v1`}},
	} {
		document := good()
		maps.Copy(document, test.change)
		maps.DeleteFunc(document, func(_ string, v any) bool { return v == nil })
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range Check(text, test.strategy) {
			got = append(got, map[bool]string{true: "warning", false: "error"}[f.Warning]+" "+f.Element+" "+f.Fault)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: got\n  %s\nwant\n  %s", test.name, strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
		}
	}
}

func TestNotADocument(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "not a JSON object",
		"[]":                      "not a JSON object",
		"{\"a\":\"\xff\"}":        "not UTF-8",
		`{"issuer":1,"issuer":2}`: "a name occurs twice in one object",
	} {
		got := Check([]byte(text), StrategyV2)
		if len(got) != 1 || got[0].Warning || got[0].Fault != want {
			t.Errorf("%q: got %v, want %s", text, got, want)
		}
	}
}
