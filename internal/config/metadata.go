package config

import (
	"slices"

	"healthlake-smart-on-fhir/internal/contract"
)

// Metadata is the datastore's identity provider metadata: a JSON object that depends on c alone, byte for byte.
func (c Config) Metadata() string { return c.Discovery().Text() }

// Discovery is the SMART discovery document. An endpoint that c leaves empty is not in it.
func (c Config) Discovery() contract.Discovery {
	d := contract.Discovery{
		Issuer:                            c.AuthIssuer,
		JwksURI:                           c.AuthEndpointJwks,
		AuthorizationEndpoint:             c.AuthEndpointAuthorize,
		TokenEndpoint:                     c.AuthEndpointToken,
		RegistrationEndpoint:              c.AuthEndpointRegister,
		ManagementEndpoint:                c.AuthEndpointManage,
		RevocationEndpoint:                c.AuthEndpointRevoke,
		ScopesSupported:                   c.SmartScopes,
		GrantTypesSupported:               c.GrantTypes,
		Capabilities:                      c.SmartCapabilities,
		TokenEndpointAuthMethodsSupported: c.TokenEndpointAuthMethods,
		TokenEndpointAuthSigningAlgValuesSupported: c.TokenEndpointAuthSigningAlgs,
		// SMART requires S256 and forbids plain; HealthLake checks both.
		CodeChallengeMethodsSupported: []string{"S256"},
	}
	if slices.Contains(c.GrantTypes, GrantAuthorizationCode) {
		d.ResponseTypesSupported = []string{"code"}
	}
	return d
}
