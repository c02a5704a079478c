package config

import (
	"fmt"
	"regexp"
	"slices"
)

// The capabilities that the configuration knows more about than their names: SMART App Launch 2.2, "Conformance", and
// HealthLake's own permission-v2.2.
const (
	capabilitySSO          = "sso-openid-connect"
	capabilityPermissionV2 = "permission-v2"
	capabilityFineGrained  = "permission-v2.2"
)

// The defaults below depend on authorizationStrategy, the scopes on smartCapabilities too, and on nothing else. They
// end up in the datastore's metadata, and a change there makes CloudFormation replace the datastore; a key that may
// change in a running deployment, such as healthLakeAccess, must therefore not reach them. Those two replace it anyway.

// defaultCapabilities are those that hold for every deployment of Hydra with HealthLake. Left out are
//   - launch-ehr and context-ehr-*: Hydra hands a launch parameter to the deployment's own login and consent
//     application, and does nothing with it itself;
//   - context-standalone-*, context-banner, context-style: they promise parameters such as patient in the token
//     response, and Hydra's token response has no room for them (they go into the token's claims);
//   - permission-online: Hydra does not know the scope online_access;
//   - permission-v2.2: HealthLake's extension, for those who want it.
func defaultCapabilities(c Config) any {
	l := []string{
		"launch-standalone",              // the authorization code flow, without launch context
		"authorize-post",                 // Hydra's authorization endpoint takes POST
		"client-public",                  // token_endpoint_auth_method none, with PKCE
		"client-confidential-symmetric",  // client_secret_basic
		"client-confidential-asymmetric", // private_key_jwt, with the RS384 and ES384 that SMART asks for
		capabilitySSO,                    // ID tokens, an issuer and its keys
		"permission-offline",             // offline_access gives a refresh token
		"permission-patient",             // HealthLake enforces patient/ and user/ scopes
		"permission-user",
		"permission-v1",
	}
	if c.AuthorizationStrategy == StrategySMART {
		l = append(l, capabilityPermissionV2)
	}
	return l
}

// defaultScopes are the widest that HealthLake understands with these capabilities; a client asks for fewer.
func defaultScopes(c Config) any {
	l := []string{"openid", "fhirUser", "offline_access", "launch/patient"}
	for _, level := range []string{"patient", "user", "system"} {
		l = append(l, level+"/*.read", level+"/*.write")
		if slices.Contains(c.SmartCapabilities, capabilityPermissionV2) {
			l = append(l, level+"/*.rs", level+"/*.cruds")
		}
	}
	return l
}

// scopeV2 is a scope that only SMART v2 knows: any of c, r, u, d and s in this order, perhaps with a query.
var scopeV2 = regexp.MustCompile(`^(patient|user|system)/[^.]+\.(c?r?u?d?s?)(\?.*)?$`)

func isScopeV2(scope string) bool {
	m := scopeV2.FindStringSubmatch(scope)
	return m != nil && m[2] != ""
}

// capabilityRule holds the capabilities against the strategy that they need.
func capabilityRule(c Config) (problems []Problem) {
	for _, capability := range []string{capabilityPermissionV2, capabilityFineGrained} {
		if slices.Contains(c.SmartCapabilities, capability) && c.AuthorizationStrategy != StrategySMART {
			problems = append(problems, Problem{
				Key:  "smartCapabilities",
				Got:  fmt.Sprintf("%s with authorizationStrategy %s", capability, c.AuthorizationStrategy),
				Want: fmt.Sprintf("authorizationStrategy %s, or no %s", StrategySMART, capability),
			})
		}
	}
	if slices.Contains(c.SmartCapabilities, capabilityFineGrained) &&
		!slices.Contains(c.SmartCapabilities, capabilityPermissionV2) {
		problems = append(problems, Problem{
			Key:  "smartCapabilities",
			Got:  capabilityFineGrained + " without " + capabilityPermissionV2,
			Want: capabilityPermissionV2 + " as well",
		})
	}
	return problems
}

// scopeRule: v2 scopes are advertised only together with the capability that announces them.
func scopeRule(c Config) []Problem {
	i := slices.IndexFunc(c.SmartScopes, isScopeV2)
	if i < 0 || slices.Contains(c.SmartCapabilities, capabilityPermissionV2) {
		return nil
	}
	return []Problem{{
		Key:  "smartScopes",
		Got:  show(c.SmartScopes[i]) + ", a SMART v2 scope",
		Want: "v1 scopes (.read, .write, .*), or " + capabilityPermissionV2 + " among smartCapabilities",
	}}
}

// ssoRule: OpenID Connect clients need the issuer and its keys (SMART App Launch 2.2, "Metadata").
func ssoRule(c Config) (problems []Problem) {
	if !slices.Contains(c.SmartCapabilities, capabilitySSO) {
		return nil
	}
	for _, k := range []struct{ name, value string }{
		{"authIssuer", c.AuthIssuer}, {"authEndpointJwks", c.AuthEndpointJwks},
	} {
		if k.value == "" {
			problems = append(problems, Problem{Key: k.name, Got: `""`,
				Want: "a URL, because smartCapabilities has " + capabilitySSO})
		}
	}
	return problems
}
