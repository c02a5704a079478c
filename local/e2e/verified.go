package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"healthlake-smart-on-fhir/local/e2e/internal/hydra"
	"healthlake-smart-on-fhir/local/e2e/internal/oidcprovider"
)

const (
	// audience is whom the access tokens are for, and elsewhere whom others are for.
	audience  = "https://fhir.e2e.example/"
	elsewhere = "https://elsewhere.example/"
	// rest is how long the function looks for no other key after it has fetched the keys.
	rest = 10 * time.Second
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
		"prefix":           t.prefix,
		"secretName":       t.secret,
		"tokenValidation":  "jwt",
		"requiredAudience": []string{audience},
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

// verifiedTokens sends each provider's tokens to the deployments that verify JWTs.
func (s *suite) verifiedTokens(ctx context.Context, hydraJWT, oidcJWT *target, c clients) {
	s.steps.in("ORY Hydra, JWT access tokens, tokenValidation jwt")
	s.tokensOf(ctx, hydraJWT.caller, c)
	s.refusedOfHydra(ctx, hydraJWT.caller, c)
	s.refusedByBoth(ctx, hydraJWT.caller)
	s.frozen(ctx, hydraJWT.caller, c)
	rotated := s.rotation(ctx, hydraJWT.caller, c)

	s.steps.in("oidc-provider, JWT access tokens, tokenValidation jwt")
	s.oidcVerified(ctx, oidcJWT.caller)
	s.refusedByBoth(ctx, oidcJWT.caller)
	s.steps.do(ctx, "the other issuer's tokens are denied, in either deployment", func(ctx context.Context) error {
		own, err := s.oidc.ClientCredentials(ctx, audience)
		if err != nil {
			return err
		}
		others, err := s.hydra.ClientCredentials(ctx, c.backend)
		if err != nil {
			return err
		}
		rotated() // an unknown key ends the function's patience for the next unknown one
		return errors.Join(
			hydraJWT.caller.deniedFor(ctx, own, "unknown_key"),
			oidcJWT.caller.deniedFor(ctx, others, "unknown_key"),
		)
	})
	for _, t := range []*target{hydraJWT, oidcJWT} {
		s.steps.do(ctx, "the log has one JSON line a call, no token and no personal claim, "+t.name,
			func(context.Context) error {
				return t.caller.logged(user, session["fhirUser"].(string), session["patient"].(string))
			})
	}
}

// refusedOfHydra sends what Hydra has signed and is not for HealthLake.
func (s *suite) refusedOfHydra(ctx context.Context, call *caller, c clients) {
	s.steps.do(ctx, "an ID token is denied", func(ctx context.Context) error {
		tokens, err := s.hydra.AuthorizationCode(ctx, c.app, user, session)
		if err != nil {
			return err
		}
		id, _ := tokens.Extra("id_token").(string)
		if id == "" {
			return errors.New("there is none")
		}
		return call.deniedFor(ctx, id, "not_an_access_token")
	})
	s.steps.do(ctx, "tokens for another audience, or for none, are denied", func(ctx context.Context) error {
		var wrong []error
		for id, other := range map[string]string{"elsewhere": elsewhere, "nowhere": ""} {
			client := hydra.Client{ID: id, Secret: rand.Text(), JWT: true, Scope: backendScope, Audience: other}
			if err := s.hydra.Register(ctx, client); err != nil {
				return err
			}
			token, err := s.hydra.ClientCredentials(ctx, client)
			if err != nil {
				return err
			}
			wrong = append(wrong, call.denied(ctx, token))
		}
		return errors.Join(wrong...)
	})
}

// refusedByBoth sends what no provider has signed.
func (s *suite) refusedByBoth(ctx context.Context, call *caller) {
	s.steps.do(ctx, "made-up, unsigned and opaque tokens are denied", func(ctx context.Context) error {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		body := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"e2e-user","scope":"system/*.*","exp":4102444800}`))
		opaque, err := s.oidc.ClientCredentials(ctx, "")
		if err != nil {
			return err
		}
		return errors.Join(
			call.deniedFor(ctx, "nonsense", "not_a_jwt"),
			call.deniedFor(ctx, opaque, "not_a_jwt"),
			call.deniedFor(ctx, "ory_at_"+rand.Text()+"."+rand.Text(), "not_a_jwt"),
			call.deniedFor(ctx, header+"."+body+".", "not_a_jwt"),
			call.deniedFor(ctx, header+"."+body+".c2lnbmF0dXJl", "algorithm_not_allowed"),
		)
	})
}

// frozen has Hydra answer nothing while a token comes that it has signed before.
func (s *suite) frozen(ctx context.Context, call *caller, c clients) {
	s.steps.do(ctx, "Hydra does not answer: authorized all the same", func(ctx context.Context) error {
		token, err := s.hydra.ClientCredentials(ctx, c.backend)
		if err != nil {
			return err
		}
		if err := s.hydra.Freeze(); err != nil {
			return err
		}
		return errors.Join(call.authorized(ctx, token, backendScope, nil), s.hydra.Thaw())
	})
}

// rotation makes Hydra sign by another key while calls run, none of which may be refused.
func (s *suite) rotation(ctx context.Context, call *caller, c clients) func() bool {
	return s.steps.begun(ctx, "Hydra signs by another key while calls run: none is refused, with old tokens and new ones",
		func(ctx context.Context) error {
			old, err := s.hydra.ClientCredentials(ctx, c.backend)
			if err != nil {
				return err
			}
			oldKey, err := keyID(old)
			if err != nil {
				return err
			}
			begin, turned, byNew := time.Now(), false, 0
			for byNew < 20 {
				if !turned && time.Since(begin) > rest+time.Second {
					if err := s.hydra.RotateKey(ctx); err != nil {
						return err
					}
					turned = true
				}
				fresh, err := s.hydra.ClientCredentials(ctx, c.backend)
				if err != nil {
					return err
				}
				key, err := keyID(fresh)
				if err != nil {
					return err
				}
				if key != oldKey {
					byNew++
				}
				if time.Since(begin) > 2*rest {
					return errors.New("no token is signed by the new key")
				}
				err = errors.Join(
					call.authorized(ctx, fresh, backendScope, nil),
					call.authorized(ctx, old, backendScope, nil),
				)
				if err != nil {
					return fmt.Errorf("%s after the first call, key turned: %t: %w", time.Since(begin), turned, err)
				}
				if err := pause(ctx, 100*time.Millisecond); err != nil {
					return err
				}
			}
			return nil
		})
}

// keyID is the id of the key that a JWT says it is signed by.
func keyID(token string) (string, error) {
	encoded, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("the token's header: %w", err)
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	err = json.Unmarshal(text, &header)
	return header.KeyID, err
}

// oidcVerified sends tokens of oidc-provider.
func (s *suite) oidcVerified(ctx context.Context, call *caller) {
	expired := s.steps.begun(ctx, "an expired token is authorized before it expires and denied after",
		func(ctx context.Context) error {
			return expires(ctx, call, oidcprovider.BackendScope, func(ctx context.Context) (string, error) {
				return s.oidc.ShortLived(ctx, audience)
			})
		})
	s.steps.do(ctx, "client credentials: authorized, scope byte for byte", func(ctx context.Context) error {
		token, err := s.oidc.ClientCredentials(ctx, audience)
		if err != nil {
			return err
		}
		if strings.Count(token, ".") != 2 {
			return errors.New("the token is no JWT")
		}
		return call.authorized(ctx, token, oidcprovider.BackendScope, nil)
	})
	var tokens *oauth2.Token
	if s.steps.do(ctx, "authorization code with PKCE: authorized, fhirUser and patient at the top",
		func(ctx context.Context) (err error) {
			if tokens, err = s.oidc.AuthorizationCode(ctx, audience); err != nil {
				return err
			}
			return call.authorized(ctx, tokens.AccessToken, oidcprovider.Scope, session)
		}) {
		s.steps.do(ctx, "its refresh token and its ID token are denied", func(ctx context.Context) error {
			id, _ := tokens.Extra("id_token").(string)
			if tokens.RefreshToken == "" || id == "" {
				return errors.New("one of them was not given")
			}
			return errors.Join(call.denied(ctx, tokens.RefreshToken), call.denied(ctx, id))
		})
		s.steps.do(ctx, "a token whose content was changed is denied", func(ctx context.Context) error {
			parts := strings.Split(tokens.AccessToken, ".")
			body, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				return err
			}
			changed := strings.Replace(string(body), session["patient"].(string), "e2e-other-patient", 1)
			if changed == string(body) {
				return errors.New("nothing was changed")
			}
			parts[1] = base64.RawURLEncoding.EncodeToString([]byte(changed))
			return call.deniedFor(ctx, strings.Join(parts, "."), "bad_signature")
		})
	}
	s.steps.do(ctx, "a token for another audience is denied", func(ctx context.Context) error {
		token, err := s.oidc.ClientCredentials(ctx, elsewhere)
		if err != nil {
			return err
		}
		return call.denied(ctx, token)
	})
	expired()
}
