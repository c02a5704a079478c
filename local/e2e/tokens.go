package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"healthlake-smart-on-fhir/local/e2e/internal/hydra"
	"healthlake-smart-on-fhir/local/e2e/internal/oidcprovider"
)

// The scopes that Hydra's clients have. The app's has what SMART v2 needs a careful hand for.
const (
	backendScope = "system/*.rs system/Observation.cruds"
	appScope     = "openid offline_access fhirUser launch/patient patient/Patient.read " +
		"patient/Observation.rs?category=laboratory&status=final"
	user = "e2e-user"
)

// clients are Hydra's for one format of access tokens.
type clients struct {
	format                   string
	backend, shortLived, app hydra.Client
}

// registerClients makes a backend service, one with short-lived tokens and an app for each format of Hydra's access
// tokens.
func (s *suite) registerClients(ctx context.Context) (all []clients, ok bool) {
	ok = s.steps.do(ctx, "register clients with ORY Hydra", func(ctx context.Context) error {
		for _, format := range []string{"opaque", "JWT"} {
			id, jwt := strings.ToLower(format), format == "JWT"
			c := clients{
				format:  format,
				backend: hydra.Client{ID: id + "-backend", Secret: rand.Text(), JWT: jwt, Scope: backendScope, Audience: audience},
				app: hydra.Client{ID: id + "-app", Secret: rand.Text(), JWT: jwt, Scope: appScope, Audience: audience,
					User: true},
			}
			c.shortLived = c.backend
			c.shortLived.ID, c.shortLived.ShortLived = id+"-short-lived", true
			for _, client := range []hydra.Client{c.backend, c.shortLived, c.app} {
				if err := s.hydra.Register(ctx, client); err != nil {
					return err
				}
			}
			all = append(all, c)
		}
		return nil
	})
	return all, ok
}

// userClaims are those that an answer for a user's token must have at the top.
func userClaims(client string) map[string]any {
	claims := map[string]any{"client_id": client, "sub": user}
	maps.Copy(claims, session)
	return claims
}

