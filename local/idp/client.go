package idp

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Grant is what a backend service asks for.
type Grant struct {
	Scope    string // separated by single spaces, comes back byte for byte
	Audience []string
	// ShortLived asks for a token that expires after ShortLifespan.
	ShortLived bool
}

// Launch is what an app asks for, and who stands before it.
type Launch struct {
	Scope    string // with offline_access a refresh token is given too
	Audience []string
	Subject  string
	// Ext is the session's data, such as fhirUser and patient; introspection answers have it under ext.
	Ext map[string]any
}

// ClientCredentials gets a token by the client credentials grant (RFC 6749 section 4.4) from the token endpoint.
func (s *Server) ClientCredentials(ctx context.Context, g Grant) (*oauth2.Token, error) {
	config := clientcredentials.Config{
		ClientID:     backendClient,
		ClientSecret: s.clientSecret,
		TokenURL:     s.TokenURL(),
		AuthStyle:    oauth2.AuthStyleInHeader,
		Scopes:       []string{g.Scope},
	}
	if g.ShortLived {
		config.ClientID = shortLivedClient
	}
	if len(g.Audience) > 0 {
		config.EndpointParams = url.Values{"audience": {strings.Join(g.Audience, " ")}}
	}
	token, err := config.Token(s.withClient(ctx))
	if err != nil {
		return nil, fmt.Errorf("idp: client credentials: %w", err)
	}
	return token, nil
}

// AuthorizationCode gets tokens by the authorization code grant with PKCE (RFC 7636), as an app does that was launched
// for a user. Login and consent are given.
func (s *Server) AuthorizationCode(ctx context.Context, l Launch) (*oauth2.Token, error) {
	id, state, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	s.mu.Lock()
	s.launches[id] = l
	s.mu.Unlock()

	config := s.app()
	config.Scopes = []string{l.Scope}
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("launch", id),
	}
	if len(l.Audience) > 0 {
		options = append(options, oauth2.SetAuthURLParam("audience", strings.Join(l.Audience, " ")))
	}
	code, err := s.authorize(ctx, config.AuthCodeURL(state, options...), state)
	if err != nil {
		return nil, fmt.Errorf("idp: authorization: %w", err)
	}
	token, err := config.Exchange(s.withClient(ctx), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("idp: authorization code: %w", err)
	}
	return token, nil
}

// authorize calls the authorization endpoint and takes the code from its redirect.
func (s *Server) authorize(ctx context.Context, address, state string) (code string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := s.httpClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	location, err := response.Location()
	if err != nil {
		return "", fmt.Errorf("no redirect but %s", response.Status)
	}
	answer := location.Query()
	if answer.Get("error") != "" {
		return "", fmt.Errorf("%s: %s", answer.Get("error"), answer.Get("error_description"))
	}
	if answer.Get("state") != state {
		return "", fmt.Errorf("state %q came back as %q", state, answer.Get("state"))
	}
	return answer.Get("code"), nil
}

// Refresh gets new tokens for a refresh token, which is used up by that (RFC 6749 section 6).
func (s *Server) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	config := s.app()
	token, err := config.TokenSource(s.withClient(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return nil, fmt.Errorf("idp: refresh: %w", err)
	}
	return token, nil
}

// Revoke revokes a token that AuthorizationCode or Refresh gave, together with the others of its grant (RFC 7009).
func (s *Server) Revoke(ctx context.Context, token string) error {
	form := url.Values{"token": {token}, "client_id": {appClient}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.RevokeURL(), strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("idp: revoke: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := s.httpClient.Do(request)
	if err != nil {
		return fmt.Errorf("idp: revoke: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("idp: revoke: %s", response.Status)
	}
	return nil
}

func (s *Server) app() oauth2.Config {
	return oauth2.Config{
		ClientID: appClient,
		Endpoint: oauth2.Endpoint{
			AuthURL: s.AuthorizeURL(), TokenURL: s.TokenURL(), AuthStyle: oauth2.AuthStyleInParams,
		},
		RedirectURL: redirectURL,
	}
}

func (s *Server) withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, s.httpClient)
}
