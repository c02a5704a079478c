// Package idp is an OAuth2 server for one machine: it issues, refreshes, revokes and introspects real opaque tokens
// over HTTP on loopback. The protocol's work is done by ORY fosite, the library inside ORY Hydra; introspection answers
// have Hydra's shape. Login and consent are given at once.
package idp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

// Auth is the way in which the introspection endpoint wants its callers to authenticate (RFC 7662 section 2.1).
type Auth string

const (
	// AuthNone is ORY Hydra's way: the endpoint is for the private network. A caller that sends credentials all the
	// same is refused, for they would leak there.
	AuthNone Auth = "none"
	// AuthBearer wants Config.APIKey as a bearer token.
	AuthBearer Auth = "bearer"
	// AuthBasic wants Config.ClientID and Config.ClientSecret, each form-encoded (RFC 6749 section 2.3.1).
	AuthBasic Auth = "basic"
	// AuthPost wants them as form fields.
	AuthPost Auth = "post"
)

// Lifespans of the access tokens; see Grant.ShortLived.
const (
	Lifespan      = time.Hour
	ShortLifespan = time.Second
)

// Config says how the introspection endpoint authenticates its callers. The zero value is AuthNone.
type Config struct {
	Auth         Auth
	APIKey       string
	ClientID     string
	ClientSecret string
}

// The server's OAuth2 clients: an app with a user, backend services, and one whose tokens do not live long.
const (
	appClient        = "local-app"
	backendClient    = "local-backend"
	shortLivedClient = "local-short-lived"

	redirectURL = "http://127.0.0.1/callback" // never called: the answer is read from the redirect
)

// Server is a running provider. Its methods may be called from several goroutines.
type Server struct {
	cfg          Config
	address      string
	clientSecret string // of the backend clients
	provider     fosite.OAuth2Provider
	httpClient   *http.Client

	mu          sync.Mutex
	server      *http.Server // nil while stopped
	launches    map[string]Launch
	requests    int
	connections map[net.Conn]bool
	keys        map[string]any
	keyRequests int
}

// Start starts a provider on a free loopback port.
func Start(cfg Config) (*Server, error) {
	switch cfg.Auth {
	case "":
		cfg.Auth = AuthNone
	case AuthNone, AuthBearer, AuthBasic, AuthPost:
	default:
		return nil, fmt.Errorf("idp: unknown introspection authentication %q", cfg.Auth)
	}
	s := &Server{
		cfg:          cfg,
		address:      "127.0.0.1:0",
		clientSecret: rand.Text(),
		launches:     map[string]Launch{},
		connections:  map[net.Conn]bool{},
		httpClient: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{}, // no proxy for loopback
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse // the authorization code is read from the redirect itself
			},
		},
	}
	s.SetKeys()
	var err error
	if s.provider, err = newProvider(s.clientSecret); err != nil {
		return nil, fmt.Errorf("idp: %w", err)
	}
	if err := s.Resume(); err != nil {
		return nil, err
	}
	return s, nil
}

func newProvider(clientSecret string) (fosite.OAuth2Provider, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(clientSecret), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	backend := func(id string) *fosite.DefaultClient {
		return &fosite.DefaultClient{ID: id, Secret: hash, GrantTypes: []string{"client_credentials"}}
	}
	short := ShortLifespan
	store := storage.NewMemoryStore()
	store.Clients = map[string]fosite.Client{
		appClient: &fosite.DefaultClient{
			ID: appClient, Public: true, RedirectURIs: []string{redirectURL}, ResponseTypes: []string{"code"},
			GrantTypes: []string{"authorization_code", "refresh_token"},
		},
		backendClient: backend(backendClient),
		shortLivedClient: &fosite.DefaultClientWithCustomTokenLifespans{
			DefaultClient:  backend(shortLivedClient),
			TokenLifespans: &fosite.ClientLifespanConfig{ClientCredentialsGrantAccessTokenLifespan: &short},
		},
	}
	config := &fosite.Config{
		AccessTokenLifespan: Lifespan,
		GlobalSecret:        key,
		HashCost:            bcrypt.MinCost,
		EnforcePKCE:         true,
		// Every client may ask for every scope and audience: SMART scopes with search parameters cannot be listed.
		ScopeStrategy:            func([]string, string) bool { return true },
		AudienceMatchingStrategy: func(_, _ []string) error { return nil },
	}
	return compose.Compose(config, store, compose.NewOAuth2HMACStrategy(config),
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2PKCEFactory,
		compose.OAuth2TokenIntrospectionFactory,
		compose.OAuth2TokenRevocationFactory,
	), nil
}

// The provider's endpoints, in ORY Hydra's places. URL is the issuer.
func (s *Server) URL() string           { return "http://" + s.address + "/" }
func (s *Server) AuthorizeURL() string  { return s.URL() + "oauth2/auth" }
func (s *Server) TokenURL() string      { return s.URL() + "oauth2/token" }
func (s *Server) RevokeURL() string     { return s.URL() + "oauth2/revoke" }
func (s *Server) IntrospectURL() string { return s.URL() + "admin/oauth2/introspect" }
func (s *Server) KeysURL() string       { return s.URL() + ".well-known/jwks.json" }

// Introspections returns how many introspection requests have arrived, and on how many connections.
func (s *Server) Introspections() (requests, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, len(s.connections)
}

// Stop ends the server: open connections are cut, new ones refused. Tokens stay known for Resume.
func (s *Server) Stop() error {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	s.httpClient.CloseIdleConnections()
	if err := server.Close(); err != nil {
		return fmt.Errorf("idp: %w", err)
	}
	return nil
}

// Resume starts a stopped server again at the same address.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return errors.New("idp: the server runs already")
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("idp: %w", err)
	}
	s.address = listener.Addr().String()
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	s.server = server
	go func() { _ = server.Serve(listener) }() // ends with Stop
	return nil
}

type connKey struct{}