// hydraTokens sends tokens of every kind in both formats.
func (s *suite) hydraTokens(ctx context.Context, t *target, formats []clients) {
	for _, c := range formats {
		s.steps.in("ORY Hydra, " + c.format + " access tokens")
		s.tokensOf(ctx, t.caller, c)
	}
	s.steps.in("ORY Hydra, both formats")
	s.steps.do(ctx, "made-up tokens are denied", func(ctx context.Context) error {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		body := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"e2e-user","scope":"system/*.*","exp":4102444800}`))
		return errors.Join(
			t.caller.denied(ctx, "ory_at_"+rand.Text()+"."+rand.Text()),
			t.caller.denied(ctx, header+"."+body+"."),
			t.caller.denied(ctx, "nonsense"),
		)
	})
	s.steps.do(ctx, "an event without token or endpoint is an error that names the field", t.caller.faulty)
	s.steps.do(ctx, "the log has one JSON line a call, no token and no personal claim", func(context.Context) error {
		return t.caller.logged(user, session["fhirUser"].(string), session["patient"].(string))
	})
}

func (s *suite) tokensOf(ctx context.Context, call *caller, c clients) {
	expired := s.steps.begun(ctx, "an expired token is authorized before it expires and denied after",
		func(ctx context.Context) error {
			return expires(ctx, call, backendScope, func(ctx context.Context) (string, error) {
				return s.hydra.ClientCredentials(ctx, c.shortLived)
			})
		})
	s.steps.do(ctx, "client credentials: authorized, scope byte for byte", func(ctx context.Context) error {
		token, err := s.hydra.ClientCredentials(ctx, c.backend)
		if err != nil {
			return err
		}
		if isJWT := strings.Count(token, ".") == 2; isJWT != c.backend.JWT {
			return fmt.Errorf("the token's format is not %s", c.format)
		}
		return call.authorized(ctx, token, backendScope, map[string]any{"client_id": c.backend.ID})
	})
	var tokens *oauth2.Token
	if !s.steps.do(ctx, "authorization code with PKCE: authorized, fhirUser and patient at the top",
		func(ctx context.Context) (err error) {
			if tokens, err = s.hydra.AuthorizationCode(ctx, c.app, user, session); err != nil {
				return err
			}
			return call.authorized(ctx, tokens.AccessToken, appScope, userClaims(c.app.ID))
		}) {
		expired()
		return
	}
	s.steps.do(ctx, "its refresh token is denied as a bearer token", func(ctx context.Context) error {
		if tokens.RefreshToken == "" {
			return errors.New("there is none")
		}
		return call.denied(ctx, tokens.RefreshToken)
	})
	if c.app.JWT {
		s.steps.do(ctx, "a token whose content was changed is denied", func(ctx context.Context) error {
			parts := strings.Split(tokens.AccessToken, ".")
			body, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				return err
			}
			changed := strings.Replace(string(body), user, "e2e-admin", 1)
			if changed == string(body) {
				return errors.New("nothing was changed")
			}
			parts[1] = base64.RawURLEncoding.EncodeToString([]byte(changed))
			return call.denied(ctx, strings.Join(parts, "."))
		})
	}
	// Whoever verifies a token by itself is not told of its end before its time.
	ended, word := call.denied, "denied"
	if call.verifies {
		ended = func(ctx context.Context, token string) error { return call.authorized(ctx, token, appScope, nil) }
		word = "authorized until it expires"
	}
	s.steps.do(ctx, "after a refresh the new token is authorized, the old one "+word, func(ctx context.Context) error {
		old := tokens.AccessToken
		refreshed, err := s.hydra.Refresh(ctx, c.app, tokens.RefreshToken)
		if err != nil {
			return err
		}
		tokens = refreshed
		return errors.Join(
			call.authorized(ctx, tokens.AccessToken, appScope, userClaims(c.app.ID)),
			ended(ctx, old),
		)
	})
	s.steps.do(ctx, "a revoked token is "+word, func(ctx context.Context) error {
		if err := call.authorized(ctx, tokens.AccessToken, appScope, nil); err != nil {
			return fmt.Errorf("before: %w", err)
		}
		if err := s.hydra.Revoke(ctx, c.app, tokens.AccessToken); err != nil {
			return err
		}
		return ended(ctx, tokens.AccessToken)
	})
	expired()
}

// expires gets a token that lives two seconds, uses it at once and when it has ended. Providers count in whole seconds,
// so the first use counts only within the first.
func expires(ctx context.Context, call *caller, scope string, get func(context.Context) (string, error)) error {
	begin := time.Now()
	token, err := get(ctx)
	if err != nil {
		return err
	}
	if err := call.authorized(ctx, token, scope, nil); err != nil && time.Since(begin) < 800*time.Millisecond {
		return err
	}
	if err := pause(ctx, 3200*time.Millisecond); err != nil {
		return err
	}
	return call.denied(ctx, token)
}

// oidcTokens sends the second provider's tokens to its own deployment, and each provider's to the other's.
func (s *suite) oidcTokens(ctx context.Context, t *target, formats []clients, other *target) {
	s.steps.in("oidc-provider, client_secret_basic at the introspection endpoint")
	call := t.caller
	expired := s.steps.begun(ctx, "an expired token is authorized before it expires and denied after",
		func(ctx context.Context) error {
			return expires(ctx, call, oidcprovider.BackendScope, func(ctx context.Context) (string, error) {
				return s.oidc.ShortLived(ctx, "")
			})
		})
	s.steps.do(ctx, "client credentials: authorized, scope byte for byte", func(ctx context.Context) error {
		token, err := s.oidc.ClientCredentials(ctx, "")
		if err != nil {
			return err
		}
		return call.authorized(ctx, token, oidcprovider.BackendScope, nil)
	})
	s.steps.do(ctx, "authorization code with PKCE: authorized, fhirUser and patient at the top; revoked: denied",
		func(ctx context.Context) error {
			tokens, err := s.oidc.AuthorizationCode(ctx, "")
			if err != nil {
				return err
			}
			if tokens.RefreshToken == "" {
				return errors.New("no refresh token was given")
			}
			err = errors.Join(
				call.authorized(ctx, tokens.AccessToken, oidcprovider.Scope, session),
				call.denied(ctx, tokens.RefreshToken),
			)
			if err != nil {
				return err
			}
			if err := s.oidc.Revoke(ctx, tokens.AccessToken); err != nil {
				return err
			}
			return call.denied(ctx, tokens.AccessToken)
		})
	s.steps.do(ctx, "made-up tokens are denied", func(ctx context.Context) error {
		return errors.Join(call.denied(ctx, rand.Text()), call.denied(ctx, "nonsense"))
	})
	s.steps.do(ctx, "the other issuer's tokens are not authorized, in either deployment",
		func(ctx context.Context) error {
			own, err := s.oidc.ClientCredentials(ctx, "")
			if err != nil {
				return err
			}
			wrong := []error{other.caller.denied(ctx, own)}
			for _, c := range formats {
				token, err := s.hydra.ClientCredentials(ctx, c.backend)
				if err != nil {
					return err
				}
				refused := call.denied
				if c.backend.JWT {
					refused = call.fails // oidc-provider answers status 400 to every JWT, since its own tokens are opaque
				}
				wrong = append(wrong, refused(ctx, token))
			}
			return errors.Join(wrong...)
		})
	expired()
	s.steps.do(ctx, "the log has one JSON line a call, no token and no personal claim", func(context.Context) error {
		return call.logged(session["fhirUser"].(string), session["patient"].(string))
	})
}

// outage takes Hydra away and brings it back. What it knew is gone then, so its clients are new.
func (s *suite) outage(ctx context.Context, t, verifying *target, formats []clients) ([]clients, bool) {
	s.steps.in("ORY Hydra away")
	call, backend := t.caller, formats[0].backend
	s.steps.do(ctx, "Hydra does not answer: an error within the second; it answers again: authorized",
		func(ctx context.Context) error {
			token, err := s.hydra.ClientCredentials(ctx, backend)
			if err != nil {
				return err
			}
			if err := s.hydra.Freeze(); err != nil {
				return err
			}
			err = call.fails(ctx, token)
			if thawed := s.hydra.Thaw(); thawed != nil || err != nil {
				return errors.Join(err, thawed)
			}
			return call.authorized(ctx, token, backendScope, nil)
		})
	var known string
	s.steps.do(ctx, "Hydra is stopped: an error within the second", func(ctx context.Context) error {
		token, err := s.hydra.ClientCredentials(ctx, backend)
		if err != nil {
			return err
		}
		if known, err = s.hydra.ClientCredentials(ctx, formats[1].backend); err != nil {
			return err
		}
		s.hydra.Stop()
		return call.fails(ctx, token)
	})
	s.steps.do(ctx, "Hydra is stopped: where tokens are verified by its keys, authorized", func(ctx context.Context) error {
		return verifying.caller.authorized(ctx, known, backendScope, nil)
	})
	if !s.steps.do(ctx, "start ORY Hydra again", s.hydra.Resume) {
		return nil, false
	}
	formats, ok := s.registerClients(ctx)
	if !ok {
		return nil, false
	}
	ok = s.steps.do(ctx, "Hydra is back: authorized", func(ctx context.Context) error {
		token, err := s.hydra.ClientCredentials(ctx, formats[0].backend)
		if err != nil {
			return err
		}
		return call.authorized(ctx, token, backendScope, nil)
	})
	return formats, ok
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
