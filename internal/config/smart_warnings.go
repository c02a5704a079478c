package config

import (
	"net/url"
	"slices"
	"strings"
)

// SMARTWarnings returns the recommendations of SMART App Launch 2.2 that the datastore's discovery document does not follow:
// some apps may not work with it. What SMART requires is checked by Parse, except for lists that older contexts lack.
func (c Config) SMARTWarnings() []Problem {
	return slices.Concat(c.issuerWarning(), c.backendWarning(), c.asymmetricWarnings(), c.scopeV1Warning(), c.promisedScopeWarnings(),
		c.tlsWarning())
}

func warning(key, got, want string) []Problem {
	return []Problem{{Key: key, Got: got, Want: want, Warning: true}}
}

// issuerWarning: an issuer belongs to OpenID Connect. With tokenValidation jwt the function needs it all the same.
func (c Config) issuerWarning() []Problem {
	if c.AuthIssuer == "" || c.can(capabilitySSO) {
		return nil
	}
	want := capabilitySSO
	if c.TokenValidation != TokenValidationJWT {
		want += ", or an empty " + KeyAuthIssuer
	}
	return warning(KeySmartCapabilities, "no "+capabilitySSO+", but the document has an issuer", want)
}

// backendWarning: a backend service authenticates with a signed assertion (SMART App Launch 2.2, "Backend Services").
func (c Config) backendWarning() []Problem {
	if !slices.Contains(c.GrantTypes, GrantClientCredentials) || c.can(capabilityAsymmetric) {
		return nil
	}
	return warning(KeySmartCapabilities, "no "+capabilityAsymmetric,
		capabilityAsymmetric+", which backend services with "+GrantClientCredentials+" need")
}

// asymmetricWarnings: see asymmetricRule.
func (c Config) asymmetricWarnings() (problems []Problem) {
	for _, l := range c.asymmetricLists() {
		if len(l.values) == 0 {
			problems = append(problems, warning(l.key, "nothing, but "+KeySmartCapabilities+" has "+capabilityAsymmetric,
				"what the provider supports, with "+strings.Join(l.want, " or ")+"; make preflight write takes it from the provider's "+
					"document, if that says it")...)
		}
	}
	return problems
}

func (c Config) scopeV1Warning() []Problem {
	i := slices.IndexFunc(c.SmartScopes, isScopeV1)
	if i < 0 || c.can(capabilityPermissionV1) {
		return nil
	}
	return warning(KeySmartScopes, show(c.SmartScopes[i])+", a SMART v1 scope",
		"v2 scopes (such as .rs), or "+capabilityPermissionV1+" among "+KeySmartCapabilities)
}

// promisedScopes are the scopes without which a capability is of little use.
var promisedScopes = []struct{ capability, scope string }{
	{capabilitySSO, "openid"},
	{capabilitySSO, "fhirUser"},
	{capabilityOffline, "offline_access"},
	{"permission-online", "online_access"},
	{"context-standalone-patient", "launch/patient"},
	{"context-standalone-encounter", "launch/encounter"},
}

// promisedScopeWarnings: a document without any scopes promises none.
func (c Config) promisedScopeWarnings() (problems []Problem) {
	for _, p := range promisedScopes {
		if c.can(p.capability) && len(c.SmartScopes) > 0 && !slices.Contains(c.SmartScopes, p.scope) {
			problems = append(problems, warning(KeySmartScopes, "no "+p.scope,
				p.scope+", because "+KeySmartCapabilities+" has "+p.capability)...)
		}
	}
	return problems
}

// tlsWarning: SMART requires TLS. Plain http is allowed on this machine, for a trial; one warning names all such endpoints.
func (c Config) tlsWarning() []Problem {
	var plain []string
	for _, e := range []struct{ key, url string }{
		{KeyAuthIssuer, c.AuthIssuer}, {KeyAuthEndpointJwks, c.AuthEndpointJwks},
		{KeyAuthEndpointAuthorize, c.AuthEndpointAuthorize}, {KeyAuthEndpointToken, c.AuthEndpointToken},
		{KeyAuthEndpointRegister, c.AuthEndpointRegister}, {KeyAuthEndpointManage, c.AuthEndpointManage},
		{KeyAuthEndpointRevoke, c.AuthEndpointRevoke},
	} {
		if u, err := url.Parse(e.url); err == nil && u.Scheme == "http" {
			plain = append(plain, e.key)
		}
	}
	if len(plain) == 0 {
		return nil
	}
	got := "http"
	if len(plain) > 1 {
		got += ", like " + strings.Join(plain[1:], ", ")
	}
	return warning(plain[0], got, "https, which apps on other machines need")
}
