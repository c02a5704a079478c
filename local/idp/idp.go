// Package idp is an OAuth2 provider for one machine. ORY fosite, the library inside ORY Hydra, issues, refreshes, revokes and
// introspects its opaque tokens. They are issued by method calls; introspection and the keys are served over HTTP on
// loopback, in Hydra's places and shape.
package idp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

// Auth is how callers of the introspection endpoint must authenticate (RFC 7662 section 2.1). Credentials that it does not
// ask for are refused.
type Auth string

// The ways of authentication.
const (
	AuthNone   Auth = "none"   // ORY Hydra's way: the endpoint is for the private network
	AuthBearer Auth = "bearer" // Config.APIKey as a bearer token
	AuthBasic  Auth = "basic"  // Config.ClientID and Config.ClientSecret, each form-encoded (RFC 6749 section 2.3.1)
	AuthPost   Auth = "post"   // the same as form fields
)

// Config says how callers of the introspection endpoint authenticate. It may change before the first request.
type Config struct {
	Auth         Auth
	APIKey       string
	ClientID     string
	ClientSecret string
}

// Paths of the endpoints.
const (
	TokenPath      = "/oauth2/token" // not served: tokens are issued by method calls
	IntrospectPath = "/admin/oauth2/introspect"
	KeysPath       = "/.well-known/jwks.json"
)

// The one OAuth2 client, and its redirect URI, which is never called.
const client, redirect = "local-app", "http://127.0.0.1/callback"

// Server is a running provider. Its methods may be called from several goroutines. Close ends it.
type Server struct {
	*httptest.Server
	Config       Config
	clientSecret string
	provider     fosite.OAuth2Provider

	mu             sync.Mutex
	fault          http.HandlerFunc
	keys           string
	keyRequests    int
	introspections int
	connections    map[string]bool // of introspections, by the caller's port
}

// Start starts a provider without keys on a free loopback port.
func Start(cfg Config) (*Server, error) {
	s := &Server{Config: cfg, clientSecret: rand.Text(), keys: KeySet(), connections: map[string]bool{}}
	hash, err := bcrypt.GenerateFromPassword([]byte(s.clientSecret), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("idp: %w", err)
	}
	store := storage.NewMemoryStore()
	store.Clients[client] = &fosite.DefaultClient{
		ID: client, Secret: hash, RedirectURIs: []string{redirect}, ResponseTypes: []string{"code"},
		GrantTypes: []string{"authorization_code", "client_credentials", "refresh_token"},
	}
	config := &fosite.Config{
		AccessTokenLifespan: time.Hour,
		GlobalSecret:        []byte(rand.Text() + rand.Text()),
		// The client may ask for every scope and audience: SMART scopes with search parameters cannot be listed.
		ScopeStrategy:            func([]string, string) bool { return true },
		AudienceMatchingStrategy: func(_, _ []string) error { return nil },
	}
	s.provider = compose.Compose(config, store, compose.NewOAuth2HMACStrategy(config),
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2TokenIntrospectionFactory,
		compose.OAuth2TokenRevocationFactory,
	)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+IntrospectPath, s.serveIntrospect)
	mux.HandleFunc("GET "+KeysPath, s.serveKeys)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		fault := s.fault
		s.mu.Unlock()
		if fault != nil {
			fault(w, r)
		} else {
			mux.ServeHTTP(w, r)
		}
	}))
	return s, nil
}

// SetFault lets fault respond to every request, until another one is set; nil ends it.
func (s *Server) SetFault(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Grant is what tokens are issued for.
type Grant struct {
	Scope    string // separated by single spaces, comes back byte for byte; offline_access adds a refresh token
	Audience []string
	Subject  string         // the user; empty for a backend service
	Ext      map[string]any // the session's data, such as fhirUser; introspection responses have it under ext
	Expired  bool           // the access token has expired a second ago
}

// Tokens are those of one grant. Refresh is empty where none was asked for.
type Tokens struct{ Access, Refresh string }

// Issue issues tokens by the authorization code grant for a user, whose login and consent are given, and by the client
// credentials grant for a backend service (RFC 6749 sections 4.1 and 4.4).
func (s *Server) Issue(ctx context.Context, g Grant) (Tokens, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {g.Scope}, "audience": {strings.Join(g.Audience, " ")}}
	if g.Subject != "" {
		code, err := s.authorize(ctx, g)
		if err != nil {
			return Tokens{}, fmt.Errorf("idp: %w", err)
		}
		form = url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}
	}
	return s.exchange(ctx, form, &fosite.DefaultSession{Subject: client}, func(r fosite.AccessRequester) {
		grantAll(r)
		if g.Expired {
			r.GetSession().SetExpiresAt(fosite.AccessToken, time.Now().Add(-time.Second))
		}
	})
}

