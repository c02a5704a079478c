// Package oidcprovider installs and starts a second identity provider, the npm package oidc-provider, and gets tokens
// from it. Its introspection endpoint wants client_secret_basic.
package oidcprovider

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"healthlake-smart-on-fhir/local/e2e/internal/process"
)

// redirectURI receives the authorization code. Nothing listens there: the code is read from the redirect.
const redirectURI = "http://127.0.0.1:1/callback"

// User is the id of the user who logs in.
const User = "e2e-user"

// The scopes that the clients have. Backend and short-lived client get the first, the app gets the second.
const (
	BackendScope = "system/*.rs"
	Scope        = "openid offline_access fhirUser patient/Observation.rs?category=laboratory&status=final"
)

// Install installs the package as its lock file says, unless it is there.
func Install(ctx context.Context, group *process.Group, root string, env []string) error {
	dir := directory(root)
	locked, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("oidc-provider: %w", err)
	}
	stamp := filepath.Join(dir, "node_modules", ".installed-lock.json")
	if installed, err := os.ReadFile(stamp); err == nil && bytes.Equal(installed, locked) {
		return nil
	}
	_, err = group.Run(ctx, process.Command{
		Name: "oidc-provider-install",
		Path: "npm",
		Args: []string{"ci", "--no-audit", "--no-fund"},
		Dir:  dir,
		Env:  env,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(stamp, locked, 0o644)
}

// Version is the package's version.
func Version(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(directory(root), "node_modules", "oidc-provider", "package.json"))
	if err != nil {
		return "", fmt.Errorf("oidc-provider: %w", err)
	}
	var manifest struct {
		Version string `json:"version"`
	}
	err = json.Unmarshal(content, &manifest)
	return manifest.Version, err
}

func directory(root string) string { return filepath.Join(root, "local", "oidcprovider") }

// Server is a running provider.
type Server struct {
	Issuer string // without a slash at the end
	// ResourceServerID and ResourceServerSecret are what the introspection endpoint wants. Both have characters that
	// come across only if they are form-encoded before base64 (RFC 6749 section 2.3.1).
	ResourceServerID     string
	ResourceServerSecret string

	secret string // of the other clients
}

// Start starts the provider on a free port of loopback. claims are those that the tokens of a user have.
func Start(
	ctx context.Context, group *process.Group, root string, env []string, claims map[string]any,
) (*Server, error) {
	s := &Server{
		ResourceServerID:     "resource server:1",
		ResourceServerSecret: "s+%:&=? " + rand.Text(),
		secret:               rand.Text(),
	}
	registered := []map[string]any{{
		"client_id": s.ResourceServerID, "client_secret": s.ResourceServerSecret,
		"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{},
	}}
	for _, c := range []Clients{s.Opaque(), s.JWT()} {
		registered = append(registered, backend(c.backendID(), s.secret), backend(c.shortLivedID(), s.secret),
			map[string]any{
				"client_id": c.AppID(), "client_secret": s.secret, "scope": Scope,
				"redirect_uris": []string{redirectURI}, "response_types": []string{"code"},
				"grant_types": []string{"authorization_code", "refresh_token"}, "application_type": "native",
			})
	}
	clients, err := json.Marshal(registered)
	if err != nil {
		return nil, err
	}
	held, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	p, err := group.Start(process.Command{
		Name: "oidc-provider",
		Path: "node",
		Args: []string{filepath.Join(directory(root), "server.js")},
		Env: slices.Concat(env, []string{
			"OIDC_CLIENTS=" + string(clients),
			"OIDC_CLAIMS=" + string(held),
			"OIDC_SCOPES=" + Scope + " " + BackendScope,
			"OIDC_USER=" + User,
		}),
	})
	if err != nil {
		return nil, err
	}
	s.Issuer, err = p.FirstLine(ctx)
	return s, err
}

// backend is the metadata of a client that gets tokens for itself.
func backend(id, secret string) map[string]any {
	return map[string]any{
		"client_id": id, "client_secret": secret, "scope": BackendScope,
		"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{"client_credentials"},
	}
}

// Clients are a backend service, one with short-lived tokens and an app, whose access tokens have one format.
type Clients struct {
	*Server
	format string
}

