package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// combination is a deployment and one format of its provider's access tokens. Which token is good and which is not is the same
// for all; what differs is here.
type combination struct {
	target *target
	own    issuer // whose tokens are good
	other  issuer // the same provider's, of the other format
	alien  *provider
	// verifies: tokens are verified by the provider's keys, and nobody is asked.
	verifies bool

	replaced    want              // an access token from before a refresh
	revoked     want              // a revoked access token
	jwts        want              // JWTs that are no access tokens of this provider
	otherFormat want              // the provider's access tokens of the other format
	idToken     string            // why its ID tokens are denied, where the function finds that out
	missing     map[string]string // rows that do not apply, and why
}

var (
	good = want{outcome: "authorized"} // the row knows the scope
	bad  = want{outcome: "denied"}
	// status400 is how oidc-provider answers a JWT.
	status400 = want{outcome: "error", reason: "idp_status"}
)

const (
	forNobody = "a token for no audience"
	newKey    = "a new signing key while calls run"
	withdrawn = "a withdrawn key, once an unknown key id has come"
)

// tokens sends tokens of every kind to every deployment.
func tokens(l *lab, t *testing.T) {
	const why = "the provider is asked, which knows its keys"
	asked := map[string]string{newKey: why, withdrawn: why}
	at := func(p *provider, format string) issuer { return issuer{p, format} }
	for _, c := range []combination{
		{target: l.hydraOpaque, own: at(l.hydra, "opaque"), other: at(l.hydra, "jwt"), alien: l.oidc,
			replaced: bad, revoked: bad, jwts: bad, otherFormat: good, missing: asked},
		{target: l.hydraOpaque, own: at(l.hydra, "jwt"), other: at(l.hydra, "opaque"), alien: l.oidc,
			replaced: bad, revoked: bad, jwts: bad, otherFormat: good, missing: asked},
		{target: l.oidcOpaque, own: at(l.oidc, "opaque"), other: at(l.oidc, "jwt"), alien: l.hydra,
			replaced: good, revoked: bad, jwts: status400, otherFormat: status400, missing: asked},
		// Whoever verifies a token by itself is not told of its end.
		{target: l.hydraJWT, own: at(l.hydra, "jwt"), other: at(l.hydra, "opaque"), alien: l.oidc, verifies: true,
			replaced: good, revoked: good, jwts: bad, otherFormat: bad, idToken: "not_an_access_token"},
		{target: l.oidcJWT, own: at(l.oidc, "jwt"), other: at(l.oidc, "opaque"), alien: l.hydra, verifies: true,
			replaced: good, revoked: good, jwts: bad, otherFormat: bad,
			idToken: "audience_not_accepted", // it has neither nonce nor at_hash
			missing: map[string]string{forNobody: "oidc-provider gives a JWT for a resource alone"}},
	} {
		l.deployed(t, c.target)
		validation := "introspection"
		if c.verifies {
			validation = "tokenValidation jwt"
		}
		l.section("%s, %s access tokens, %s", c.own.name, c.own.format, validation)
		c.table(l, t)
	}
}

// claims are those that an answer must have at the top: the client's, and the user's if there is one.
func (c combination) claims(kind string) map[string]any {
	claims := map[string]any{"client_id": c.own.id(kind)}
	if kind == "app" {
		claims["sub"] = user
		maps.Copy(claims, personal)
	}
	return claims
}