// authorize is the authorization endpoint.
func (s *Server) authorize(ctx context.Context, g Grant) (code string, err error) {
	query := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {redirect}, "state": {rand.Text()},
		"scope": {g.Scope}, "audience": {strings.Join(g.Audience, " ")},
	}
	request, err := s.provider.NewAuthorizeRequest(ctx, httptest.NewRequest(http.MethodGet, "/oauth2/auth?"+query.Encode(), nil))
	if err != nil {
		return "", err
	}
	grantAll(request)
	response, err := s.provider.NewAuthorizeResponse(ctx, request, &fosite.DefaultSession{Subject: g.Subject, Extra: g.Ext})
	if err != nil {
		return "", err
	}
	return response.GetCode(), nil
}

func grantAll(r fosite.Requester) {
	for _, scope := range r.GetRequestedScopes() {
		r.GrantScope(scope)
	}
	for _, audience := range r.GetRequestedAudience() {
		r.GrantAudience(audience)
	}
}

// Refresh issues new tokens for a refresh token, which is used up by that (RFC 6749 section 6).
func (s *Server) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	return s.exchange(ctx, form, new(fosite.DefaultSession), func(fosite.AccessRequester) {})
}

// exchange is the token endpoint; grant completes a request that the client may make.
func (s *Server) exchange(ctx context.Context, form url.Values, session fosite.Session, grant func(fosite.AccessRequester)) (
	Tokens, error) {
	request, err := s.provider.NewAccessRequest(ctx, s.request(TokenPath, form), session)
	if err != nil {
		return Tokens{}, fmt.Errorf("idp: %w", err)
	}
	grant(request)
	response, err := s.provider.NewAccessResponse(ctx, request)
	if err != nil {
		return Tokens{}, fmt.Errorf("idp: %w", err)
	}
	refresh, _ := response.GetExtra("refresh_token").(string)
	return Tokens{response.GetAccessToken(), refresh}, nil
}

// Revoke revokes a token and the others of its grant (RFC 7009).
func (s *Server) Revoke(ctx context.Context, token string) error {
	if err := s.provider.NewRevocationRequest(ctx, s.request("/oauth2/revoke", url.Values{"token": {token}})); err != nil {
		return fmt.Errorf("idp: %w", err)
	}
	return nil
}

// request is the client's request with this form.
func (s *Server) request(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, s.clientSecret)
	return r
}

// SetKeys makes the server show these keys, and no others, from now on.
func (s *Server) SetKeys(keys ...Key) {
	var jwks []any
	for _, key := range keys {
		jwks = append(jwks, key.JWK())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = KeySet(jwks...)
}

// KeyRequests returns how often the keys were asked for.
func (s *Server) KeyRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyRequests
}

// Introspections returns how many introspection requests have arrived, and on how many connections.
func (s *Server) Introspections() (requests, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.introspections, len(s.connections)
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.keyRequests++
	keys := s.keys
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, keys)
}

func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.introspections++
	s.connections[r.RemoteAddr] = true
	s.mu.Unlock()
	token := r.PostFormValue("token")
	if token == "" {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
		return
	}
	if !s.authenticated(r) {
		write(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	session := new(fosite.DefaultSession)
	use, request, err := s.provider.IntrospectToken(r.Context(), token, fosite.TokenUse(r.PostFormValue("token_type_hint")), session)
	if err != nil { // not a token, or no longer one: RFC 7662 section 2.2 says nothing more of it
		write(w, http.StatusOK, map[string]bool{"active": false})
		return
	}
	issued := request.GetSession().(*fosite.DefaultSession)
	response := map[string]any{ // ORY Hydra's
		"active":     true,
		"scope":      strings.Join(request.GetGrantedScopes(), " "),
		"client_id":  request.GetClient().GetID(),
		"sub":        issued.Subject,
		"exp":        issued.GetExpiresAt(use).Unix(),
		"iat":        request.GetRequestedAt().Unix(),
		"nbf":        request.GetRequestedAt().Unix(),
		"aud":        append([]string{}, request.GetGrantedAudience()...), // [] and not null
		"iss":        s.URL + "/",
		"token_use":  use,
		"token_type": "",
	}
	if use == fosite.AccessToken {
		response["token_type"] = "Bearer"
	}
	if issued.Extra != nil {
		response["ext"] = issued.Extra
	}
	write(w, http.StatusOK, response)
}

// authenticated checks the caller's credentials, and that it sends no others. The form has been parsed.
func (s *Server) authenticated(r *http.Request) bool {
	header, form := r.Header.Get("Authorization"), r.PostForm
	id, secret, isBasic := r.BasicAuth()
	if s.Config.Auth == AuthPost {
		return header == "" && form.Get("client_id") == s.Config.ClientID && form.Get("client_secret") == s.Config.ClientSecret
	}
	if form.Has("client_id") || form.Has("client_secret") {
		return false
	}
	switch s.Config.Auth {
	case AuthBearer:
		return header == "Bearer "+s.Config.APIKey
	case AuthBasic:
		return isBasic && id == url.QueryEscape(s.Config.ClientID) && secret == url.QueryEscape(s.Config.ClientSecret)
	}
	return header == ""
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
