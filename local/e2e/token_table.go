package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// outcome is what becomes of a token, in the table's words.
type outcome string

const (
	authorized outcome = "authorized"
	stays      outcome = "authorized until it expires" // whoever verifies a token by itself is not told of its end
	denied     outcome = "denied"
	status400  outcome = "an error, not authorized, since oidc-provider answers status 400 to a JWT"
)

// Rows that do not apply to every combination.
const (
	noAudience = "a token for no audience"
	newKey     = "a new signing key while calls run"
	withdrawn  = "a withdrawn key, once an unknown key id has come"
)

// combination is a deployment and one format of its provider's access tokens. Which token is good and which is not is
// the same for all; what differs is here.
type combination struct {
	validation      string
	call            *caller
	provider, other provider
	format          string // of the access tokens: opaque or JWT

	replaced    outcome           // of an access token from before a refresh
	revoked     outcome           // of a revoked access token
	jwts        outcome           // of JWTs that are no access tokens of this provider
	otherFormat outcome           // of the provider's access tokens of the other format
	idToken     string            // why its ID tokens are denied, where the function finds that out
	missing     map[string]string // rows that do not apply, and why
}

// introspectedTokens runs the table where the provider is asked about each token.
func (s *suite) introspectedTokens(ctx context.Context, hydraTarget, oidcTarget *target, formats []clients) {
	hydra, oidc := s.providers(formats)
	const why = "the provider is asked, which knows its keys"
	asked := map[string]string{newKey: why, withdrawn: why}
	for _, c := range []combination{
		{
			validation: "introspection", call: hydraTarget.caller, provider: hydra, other: oidc, format: "opaque",
			replaced: denied, revoked: denied, jwts: denied, otherFormat: authorized, missing: asked,
		},
		{
			validation: "introspection", call: hydraTarget.caller, provider: hydra, other: oidc, format: "JWT",
			replaced: denied, revoked: denied, jwts: denied, otherFormat: authorized, missing: asked,
		},
		{
			validation: "introspection", call: oidcTarget.caller, provider: oidc, other: hydra, format: "opaque",
			replaced: stays, revoked: denied, jwts: status400, otherFormat: status400, missing: asked,
		},
	} {
		s.tokenTable(ctx, c)()
	}
}

// verifiedTokens runs the table where JWTs are verified by the provider's keys.
func (s *suite) verifiedTokens(ctx context.Context, hydraTarget, oidcTarget *target, formats []clients) {
	hydra, oidc := s.providers(formats)
	var waits []func() bool
	for _, c := range []combination{
		{
			validation: "tokenValidation jwt", call: hydraTarget.caller, provider: hydra, other: oidc, format: "JWT",
			replaced: stays, revoked: stays, jwts: denied, otherFormat: denied, idToken: "not_an_access_token",
		},
		{
			validation: "tokenValidation jwt", call: oidcTarget.caller, provider: oidc, other: hydra, format: "JWT",
			replaced: stays, revoked: stays, jwts: denied, otherFormat: denied,
			idToken: "audience_not_accepted", // it has neither nonce nor at_hash
			missing: map[string]string{noAudience: "oidc-provider gives a JWT for a resource alone"},
		},
	} {
		waits = append(waits, s.tokenTable(ctx, c)) // their key changes at the same time
	}
	for _, wait := range waits {
		wait()
	}
}

// issuers are the provider's for the combination's format and for the other one.
func (c combination) issuers() (own, other issuer) {
	if c.format == "JWT" {
		return c.provider.jwt, c.provider.opaque
	}
	return c.provider.opaque, c.provider.jwt
}

// clientID is that of the backend or the app; the providers' clients have the same names.
func (c combination) clientID(kind string) string { return strings.ToLower(c.format) + "-" + kind }

// becomes fails unless this is what becomes of a token. reason is for a denial where the function itself finds it out.
func (c combination) becomes(ctx context.Context, want outcome, token, scope, reason string) error {
	switch {
	case want == status400:
		result, err := c.call.call(ctx, token)
		if err != nil {
			return err
		}
		if result.FunctionError == nil || result.FunctionError.Type != "idp_status" {
			return fmt.Errorf("the function answered %s", result.Payload)
		}
		return nil
	case want != denied:
		return c.call.authorized(ctx, token, scope, nil)
	case c.call.verifies:
		return c.call.deniedFor(ctx, token, reason)
	}
	return c.call.denied(ctx, token)
}

