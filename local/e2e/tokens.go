package main

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/hydra"
	"healthlake-smart-on-fhir/local/e2e/internal/oidcprovider"
)

// The scopes that Hydra's clients have. The app's has what SMART v2 needs a careful hand for.
const (
	backendScope = "system/*.rs system/Observation.cruds"
	appScope     = "openid offline_access fhirUser launch/patient patient/Patient.read " +
		"patient/Observation.rs?category=laboratory&status=final"
	user = oidcprovider.User // at both providers
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
	s.steps.do(ctx, "Hydra does not answer: where tokens are verified by its keys, authorized all the same",
		func(ctx context.Context) error {
			token, err := s.hydra.ClientCredentials(ctx, formats[1].backend)
			if err != nil {
				return err
			}
			if err := s.hydra.Freeze(); err != nil {
				return err
			}
			return errors.Join(verifying.caller.authorized(ctx, token, backendScope, nil), s.hydra.Thaw())
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