// Opaque are the clients whose access tokens are opaque.
func (s *Server) Opaque() Clients { return Clients{s, "opaque"} }

// JWT are the clients whose access tokens are JWTs, where they name a resource.
func (s *Server) JWT() Clients { return Clients{s, "jwt"} }

// AppID is the app's client id.
func (c Clients) AppID() string { return c.format + "-app" }

func (c Clients) backendID() string { return c.format + "-backend" }

func (c Clients) shortLivedID() string { return c.format + "-short-lived" }

// ClientCredentials gets a backend service's access token for the resource; resource may be empty.
func (c Clients) ClientCredentials(ctx context.Context, resource string) (string, error) {
	return c.clientCredentials(ctx, c.backendID(), resource)
}

// ShortLived is ClientCredentials with an access token that expires after two seconds.
func (c Clients) ShortLived(ctx context.Context, resource string) (string, error) {
	return c.clientCredentials(ctx, c.shortLivedID(), resource)
}

func (c Clients) clientCredentials(ctx context.Context, client, resource string) (string, error) {
	config := clientcredentials.Config{
		ClientID:     client,
		ClientSecret: c.secret,
		TokenURL:     c.Issuer + "/token",
		AuthStyle:    oauth2.AuthStyleInHeader,
		Scopes:       []string{BackendScope},
	}
	if resource != "" {
		config.EndpointParams = url.Values{"resource": {resource}}
	}
	token, err := config.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("oidc-provider: client credentials: %w", err)
	}
	return token.AccessToken, nil
}

// AuthorizationCode gets a user's tokens by the authorization code grant with PKCE. resource is as with
// ClientCredentials.
func (c Clients) AuthorizationCode(ctx context.Context, resource string) (*oauth2.Token, error) {
	config, verifier := c.app(), oauth2.GenerateVerifier()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	var callback *url.URL
	browser := &http.Client{
		Jar: jar,
		CheckRedirect: func(request *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(request.URL.String(), redirectURI) {
				callback = request.URL
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("prompt", "consent"), // without which no refresh token is given
	}
	if resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", resource))
	}
	address := config.AuthCodeURL(rand.Text(), options...)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := browser.Do(request)
	if err != nil {
		return nil, fmt.Errorf("oidc-provider: authorization: %w", err)
	}
	_ = response.Body.Close()
	if callback == nil || callback.Query().Get("code") == "" {
		return nil, errors.New("oidc-provider: no code; see its log")
	}
	token, err := config.Exchange(ctx, callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("oidc-provider: code: %w", err)
	}
	return token, nil
}

// Refresh gets new tokens for a refresh token of the app.
func (c Clients) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	token, err := c.app().TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return nil, fmt.Errorf("oidc-provider: refresh: %w", err)
	}
	return token, nil
}

// Revoke revokes one of the app's tokens, and what else was granted with it. It can't be a JWT.
func (c Clients) Revoke(ctx context.Context, token string) error {
	form := url.Values{"token": {token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Issuer+"/token/revocation",
		strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.AppID(), c.secret)
	return do(request, http.StatusOK)
}

func (c Clients) app() *oauth2.Config {
	return &oauth2.Config{
		ClientID:     c.AppID(),
		ClientSecret: c.secret,
		Endpoint: oauth2.Endpoint{
			AuthURL:   c.Issuer + "/auth",
			TokenURL:  c.Issuer + "/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		RedirectURL: redirectURI,
		Scopes:      []string{Scope},
	}
}

// RotateKey adds a key with which the provider signs from then on. The one before it stays published.
func (s *Server) RotateKey(ctx context.Context) error { return s.keys(ctx, http.MethodPost, "") }

// WithdrawKey ends a key's publication.
func (s *Server) WithdrawKey(ctx context.Context, id string) error {
	return s.keys(ctx, http.MethodDelete, "/"+id)
}

func (s *Server) keys(ctx context.Context, method, path string) error {
	request, err := http.NewRequestWithContext(ctx, method, s.Issuer+"/test/keys"+path, nil)
	if err != nil {
		return err
	}
	return do(request, http.StatusNoContent)
}

func do(request *http.Request, want int) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("oidc-provider: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("oidc-provider: %s %s: %s", request.Method, request.URL.Path, response.Status)
	}
	return nil
}
