package main

import (
	"context"
	"maps"
)

const (
	// audience is whom the access tokens are for, and elsewhere whom others are for.
	audience  = "https://fhir.e2e.example/"
	elsewhere = "https://elsewhere.example/"
)

// verifying is a deployment beside another one, for the same provider, that verifies tokens by the provider's keys and
// has no credentials.
func (s *suite) verifying(beside *target, name string) *target {
	t := &target{name: name, prefix: name + "-", secret: name + "/SOF-HL", alone: beside.alone}
	t.context = maps.Clone(beside.context)
	for _, key := range []string{"clientId", "clientSecret", "introspectionAuth", "authEndpointIntrospect", "kmsKey"} {
		delete(t.context, key)
	}
	maps.Copy(t.context, map[string]any{
		"prefix":          t.prefix,
		"secretName":      t.secret,
		"tokenValidation": "jwt",
	})
	if beside.prefix == "sof-hl-" {
		t.context["authIssuer"] = s.hydra.PublicURL()
		t.context["authEndpointJwks"] = s.hydra.PublicURL() + ".well-known/jwks.json"
	}
	return t
}

// deployVerifying deploys, looks at and starts the deployments that verify JWTs.
func (s *suite) deployVerifying(ctx context.Context, synthesized []func() bool, hydraJWT, oidcJWT *target) bool {
	s.steps.in("Two deployments with tokenValidation jwt")
	for _, wait := range synthesized {
		if !wait() {
			return false
		}
	}
	for _, t := range []*target{hydraJWT, oidcJWT} {
		if !s.deployed(ctx, t) {
			return false
		}
		issuer := s.hydra.PublicURL()
		if t == oidcJWT {
			issuer = s.oidc.Issuer + "/"
		}
		s.examine(ctx, t, issuer)
	}
	return s.startFunctions(ctx, hydraJWT, oidcJWT)
}
