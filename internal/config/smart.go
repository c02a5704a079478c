package config

import (
	"fmt"
	"slices"
	"strings"

	smartscope "healthlake-smart-on-fhir/internal/scopes"
)

// The capabilities that the configuration knows more about than their names: SMART App Launch 2.2, "Conformance", and
// HealthLake's own permission-v2.2.
const (
	capabilitySSO          = "sso-openid-connect"
	capabilityStandalone   = "launch-standalone"
	capabilityEHR          = "launch-ehr"
	capabilityAsymmetric   = "client-confidential-asymmetric"
	capabilityOffline      = "permission-offline"
	capabilityPermissionV1 = "permission-v1"
	capabilityPermissionV2 = "permission-v2"
	capabilityFineGrained  = "permission-v2.2"
)

// authPrivateKeyJWT is the method of clients that sign with a key, and smartSigningAlgs are the algorithms that SMART wants of
// them (SMART App Launch 2.2, "Client Authentication: Asymmetric").
const authPrivateKeyJWT = "private_key_jwt"

var smartSigningAlgs = []string{"RS384", "ES384"}

// hydraCapabilities are those that every deployment of ORY Hydra with HealthLake has. Left out are
//   - launch-ehr and context-ehr-*: Hydra passes a launch parameter on to the deployment's own login and consent
//     application, and does nothing with it itself;
//   - context-standalone-*, context-banner, context-style: they promise parameters such as patient in the token
//     response, and Hydra puts these into the token's claims only;
//   - permission-online: Hydra does not know the scope online_access;
//   - permission-v2.2: HealthLake's extension, for those who want it.
func hydraCapabilities(authorizationStrategy string) []string {
	l := []string{
		capabilityStandalone,            // the authorization code flow, without launch context
		"authorize-post",                // Hydra's authorization endpoint accepts POST
		"client-public",                 // token_endpoint_auth_method none, with PKCE
		"client-confidential-symmetric", // client_secret_basic
		capabilityAsymmetric,            // private_key_jwt, with the RS384 and ES384 that SMART requires
		capabilitySSO,                   // ID tokens, an issuer and its keys
		capabilityOffline,               // offline_access gives a refresh token
		"permission-patient",            // HealthLake enforces patient/ and user/ scopes
		"permission-user",
		capabilityPermissionV1,
	}
	if authorizationStrategy == StrategySMART {
		l = append(l, capabilityPermissionV2)
	}
	return l
}

// widestScopes are the widest scopes that HealthLake understands with these capabilities.
func widestScopes(capabilities []string) []string {
	l := []string{"openid", "fhirUser", "offline_access", "launch/patient"}
	for _, level := range scopeLevels {
		l = append(l, level+"/*.read", level+"/*.write")
		if slices.Contains(capabilities, capabilityPermissionV2) {
			l = append(l, level+"/*.rs", level+"/*.cruds")
		}
	}
	return l
}

func isScopeV1(text string) bool {
	scope, ok := smartscope.Parse(text)
	return ok && !scope.V2
}

func isScopeV2(text string) bool {
	scope, ok := smartscope.Parse(text)
	return ok && scope.V2
}

// unreadableScope tells whether a scope begins like one for FHIR resources and is not written like one.
func unreadableScope(text string) bool {
	level, _, _ := strings.Cut(text, "/")
	_, ok := smartscope.Parse(text)
	return !ok && slices.Contains(scopeLevels, level)
}

var scopeLevels = []string{string(smartscope.Patient), string(smartscope.User), string(smartscope.System)}

// scopeGrammarRule: HealthLake grants nothing by a scope that it cannot read, and refuses a filter on a wildcard.
func scopeGrammarRule(c Config) []Problem {
	i := slices.IndexFunc(c.SmartScopes, unreadableScope)
	if i < 0 {
		return nil
	}
	return []Problem{{Key: KeySmartScopes, Got: show(c.SmartScopes[i]),
		Want: "a SMART scope such as patient/*.read, user/Observation.rs or patient/Observation.rs?category=laboratory (no filter on *)"}}
}

// smartRules are what SMART App Launch 2.2 (section "Conformance") and HealthLake (API Reference,
// IdentityProviderConfiguration) require of the datastore's discovery document, as far as the context decides it. What they
// recommend is in SMARTWarnings.
var smartRules = []rule{
	{[]string{KeyAuthEndpoint, KeyAuthIssuer, KeyAuthEndpointJwks, KeySmartCapabilities}, ssoRule},
	{[]string{KeyAuthorizationStrategy, KeySmartCapabilities}, capabilityRule},
	{[]string{KeyGrantTypes, KeySmartCapabilities}, launchRule},
	{[]string{KeyAuthorizationStrategy, KeySmartCapabilities, KeySmartScopes}, scopeRule},
	{[]string{KeySmartScopes}, scopeGrammarRule},
	{[]string{KeySmartCapabilities, KeyTokenEndpointAuthMethods, KeyTokenEndpointAuthSigningAlgs}, asymmetricRule},
}