// tokenTable sends tokens of every kind. The function that it returns waits for the last row.
func (s *suite) tokenTable(ctx context.Context, c combination) (wait func() bool) {
	s.steps.in(fmt.Sprintf("%s, %s access tokens, %s", c.provider.name, c.format, c.validation))
	begun := func(name, expected string, run func(context.Context) error) func() bool {
		if why, ok := c.missing[name]; ok {
			return s.steps.begun(ctx, name+": does not apply, "+why, func(context.Context) error { return nil })
		}
		return s.steps.begun(ctx, name+": "+expected, run)
	}
	row := func(name, expected string, run func(context.Context) error) { begun(name, expected, run)() }
	own, other := c.issuers()

	expired := begun("a token that expires", "authorized before, denied after", func(ctx context.Context) error {
		return c.expires(ctx, own)
	})
	row("client credentials", "authorized, scope byte for byte", func(ctx context.Context) error {
		token, err := own.Backend(ctx, audience)
		if err != nil {
			return err
		}
		if isJWT(token) != (c.format == "JWT") {
			return fmt.Errorf("the token's format is not %s", c.format)
		}
		return c.call.authorized(ctx, token, c.provider.backendScope, map[string]any{"client_id": c.clientID("backend")})
	})
	tokens := &oauth2.Token{}
	row("authorization code with PKCE", "authorized, fhirUser and patient at the top", func(ctx context.Context) error {
		got, err := own.User(ctx)
		if err != nil {
			return err
		}
		tokens = got
		return c.call.authorized(ctx, tokens.AccessToken, c.provider.appScope, userClaims(c.clientID("app")))
	})
	row("its refresh token", "denied", func(ctx context.Context) error {
		if tokens.RefreshToken == "" {
			return errors.New("there is none")
		}
		return c.becomes(ctx, denied, tokens.RefreshToken, "", "not_a_jwt")
	})
	row("its ID token", string(c.jwts), func(ctx context.Context) error {
		id, _ := tokens.Extra("id_token").(string)
		if id == "" {
			return errors.New("there is none")
		}
		return c.becomes(ctx, c.jwts, id, "", c.idToken)
	})
	row("a token for another audience", "denied", func(ctx context.Context) error {
		return c.unaccepted(ctx, own, elsewhere)
	})
	row(noAudience, "denied", func(ctx context.Context) error {
		return c.unaccepted(ctx, own, "")
	})
	row("a token that was changed", "denied", func(ctx context.Context) error {
		changed, err := changed(tokens.AccessToken)
		if err != nil {
			return err
		}
		return c.becomes(ctx, denied, changed, "", "bad_signature")
	})
	row("a token from before a refresh", string(c.replaced)+"; the new one: authorized", func(ctx context.Context) error {
		before := tokens.AccessToken
		refreshed, err := own.Refresh(ctx, tokens.RefreshToken)
		if err != nil {
			return err
		}
		tokens = refreshed
		if tokens.AccessToken == before {
			return errors.New("the new token is the old one")
		}
		return errors.Join(
			c.call.authorized(ctx, tokens.AccessToken, c.provider.appScope, userClaims(c.clientID("app"))),
			c.becomes(ctx, c.replaced, before, c.provider.appScope, ""),
		)
	})
	row("a revoked token", string(c.revoked), func(ctx context.Context) error {
		if err := c.call.authorized(ctx, tokens.AccessToken, c.provider.appScope, nil); err != nil {
			return fmt.Errorf("before: %w", err)
		}
		if err := own.Revoke(ctx, tokens); err != nil {
			return err
		}
		return c.becomes(ctx, c.revoked, tokens.AccessToken, c.provider.appScope, "")
	})
	row("made-up tokens", "denied", func(ctx context.Context) error {
		var wrong []error
		for _, token := range []string{"nonsense", rand.Text(), "ory_at_" + rand.Text() + "." + rand.Text()} {
			wrong = append(wrong, c.becomes(ctx, denied, token, "", "not_a_jwt"))
		}
		return errors.Join(wrong...)
	})
	row("unsigned tokens (alg none)", string(c.jwts), c.unsigned)
	row("tokens signed by a key that was never published", string(c.jwts), c.forgeries)
	row("the provider's access tokens of the other format", string(c.otherFormat), func(ctx context.Context) error {
		return c.foreign(ctx, other, c.otherFormat, "not_a_jwt")
	})
	row("the other provider's opaque tokens", "denied", func(ctx context.Context) error {
		return c.foreign(ctx, c.other.opaque, denied, "not_a_jwt")
	})
	row("the other provider's JWTs", string(c.jwts), func(ctx context.Context) error {
		return c.foreign(ctx, c.other.jwt, c.jwts, "unknown_key")
	})
	row("an event without token or endpoint", "an error that names the field", c.call.faulty)

	// The rows above have sent unknown key ids, for which the function looks only now and then.
	var old string
	turned := begun(newKey, "its tokens and the old ones authorized, forged ones denied (no unknown key id for 10 s before)",
		func(ctx context.Context) (err error) {
			old, err = c.turn(ctx, own)
			return err
		})
	gone := begun(withdrawn, "its tokens denied, those of the new key authorized, forged ones denied",
		func(ctx context.Context) error {
			if !turned() {
				return errors.New("there is no new key")
			}
			return c.withdraw(ctx, own, old)
		})
	return begun("the log", "one JSON line a call, no token and no personal claim", func(context.Context) error {
		expired()
		gone() // it counts the calls of all rows
		return c.call.logged(user, session["fhirUser"].(string), session["patient"].(string))
	})
}

