package main

import (
	"context"
	"errors"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/secret"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// source is where the claims about a token come from. What follows from them is the same for each.
type source interface {
	// claims returns what the provider states about a token. It notes what that took in c. The error is a *jwt.Refusal where
	// the token is to be denied without more ado.
	claims(ctx context.Context, token string, document secret.Document, c *call) (claims.Set, error)
	// warmUp does ahead of the first event what would make it wait.
	warmUp(ctx context.Context, document secret.Document) error
	// reason is the log line's word for an error of claims.
	reason(err error) string
}

// introspection asks the provider about each token (RFC 7662).
type introspection struct {
	client *introspect.Client
	method introspect.Method
	cache  *tokencache.Cache
}

// warmUpToken is no token of anybody's. Asking about it opens the connection that the first call will use.
const warmUpToken = "warm-up"

func (s *introspection) claims(ctx context.Context, token string, document secret.Document, c *call) (claims.Set, error) {
	realm := document.AuthEndpointIntrospect + " " + document.ClientID
	set, kept, err := s.cache.Claims(ctx, realm, token, func(ctx context.Context) (claims.Set, error) {
		asked, err := s.ask(ctx, token, document)
		c.requests += asked.Requests
		return asked.Claims, err
	})
	c.cacheHit = kept
	return set, err
}

func (s *introspection) warmUp(ctx context.Context, document secret.Document) error {
	_, err := s.ask(ctx, warmUpToken, document)
	return err
}

func (s *introspection) ask(ctx context.Context, token string, document secret.Document) (introspect.Answer, error) {
	return s.client.Introspect(ctx, document.AuthEndpointIntrospect, introspect.Auth{
		Method:       s.method,
		ClientID:     document.ClientID,
		ClientSecret: document.ClientSecret,
		APIKey:       document.APIKey,
	}, token)
}

func (s *introspection) reason(err error) string {
	var failure *introspect.Error
	if errors.As(err, &failure) {
		return reasonIdP + string(failure.Kind)
	}
	// A call that gave up waiting for another's introspection of the same token.
	return reasonIdP + string(introspect.KindTimeout)
}

// verification verifies tokens by the provider's keys, for providers that cannot be asked.
type verification struct {
	verifier *jwt.Verifier
}

func (s *verification) claims(ctx context.Context, token string, _ secret.Document, _ *call) (claims.Set, error) {
	return s.verifier.Claims(ctx, token)
}

func (s *verification) warmUp(ctx context.Context, _ secret.Document) error {
	return s.verifier.Load(ctx)
}

func (s *verification) reason(error) string { return reasonKeys }