func (c Config) can(capability string) bool { return slices.Contains(c.SmartCapabilities, capability) }

// ssoRule: OpenID Connect clients need the issuer and its keys.
func ssoRule(c Config) (problems []Problem) {
	if !c.can(capabilitySSO) {
		return nil
	}
	for _, k := range []struct{ name, value string }{
		{KeyAuthIssuer, c.AuthIssuer}, {KeyAuthEndpointJwks, c.AuthEndpointJwks},
	} {
		if k.value == "" {
			problems = append(problems, Problem{Key: k.name, Got: `""`,
				Want: "a URL, because " + KeySmartCapabilities + " has " + capabilitySSO})
		}
	}
	return problems
}

// capabilityRule checks the permission capabilities against the strategy that they need.
func capabilityRule(c Config) (problems []Problem) {
	for _, capability := range []string{capabilityPermissionV2, capabilityFineGrained} {
		if c.can(capability) && c.AuthorizationStrategy != StrategySMART {
			problems = append(problems, Problem{
				Key:  KeySmartCapabilities,
				Got:  fmt.Sprintf("%s with %s %s", capability, KeyAuthorizationStrategy, c.AuthorizationStrategy),
				Want: fmt.Sprintf("%s %s, or no %s", KeyAuthorizationStrategy, StrategySMART, capability),
			})
		}
	}
	if c.can(capabilityFineGrained) && !c.can(capabilityPermissionV2) {
		problems = append(problems, Problem{
			Key:  KeySmartCapabilities,
			Got:  capabilityFineGrained + " without " + capabilityPermissionV2,
			Want: capabilityPermissionV2 + " as well",
		})
	}
	return problems
}

// launchRule: an app that is launched uses the authorization code grant.
func launchRule(c Config) (problems []Problem) {
	for _, launch := range []string{capabilityEHR, capabilityStandalone} {
		if c.can(launch) && !slices.Contains(c.GrantTypes, GrantAuthorizationCode) {
			problems = append(problems, Problem{Key: KeyGrantTypes,
				Got:  "no " + GrantAuthorizationCode,
				Want: GrantAuthorizationCode + ", or " + KeySmartCapabilities + " without " + launch})
		}
	}
	return problems
}

// scopeRule: v2 scopes are advertised only together with the capability that announces them.
func scopeRule(c Config) []Problem {
	i := slices.IndexFunc(c.SmartScopes, isScopeV2)
	if i < 0 || c.can(capabilityPermissionV2) {
		return nil
	}
	return []Problem{{
		Key:  KeySmartScopes,
		Got:  show(c.SmartScopes[i]) + ", a SMART v2 scope",
		Want: "v1 scopes (.read, .write, .*), or " + capabilityPermissionV2 + " among " + KeySmartCapabilities,
	}}
}

// advertised is a list of the discovery document that SMART requires beside a capability, with one of the wanted values in it.
type advertised struct {
	key    string
	values []string
	want   []string
}

// asymmetricLists are those that belong to the capability for clients with asymmetric keys; none without it.
func (c Config) asymmetricLists() []advertised {
	if !c.can(capabilityAsymmetric) {
		return nil
	}
	return []advertised{
		{KeyTokenEndpointAuthMethods, c.TokenEndpointAuthMethods, []string{authPrivateKeyJWT}},
		{KeyTokenEndpointAuthSigningAlgs, c.TokenEndpointAuthSigningAlgs, smartSigningAlgs},
	}
}

// asymmetricRule: clients with asymmetric keys learn from the document what they need to sign with. Where a list is missing,
// that is a warning: the keys are younger than the capability.
func asymmetricRule(c Config) (problems []Problem) {
	for _, l := range c.asymmetricLists() {
		if len(l.values) == 0 || slices.ContainsFunc(l.want, func(w string) bool { return slices.Contains(l.values, w) }) {
			continue
		}
		want := strings.Join(l.want, " or ")
		problems = append(problems, Problem{Key: KeySmartCapabilities,
			Got:  capabilityAsymmetric + ", but no " + want + " among " + l.key,
			Want: want + " there, if the provider accepts it, or no " + capabilityAsymmetric})
	}
	return problems
}