// expires uses a token that lives two seconds at once and when it has ended. Providers count in whole seconds, so the
// first use counts only within the first.
func (c combination) expires(ctx context.Context, own issuer) error {
	begin := time.Now()
	token, err := own.ShortLived(ctx)
	if err != nil {
		return err
	}
	err = c.call.authorized(ctx, token, c.provider.backendScope, nil)
	if err != nil && time.Since(begin) < 800*time.Millisecond {
		return err
	}
	if err := pause(ctx, 3200*time.Millisecond); err != nil {
		return err
	}
	return c.becomes(ctx, denied, token, "", "expired")
}

// unaccepted sends a token for an audience that is not the one required.
func (c combination) unaccepted(ctx context.Context, own issuer, audience string) error {
	token, err := own.Backend(ctx, audience)
	if err != nil {
		return err
	}
	return c.call.deniedFor(ctx, token, "audience_not_accepted")
}

// foreign sends a token that was not made for this deployment.
func (c combination) foreign(ctx context.Context, from issuer, want outcome, reason string) error {
	token, err := from.Backend(ctx, audience)
	if err != nil {
		return err
	}
	return c.becomes(ctx, want, token, c.provider.backendScope, reason)
}

// unsigned sends the claims of a good JWT under a header that says that there is no signature.
func (c combination) unsigned(ctx context.Context) error {
	good, err := c.provider.jwt.Backend(ctx, audience)
	if err != nil {
		return err
	}
	parts := strings.Split(good, ".")
	bare := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	return errors.Join(
		c.becomes(ctx, c.jwts, bare, "", "not_a_jwt"),
		c.becomes(ctx, c.jwts, bare+parts[2], "", "algorithm_not_allowed"),
	)
}

// forgeries sends the claims of a good JWT signed by the stranger, under a known key id and under another.
func (c combination) forgeries(ctx context.Context) error {
	good, err := c.provider.jwt.Backend(ctx, audience)
	if err != nil {
		return err
	}
	known, err := keyID(good)
	if err != nil {
		return err
	}
	for id, reason := range map[string]string{known: "bad_signature", rand.Text(): "unknown_key"} {
		token, err := forged(good, id)
		if err != nil {
			return err
		}
		if err := c.becomes(ctx, c.jwts, token, "", reason); err != nil {
			return err
		}
	}
	return nil
}

// changed is a token with one word of its claims changed or, where it is opaque, one character.
func changed(token string) (string, error) {
	if token == "" {
		return "", errors.New("there is none")
	}
	if !isJWT(token) {
		at := len(token) / 2
		other := "A"
		if token[at:at+1] == other {
			other = "B"
		}
		return token[:at] + other + token[at+1:], nil
	}
	parts := strings.Split(token, ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	altered := strings.Replace(string(body), session["patient"].(string), "e2e-other-patient", 1)
	if altered == string(body) {
		return "", errors.New("nothing was changed")
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(altered))
	return strings.Join(parts, "."), nil
}
