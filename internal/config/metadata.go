package config

import (
	"slices"

	"healthlake-smart-on-fhir/internal/contract"
)

// discovery is the SMART discovery document (SMART App Launch 2.2, section "Conformance") that HealthLake serves under
// .well-known/smart-configuration. The order of the fields is the order in the document; it must stay, since a
// datastore whose metadata changes by one byte is replaced.
//
// The introspection endpoint is left out although there is one: apps have no use for it (ORY's own discovery document
// does not name it either), and so it can change without a new datastore.
type discovery struct {
	Issuer                        string   `json:"issuer,omitempty"`
	JwksURI                       string   `json:"jwks_uri,omitempty"`
	AuthorizationEndpoint         string   `json:"authorization_endpoint"`
	TokenEndpoint                 string   `json:"token_endpoint"`
	RegistrationEndpoint          string   `json:"registration_endpoint,omitempty"`
	ManagementEndpoint            string   `json:"management_endpoint,omitempty"`
	RevocationEndpoint            string   `json:"revocation_endpoint,omitempty"`
	ScopesSupported               []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported        []string `json:"response_types_supported,omitempty"`
	GrantTypesSupported           []string `json:"grant_types_supported"`
	Capabilities                  []string `json:"capabilities"`
	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
}

// Metadata is the datastore's identity provider metadata: a JSON object that depends on c alone, byte for byte. An endpoint
// that c leaves empty is not in it.
func (c Config) Metadata() string {
	d := discovery{
		Issuer:                c.AuthIssuer,
		JwksURI:               c.AuthEndpointJwks,
		AuthorizationEndpoint: c.AuthEndpointAuthorize,
		TokenEndpoint:         c.AuthEndpointToken,
		RegistrationEndpoint:  c.AuthEndpointRegister,
		ManagementEndpoint:    c.AuthEndpointManage,
		RevocationEndpoint:    c.AuthEndpointRevoke,
		ScopesSupported:       c.SmartScopes,
		GrantTypesSupported:   c.GrantTypes,
		Capabilities:          c.SmartCapabilities,
		// SMART requires S256 and forbids plain; HealthLake checks both.
		CodeChallengeMethodsSupported: []string{"S256"},
	}
	if slices.Contains(c.GrantTypes, "authorization_code") {
		d.ResponseTypesSupported = []string{"code"}
	}
	text, _ := contract.CompactJSON(d) // strings can always be written
	return string(text)
}