func (c combination) table(l *lab, t *testing.T) {
	call := c.target.call
	step := func(name, expected string, run func(context.Context) error) {
		if why, ok := c.missing[name]; ok {
			l.note(name + ": does not apply, " + why)
			return
		}
		l.step(t, name+": "+expected, run)
	}
	step("client credentials", "authorized, scope byte for byte, "+c.target.roleName(c.own.backendScope), func(ctx context.Context) error {
		token, err := c.own.backend(ctx, audience)
		if err != nil {
			return err
		}
		return errors.Join(equal("it is a JWT", isJWT(token), c.own.format == "jwt"),
			call.authorized(ctx, token, c.own.backendScope, c.claims("backend")))
	})
	tokens := &oauth2.Token{}
	step("authorization code with PKCE", "authorized, fhirUser and patient at the top, "+c.target.roleName(appScope), func(ctx context.Context) error {
		got, err := c.own.user(ctx)
		if err != nil {
			return err
		}
		tokens = got
		return call.authorized(ctx, tokens.AccessToken, appScope, c.claims("app"))
	})
	c.denials(t, step, tokens)
	step("a token from before a refresh", c.replaced.outcome+"; the new one: authorized", func(ctx context.Context) error {
		before := tokens.AccessToken
		refreshed, err := c.own.refresh(ctx, tokens.RefreshToken)
		if err != nil {
			return err
		}
		tokens = refreshed
		if tokens.AccessToken == before {
			return errors.New("the new token is the old one")
		}
		return errors.Join(call.authorized(ctx, tokens.AccessToken, appScope, c.claims("app")),
			c.becomes(ctx, c.replaced, before, appScope, ""))
	})
	step("a revoked token", c.revoked.outcome, func(ctx context.Context) error {
		if err := call.authorized(ctx, tokens.AccessToken, appScope, nil); err != nil {
			return fmt.Errorf("before: %w", err)
		}
		if err := c.own.revokeAccess(ctx, tokens); err != nil {
			return err
		}
		return c.becomes(ctx, c.revoked, tokens.AccessToken, appScope, "")
	})
	step("a token that expires", "authorized before, denied after", c.expires)
	step("an event without token or endpoint", "an error that names the field", call.faulty)

	// The rows above have sent unknown key ids, for which the function looks only now and then.
	var old string
	step(newKey, "its tokens and the old ones authorized, forged ones denied (no unknown key id for 10 s before)",
		func(ctx context.Context) (err error) {
			old, err = c.turn(ctx)
			return err
		})
	step(withdrawn, "its tokens denied, those of the new key authorized, forged ones denied", func(ctx context.Context) error {
		return c.withdraw(ctx, old)
	})
	step("the log", "one JSON line a call, no token and no personal claim", func(context.Context) error {
		_, err := call.log()
		return err
	})
}

