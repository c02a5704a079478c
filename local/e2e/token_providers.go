package main

import (
	"context"
	"crypto/rand"
	"strings"

	"golang.org/x/oauth2"

	"healthlake-smart-on-fhir/local/e2e/internal/hydra"
	"healthlake-smart-on-fhir/local/e2e/internal/oidcprovider"
)

// issuer is an identity provider as clients see it whose access tokens have one format.
type issuer interface {
	// Backend gets a backend service's access token for an audience; where that is empty, for none.
	Backend(ctx context.Context, audience string) (string, error)
	// ShortLived gets one that expires after two seconds.
	ShortLived(ctx context.Context) (string, error)
	// User gets the tokens of an app with a user.
	User(ctx context.Context) (*oauth2.Token, error)
	Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error)
	// Revoke revokes a user's access token.
	Revoke(ctx context.Context, tokens *oauth2.Token) error
	// RotateKey has the provider sign by a new key and publish the one before too, until WithdrawKey.
	RotateKey(ctx context.Context) error
	WithdrawKey(ctx context.Context, id string) error
}

// provider is an identity provider with its clients for both formats of access tokens.
type provider struct {
	name                   string
	backendScope, appScope string
	opaque, jwt            issuer
}

func (s *suite) providers(formats []clients) (atHydra, atOIDCProvider provider) {
	atHydra = provider{
		name: "ORY Hydra", backendScope: backendScope, appScope: appScope,
		opaque: hydraIssuer{s.hydra, formats[0]}, jwt: hydraIssuer{s.hydra, formats[1]},
	}
	atOIDCProvider = provider{
		name: "oidc-provider", backendScope: oidcprovider.BackendScope, appScope: oidcprovider.Scope,
		opaque: oidcIssuer{s.oidc.Opaque()}, jwt: oidcIssuer{s.oidc.JWT()},
	}
	return atHydra, atOIDCProvider
}

type hydraIssuer struct {
	*hydra.Server
	clients clients
}

// Backend makes a new client for another audience: Hydra's clients have theirs registered.
func (h hydraIssuer) Backend(ctx context.Context, audience string) (string, error) {
	client := h.clients.backend
	if audience != client.Audience {
		client.ID, client.Audience = rand.Text(), audience
		if err := h.Register(ctx, client); err != nil {
			return "", err
		}
	}
	return h.ClientCredentials(ctx, client)
}

func (h hydraIssuer) ShortLived(ctx context.Context) (string, error) {
	return h.ClientCredentials(ctx, h.clients.shortLived)
}

func (h hydraIssuer) User(ctx context.Context) (*oauth2.Token, error) {
	return h.AuthorizationCode(ctx, h.clients.app, user, session)
}

func (h hydraIssuer) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return h.Server.Refresh(ctx, h.clients.app, refreshToken)
}

func (h hydraIssuer) Revoke(ctx context.Context, tokens *oauth2.Token) error {
	return h.Server.Revoke(ctx, h.clients.app, tokens.AccessToken)
}

type oidcIssuer struct {
	oidcprovider.Clients
}

func (o oidcIssuer) Backend(ctx context.Context, audience string) (string, error) {
	return o.ClientCredentials(ctx, audience)
}

func (o oidcIssuer) ShortLived(ctx context.Context) (string, error) {
	return o.Clients.ShortLived(ctx, audience)
}

func (o oidcIssuer) User(ctx context.Context) (*oauth2.Token, error) {
	return o.AuthorizationCode(ctx, audience)
}

// Revoke revokes the refresh token in the place of a JWT, which oidc-provider does not take; with it goes all that was
// granted.
func (o oidcIssuer) Revoke(ctx context.Context, tokens *oauth2.Token) error {
	if isJWT(tokens.AccessToken) {
		return o.Clients.Revoke(ctx, tokens.RefreshToken)
	}
	return o.Clients.Revoke(ctx, tokens.AccessToken)
}

func isJWT(token string) bool { return strings.Count(token, ".") == 2 }
