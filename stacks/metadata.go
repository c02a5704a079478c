package stacks

import (
	"slices"

	"healthlake-smart-on-fhir/internal/config"
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

// Metadata is the datastore's identity provider metadata: a JSON object that depends on cfg alone, byte for byte. An
// endpoint that cfg leaves empty is not in it.
func Metadata(cfg config.Config) (string, error) {
	d := discovery{
		Issuer:                cfg.AuthIssuer,
		JwksURI:               cfg.AuthEndpointJwks,
		AuthorizationEndpoint: cfg.AuthEndpointAuthorize,
		TokenEndpoint:         cfg.AuthEndpointToken,
		RegistrationEndpoint:  cfg.AuthEndpointRegister,
		ManagementEndpoint:    cfg.AuthEndpointManage,
		RevocationEndpoint:    cfg.AuthEndpointRevoke,
		ScopesSupported:       cfg.SmartScopes,
		GrantTypesSupported:   cfg.GrantTypes,
		Capabilities:          cfg.SmartCapabilities,
		// SMART requires S256 and forbids plain; HealthLake checks both.
		CodeChallengeMethodsSupported: []string{"S256"},
	}
	if slices.Contains(cfg.GrantTypes, "authorization_code") {
		d.ResponseTypesSupported = []string{"code"}
	}
	return compactJSON(d)
}
