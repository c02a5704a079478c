package config_test

import (
	"encoding/json"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

// TestMetadataFollowsSMART synthesizes the discovery document for each combination of values of the keys that reach it, and
// reads it as SMART App Launch 2.2 (section "Conformance") and HealthLake (API Reference, IdentityProviderConfiguration)
// describe it. This reading shares no code with the configuration's rules. A context that is accepted must give a document
// without faults, and SMARTWarnings must name the key of each recommendation that the document does not follow.
func TestMetadataFollowsSMART(t *testing.T) {
	accepted, refused, warned := 0, 0, 0
	document := []choice{
		{"authorizationStrategy", []any{nil, "SMART_ON_FHIR_V1"}},
		{"grantTypes", []any{nil, "authorization_code", "client_credentials", "client_credentials authorization_code",
			"authorization_code authorization_code"}},
		{"smartCapabilities", []any{nil, "launch-standalone", "launch-ehr permission-v1 permission-v1", "permission-v2.2",
			"permission-v1 sso-openid-connect client-confidential-asymmetric permission-offline",
			"permission-v2 permission-v2.2 context-standalone-patient client-confidential-asymmetric",
			"permission-v1 permission-v2 permission-online context-standalone-encounter"}},
		{"smartScopes", []any{nil, "", "openid fhirUser offline_access", "patient/*.read", "patient/Observation.rs?code=a",
			"launch/patient launch/encounter online_access user/*.cruds", "openid openid", []any{"a b"}}},
		{"authIssuer", []any{nil, "", "https://idp.example/?tenant=1"}},
		{"authEndpointJwks", []any{nil, "", "http://localhost/keys"}},
		{"authEndpointRegister", []any{nil, "https://idp.example/register"}},
	}
	asymmetric := []choice{
		{"smartCapabilities", []any{nil, "launch-standalone permission-v1 permission-v2"}},
		{"tokenEndpointAuthMethods", []any{nil, "", "client_secret_basic none", "client_secret_basic,private_key_jwt", "none none"}},
		{"tokenEndpointAuthSigningAlgs", []any{nil, "RS256", "RS256 ES384", "none RS384"}},
	}
	for context := range concat(combinations(document), combinations(asymmetric)) {
		cfg, problems := config.Parse(context)
		if config.HasErrors(problems) {
			refused++
			continue
		}
		accepted++
		text := cfg.Metadata()
		d := read(t, text)
		if faults := d.faults(cfg.AuthorizationStrategy); len(faults) > 0 {
			t.Errorf("context %v\ngives %s\nwith %q", context, text, faults)
		}
		got := []string{}
		for _, w := range cfg.SMARTWarnings() {
			got = append(got, w.Key)
		}
		if want := d.notFollowed(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("context %v\ngives %s\nwarnings about %q, want %q", context, text, got, want)
		}
		warned += len(got)
	}
	if accepted < 500 || refused < 500 || warned < 500 {
		t.Errorf("%d contexts accepted with %d warnings, %d refused: too few to prove anything", accepted, warned, refused)
	}
}

// The reading itself finds what it looks for.
func TestDocumentFaultsAreFound(t *testing.T) {
	const good = `{"issuer":"https://i","jwks_uri":"https://i/k","authorization_endpoint":"https://i/a",` +
		`"token_endpoint_auth_methods_supported":["private_key_jwt"],"token_endpoint_auth_signing_alg_values_supported":["ES384"],` +
		`"token_endpoint":"https://i/t","scopes_supported":["openid","fhirUser","patient/*.rs"],` +
		`"response_types_supported":["code"],"grant_types_supported":["authorization_code"],` +
		`"capabilities":["launch-standalone","sso-openid-connect","client-confidential-asymmetric","permission-v2"],` +
		`"code_challenge_methods_supported":["S256"]}`
	if faults := read(t, good).faults(config.StrategySMART); len(faults) > 0 {
		t.Fatalf("a good document: %q", faults)
	}
	for _, change := range [][2]string{
		{`"https://i"`, `""`}, {`"https://i"`, `"https://i?q"`}, {`"jwks_uri"`, `"other"`}, {`"https://i/a"`, `"/a"`},
		{`"token_endpoint"`, `"other"`}, {`"https://i/t"`, `"https://u:p@i/t"`}, {`"https://i/t"`, `"https://i/t#"`},
		{`"https://i/t"`, `"http://i/t"`}, {`["openid"`, `["openid","openid"`}, {`"fhirUser"`, `"fhir User"`},
		{`["openid","fhirUser","patient/*.rs"]`, `[]`}, {`["code"]`, `["token"]`}, {`"response_types_supported"`, `"other"`},
		{`["authorization_code"]`, `["client_credentials"]`}, {`["authorization_code"]`, `["authorization_code","implicit"]`},
		{`["authorization_code"]`, `[]`}, {`"grant_types_supported"`, `"other"`}, {`"capabilities"`, `"other"`},
		{`"permission-v2"`, `"permission-v1"`}, {`"permission-v2"`, `"permission-v2.2"`},
		{`"permission-v2"`, `"permission-v2","permission-v2"`}, {`["S256"]`, `["S256","plain"]`}, {`["S256"]`, `["S512"]`},
		{`["private_key_jwt"]`, `["none"]`}, {`["ES384"]`, `["RS256"]`}, {`["ES384"]`, `["ES384","none"]`},
	} {
		changed := strings.Replace(good, change[0], change[1], 1)
		if changed == good || len(read(t, changed).faults(config.StrategySMART)) == 0 {
			t.Errorf("no fault in %s", changed)
		}
	}
	if len(read(t, good).faults(config.StrategySMARTV1)) == 0 {
		t.Error("no fault in v2 permissions under the v1 strategy")
	}
}

// document is the discovery document as a client reads it.
type document map[string]any

func read(t *testing.T, text string) (d document) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func (d document) list(element string) (l []string) {
	values, _ := d[element].([]any)
	for _, v := range values {
		s, _ := v.(string)
		l = append(l, s)
	}
	return l
}

func (d document) has(element, value string) bool { return slices.Contains(d.list(element), value) }

func (d document) can(capability string) bool { return d.has("capabilities", capability) }

// faults are the violations of what SMART and HealthLake require.
func (d document) faults(strategy string) (faults []string) {
	fault := func(wrong bool, what string) {
		if wrong {
			faults = append(faults, what)
		}
	}
	for element, value := range d {
		if url, ok := value.(string); ok {
			fault(!isAddress(url), element+" is no address")
			continue
		}
		l := d.list(element)
		fault(len(l) == 0 || slices.Contains(l, ""), element+" is no list of strings")
		fault(len(slices.Compact(slices.Sorted(slices.Values(l)))) != len(l), element+" repeats a value")
	}
	for _, element := range []string{"authorization_endpoint", "token_endpoint", "capabilities", "grant_types_supported"} {
		fault(d[element] == nil, element+" is missing")
	}
	issuer, _ := d["issuer"].(string)
	fault(strings.Contains(issuer, "?"), "the issuer has a query")
	fault(d.can("sso-openid-connect") && (issuer == "" || d["jwks_uri"] == nil), "OpenID Connect without issuer or keys")
	fault(!d.has("code_challenge_methods_supported", "S256"), "no S256")
	fault(d.has("code_challenge_methods_supported", "plain"), "plain")

	code := d.has("grant_types_supported", "authorization_code")
	for _, grant := range d.list("grant_types_supported") {
		fault(grant != "authorization_code" && grant != "client_credentials", "HealthLake refuses grant "+grant)
	}
	fault(code && !d.has("response_types_supported", "code"), "authorization_code without response type code")
	fault((d.can("launch-ehr") || d.can("launch-standalone")) && !code, "launch without authorization_code")

	for element, wanted := range asymmetricElements {
		fault(d.can("client-confidential-asymmetric") && d[element] != nil && !slices.ContainsFunc(wanted,
			func(w string) bool { return d.has(element, w) }), "asymmetric clients without "+wanted[0])
	}
	fault(d.has("token_endpoint_auth_signing_alg_values_supported", "none"), "assertions without a signature")

	v2, fine := d.can("permission-v2"), d.can("permission-v2.2")
	fault((v2 || fine) && strategy != "SMART_ON_FHIR", "v2 permissions with "+strategy)
	fault(fine && !v2, "permission-v2.2 without permission-v2")
	for _, scope := range d.list("scopes_supported") {
		fault(strings.ContainsAny(scope, " \"\\"), "no scope: "+scope)
		fault(!v2 && scopeV2.MatchString(scope) && !scopeEmpty.MatchString(scope), "v2 scope without permission-v2: "+scope)
	}
	return faults
}

// notFollowed names, for each recommendation that the document does not follow, the context key that decides it.
func (d document) notFollowed() (keys []string) {
	advice := func(ignored bool, key string) {
		if ignored {
			keys = append(keys, key)
		}
	}
	advice(d["issuer"] != nil && !d.can("sso-openid-connect"), "smartCapabilities")
	advice(d.has("grant_types_supported", "client_credentials") && !d.can("client-confidential-asymmetric"), "smartCapabilities")
	advice(d.can("client-confidential-asymmetric") && d["token_endpoint_auth_methods_supported"] == nil, "tokenEndpointAuthMethods")
	advice(d.can("client-confidential-asymmetric") && d["token_endpoint_auth_signing_alg_values_supported"] == nil,
		"tokenEndpointAuthSigningAlgs")
	scopes := d.list("scopes_supported")
	advice(slices.ContainsFunc(scopes, scopeV1.MatchString) && !d.can("permission-v1"), "smartScopes")
	for scope, capability := range map[string]string{
		"openid": "sso-openid-connect", "fhirUser": "sso-openid-connect", "offline_access": "permission-offline",
		"online_access": "permission-online", "launch/patient": "context-standalone-patient",
		"launch/encounter": "context-standalone-encounter",
	} {
		advice(len(scopes) > 0 && d.can(capability) && !slices.Contains(scopes, scope), "smartScopes")
	}
	jwks, _ := d["jwks_uri"].(string)
	advice(strings.HasPrefix(jwks, "http:"), "authEndpointJwks")
	return keys
}

// asymmetricElements are what SMART requires beside client-confidential-asymmetric: one of these values at least.
var asymmetricElements = map[string][]string{
	"token_endpoint_auth_methods_supported":            {"private_key_jwt"},
	"token_endpoint_auth_signing_alg_values_supported": {"RS384", "ES384"},
}

// What a scope permits on a resource, in SMART v1 and v2; without any permission it is of neither version.
var (
	scopeV1    = regexp.MustCompile(`^(patient|user|system)/[^.]+\.(read|write|\*)$`)
	scopeV2    = regexp.MustCompile(`^(patient|user|system)/[^.]+\.c?r?u?d?s?(\?.*)?$`)
	scopeEmpty = regexp.MustCompile(`^[^?]*\.(\?.*)?$`)
)

// isAddress is what every URL in the document must be; http is for a trial on one machine.
func isAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && !strings.Contains(s, "#") &&
		(u.Scheme == "https" || u.Scheme == "http" && u.Hostname() == "localhost")
}

func concat[T any](all ...iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, one := range all {
			one(yield)
		}
	}
}

// choice is a context key and values for it; nil leaves the key out.
type choice struct {
	key    string
	values []any
}

// combinations yields a complete context with each combination of the values.
func combinations(choices []choice) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		total := 1
		for _, c := range choices {
			total *= len(c.values)
		}
		for n := range total {
			context := map[string]any{
				"account": "210987654321", "region": "us-east-1", "tagName": "a", "tagValue": "b", "prefix": "",
				"datastoreName": "records", "clientId": "me", "authEndpoint": "https://idp.example/",
				"authEndpointToken": "https://idp.example/token", "authEndpointIntrospect": "https://idp.example/introspect",
			}
			for _, c := range choices {
				if v := c.values[n%len(c.values)]; v != nil {
					context[c.key] = v
				}
				n /= len(c.values)
			}
			if !yield(context) {
				return
			}
		}
	}
}