// denials are the rows whose tokens are for somebody else, or not genuine.
func (c combination) denials(t *testing.T, step func(name, expected string, run func(context.Context) error), tokens *oauth2.Token) {
	one := func(token string, err error) ([]string, error) { return []string{token}, err }
	for _, row := range []struct {
		name   string
		want   want
		reason string // where the function itself finds it out
		tokens func(context.Context) ([]string, error)
	}{
		{"its refresh token", bad, "not_a_jwt", func(context.Context) ([]string, error) { return []string{tokens.RefreshToken}, nil }},
		{"its ID token", c.jwts, c.idToken, func(context.Context) ([]string, error) {
			id, _ := tokens.Extra("id_token").(string)
			return []string{id}, nil
		}},
		{"a token for another audience", want{"denied", "audience_not_accepted", "", nil}, "",
			func(ctx context.Context) ([]string, error) { return one(c.own.backend(ctx, elsewhere)) }},
		{forNobody, want{"denied", "audience_not_accepted", "", nil}, "",
			func(ctx context.Context) ([]string, error) { return one(c.own.backend(ctx, "")) }},
		{"a token that was changed", bad, "bad_signature",
			func(context.Context) ([]string, error) { return one(changed(tokens.AccessToken)) }},
		{"made-up tokens", bad, "not_a_jwt", func(context.Context) ([]string, error) {
			return []string{"nonsense", rand.Text(), "ory_at_" + rand.Text() + "." + rand.Text()}, nil
		}},
		{"an unsigned token (alg none)", c.jwts, "not_a_jwt", func(ctx context.Context) ([]string, error) { return c.unsigned(ctx, "") }},
		{"an unsigned token with a signature", c.jwts, "algorithm_not_allowed",
			func(ctx context.Context) ([]string, error) { return c.unsigned(ctx, "c2ln") }},
		{"a token signed by a key that was never published", c.jwts, "unknown_key",
			func(ctx context.Context) ([]string, error) { return c.forgery(ctx, rand.Text()) }},
		{"the same under a known key id", c.jwts, "bad_signature",
			func(ctx context.Context) ([]string, error) { return c.forgery(ctx, "") }},
		{"the provider's access tokens of the other format", c.otherFormat, "not_a_jwt",
			func(ctx context.Context) ([]string, error) { return one(c.other.backend(ctx, audience)) }},
		{"the other provider's opaque tokens", bad, "not_a_jwt",
			func(ctx context.Context) ([]string, error) {
				return one(issuer{c.alien, "opaque"}.backend(ctx, audience))
			}},
		{"the other provider's JWTs", c.jwts, "unknown_key",
			func(ctx context.Context) ([]string, error) { return one(issuer{c.alien, "jwt"}.backend(ctx, audience)) }},
	} {
		expected := row.want.outcome
		if row.want.reason == "idp_status" {
			expected = "an error, not authorized, since oidc-provider answers status 400 to a JWT"
		}
		step(row.name, expected, func(ctx context.Context) error {
			sent, err := row.tokens(ctx)
			if err != nil {
				return err
			}
			var wrong []error
			for _, token := range sent {
				if token == "" {
					return errNone
				}
				wrong = append(wrong, c.becomes(ctx, row.want, token, c.own.backendScope, row.reason))
			}
			return errors.Join(wrong...)
		})
	}
}

// becomes completes what is wanted: the scope of what is authorized, and the reason for a denial that the function itself
// finds.
func (c combination) becomes(ctx context.Context, w want, token, scope, reason string) error {
	switch {
	case w.outcome == "authorized":
		w.scope = scope
	case w.reason == "" && c.verifies:
		w.reason = reason
	}
	return c.target.call.becomes(ctx, token, w)
}

// expires uses a token that lives two seconds at once and when it has ended. Providers count in whole seconds, so the first use
// counts only within the first.
func (c combination) expires(ctx context.Context) error {
	begin := time.Now()
	token, err := c.own.clientCredentials(ctx, "short-lived", c.own.backendScope, audience)
	if err != nil {
		return err
	}
	err = c.target.call.authorized(ctx, token, c.own.backendScope, nil)
	if err != nil && time.Since(begin) < 800*time.Millisecond {
		return err
	}
	time.Sleep(3200 * time.Millisecond)
	return c.becomes(ctx, bad, token, "", "expired")
}

// unsigned has the claims of a good JWT under a header that says that there is no signature.
func (c combination) unsigned(ctx context.Context, signature string) ([]string, error) {
	good, err := issuer{c.own.provider, "jwt"}.backend(ctx, audience)
	if err != nil {
		return nil, err
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	return []string{header + "." + strings.Split(good, ".")[1] + "." + signature}, nil
}

// forgery has the claims of a good JWT, signed by a stranger. An empty key id stands for the good one's.
func (c combination) forgery(ctx context.Context, id string) ([]string, error) {
	good, err := issuer{c.own.provider, "jwt"}.backend(ctx, audience)
	if err != nil {
		return nil, err
	}
	token, err := forged(good, id)
	return []string{token}, err
}

// changed is a token with one word of its claims changed or, where it is opaque, one character.
func changed(token string) (string, error) {
	if token == "" {
		return "", errNone
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
	altered := strings.Replace(string(body), personal["patient"].(string), "e2e-other-patient", 1)
	if err != nil || altered == string(body) {
		return "", fmt.Errorf("nothing was changed: %w", err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(altered))
	return strings.Join(parts, "."), nil
}
