// Package hydra builds, starts and stops ORY Hydra and gets tokens from it, as a backend service and as an app with a
// user do.
package hydra

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"healthlake-smart-on-fhir/local/e2e/internal/process"
)

// redirectURI receives the authorization code. Nothing listens there: the code is read from the redirect.
const redirectURI = "http://127.0.0.1:1/callback"

// Build builds Hydra from local/hydra below root, unless it was built before from the same sources by the same Go. It
// returns the binary's path.
func Build(ctx context.Context, group *process.Group, root string, env []string) (string, error) {
	dir := filepath.Join(root, "local", "hydra")
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("hydra: %w", err)
		}
		hash.Write(content)
	}
	cache := filepath.Join(root, "local", ".cache", "hydra")
	binary := filepath.Join(cache, fmt.Sprintf("hydra-%x", hash.Sum(nil)[:8]))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("hydra: %w", err)
	}
	// Two runs may build at the same time; the rename makes the binary appear at once.
	unfinished := binary + "-" + rand.Text()
	defer os.Remove(unfinished)
	_, err := group.Run(ctx, process.Command{
		Name: "hydra-build",
		Path: "go",
		Args: []string{"build", "-trimpath", "-buildvcs=false", "-tags", "sqlite,json1", "-o", unfinished, "."},
		Dir:  dir,
		Env:  slices.Concat(env, []string{"CGO_ENABLED=1", "GOWORK=off", "GOFLAGS="}),
	})
	if err != nil {
		return "", err
	}
	return binary, os.Rename(unfinished, binary)
}

// Version is the version of Hydra that a binary was built from.
func Version(binary string) (string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("hydra: %w", err)
	}
	for _, dependency := range info.Deps {
		if dependency.Path == "github.com/ory/hydra/v2" {
			return dependency.Version, nil
		}
	}
	return "", errors.New("hydra: the binary has no Hydra in it")
}

// Server is a Hydra that keeps everything in memory.
type Server struct {
	// Alone is held by whoever asks Hydra for something, as the methods that register clients or get tokens do: its SQLite
	// in memory refuses a request that comes while another one writes.
	Alone sync.Mutex

	group   *process.Group
	binary  string
	config  string
	env     []string
	public  string
	admin   string
	process *process.Process
}

// Start starts Hydra on two free ports of loopback and returns when it is ready. dir is for its configuration.
func Start(ctx context.Context, group *process.Group, binary, dir string, env []string) (*Server, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, fmt.Errorf("hydra: %w", err)
	}
	s := &Server{
		group:  group,
		binary: binary,
		config: filepath.Join(dir, "hydra.json"),
		env:    slices.Concat(env, []string{"DSN=memory", "SQA_OPT_OUT=true"}),
		public: fmt.Sprintf("http://127.0.0.1:%d/", ports[0]),
		admin:  fmt.Sprintf("http://127.0.0.1:%d/", ports[1]),
	}
	config, err := json.MarshalIndent(map[string]any{
		"serve": map[string]any{
			"public": map[string]any{"host": "127.0.0.1", "port": ports[0]},
			"admin":  map[string]any{"host": "127.0.0.1", "port": ports[1]},
		},
		"urls": map[string]any{
			"self": map[string]any{"issuer": s.public},
			// Hydra redirects there; nobody follows, the challenge is read from the redirect.
			"login":   "http://127.0.0.1:1/login",
			"consent": "http://127.0.0.1:1/consent",
		},
		"secrets":    map[string]any{"system": []string{rand.Text()}},
		"strategies": map[string]any{"access_token": "opaque", "scope": "exact"},
		"log":        map[string]any{"level": "info", "format": "json"},
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.config, config, 0o600); err != nil {
		return nil, fmt.Errorf("hydra: %w", err)
	}
	return s, s.Resume(ctx)
}

// Resume starts a stopped Hydra again, on the same ports, with nothing left in its memory.
func (s *Server) Resume(ctx context.Context) error {
	p, err := s.group.Start(process.Command{
		Name: "hydra",
		Path: s.binary,
		Args: []string{"serve", "all", "--dev", "--config", s.config},
		Env:  s.env,
	})
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := s.get(ctx, s.admin+"health/ready"); err == nil {
			// With the first request for its keys Hydra makes them, which takes seconds where the machine is busy.
			return s.get(ctx, s.public+".well-known/jwks.json")
		}
		select {
		case <-p.Exited():
			return p.Ended()
		case <-ctx.Done():
			return errors.New("hydra: not ready within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends Hydra; its connections and data are gone.
func (s *Server) Stop() { s.process.Stop() }

// Freeze stops Hydra's work without closing its connections, until Thaw. It returns when Hydra answers no more: a signal
// takes its time to reach all threads.
func (s *Server) Freeze() error {
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for range 50 {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err := s.get(ctx, s.admin+"health/alive")
		cancel()
		if err != nil {
			return nil
		}
	}
	return errors.Join(errors.New("hydra: it answers though it was stopped"), s.Thaw())
}

// Thaw lets a frozen Hydra go on.
func (s *Server) Thaw() error { return s.process.Signal(syscall.SIGCONT) }

// PublicURL is the issuer, with a slash at the end.
func (s *Server) PublicURL() string { return s.public }

// AdminURL is the base of the admin API, with a slash at the end. Introspection is there.
func (s *Server) AdminURL() string { return s.admin }

// Client is an OAuth2 client. JWT asks for access tokens that are JWTs; those of the others are opaque.
type Client struct {
	ID         string
	Secret     string
	JWT        bool
	Scope      string
	Audience   string // what its access tokens are for; may be empty
	ShortLived bool   // access tokens from client credentials expire after two seconds
	User       bool   // uses the authorization code grant with a user, else client credentials
}

// Register makes a client known to Hydra.
func (s *Server) Register(ctx context.Context, c Client) error {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	client := map[string]any{
		"client_id":                  c.ID,
		"client_secret":              c.Secret,
		"scope":                      c.Scope,
		"grant_types":                []string{"client_credentials"},
		"token_endpoint_auth_method": "client_secret_basic",
		"access_token_strategy":      "opaque",
	}
	if c.JWT {
		client["access_token_strategy"] = "jwt"
	}
	if c.Audience != "" {
		client["audience"] = []string{c.Audience}
	}
	if c.User {
		client["grant_types"] = []string{"authorization_code", "refresh_token"}
		client["response_types"] = []string{"code"}
		client["redirect_uris"] = []string{redirectURI}
	}
	if err := s.call(ctx, http.MethodPost, "admin/clients", client, nil); err != nil {
		return err
	}
	if c.ShortLived {
		lifespans := map[string]string{"client_credentials_grant_access_token_lifespan": "2s"}
		return s.call(ctx, http.MethodPut, "admin/clients/"+c.ID+"/lifespans", lifespans, nil)
	}
	return nil
}

// ClientCredentials gets an access token for the client itself, with its whole scope.
func (s *Server) ClientCredentials(ctx context.Context, c Client) (string, error) {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	config := clientcredentials.Config{
		ClientID:     c.ID,
		ClientSecret: c.Secret,
		TokenURL:     s.public + "oauth2/token",
		AuthStyle:    oauth2.AuthStyleInHeader,
		Scopes:       []string{c.Scope},
	}
	if c.Audience != "" {
		config.EndpointParams = url.Values{"audience": {c.Audience}}
	}
	token, err := config.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("hydra: client credentials: %w", err)
	}
	return token.AccessToken, nil
}

// AuthorizationCode gets tokens for a user by the authorization code grant with PKCE, with the client's whole scope.
// Login and consent are given through the admin API; session is what the consent puts into the access token.
func (s *Server) AuthorizationCode(
	ctx context.Context, c Client, subject string, session map[string]any,
) (*oauth2.Token, error) {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	config, verifier, state := s.app(c), oauth2.GenerateVerifier(), rand.Text()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	granted := []string{}
	if c.Audience != "" {
		options = append(options, oauth2.SetAuthURLParam("audience", c.Audience))
		granted = append(granted, c.Audience)
	}
	location, err := redirect(ctx, browser, config.AuthCodeURL(state, options...))
	if err != nil {
		return nil, fmt.Errorf("hydra: authorization: %w", err)
	}
	for _, step := range []struct {
		name   string
		accept map[string]any
	}{
		{"login", map[string]any{"subject": subject}},
		{"consent", map[string]any{
			"grant_scope":                 strings.Fields(c.Scope),
			"grant_access_token_audience": granted,
			"session":                     map[string]any{"access_token": session},
		}},
	} {
		challenge := location.Query().Get(step.name + "_challenge")
		if challenge == "" {
			return nil, fmt.Errorf("hydra: no %s asked for but a redirect to %s", step.name, location.Redacted())
		}
		path := fmt.Sprintf("admin/oauth2/auth/requests/%s/accept?%s_challenge=%s", step.name, step.name,
			url.QueryEscape(challenge))
		var next struct {
			RedirectTo string `json:"redirect_to"`
		}
		if err := s.call(ctx, http.MethodPut, path, step.accept, &next); err != nil {
			return nil, err
		}
		if location, err = redirect(ctx, browser, next.RedirectTo); err != nil {
			return nil, fmt.Errorf("hydra: after %s: %w", step.name, err)
		}
	}
	answer := location.Query()
	if answer.Get("state") != state || answer.Get("code") == "" {
		return nil, fmt.Errorf("hydra: no code: %s %s", answer.Get("error"), answer.Get("error_description"))
	}
	token, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("hydra: code: %w", err)
	}
	return token, nil
}

// Refresh gets new tokens for a refresh token.
func (s *Server) Refresh(ctx context.Context, c Client, refreshToken string) (*oauth2.Token, error) {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	token, err := s.app(c).TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return nil, fmt.Errorf("hydra: refresh: %w", err)
	}
	return token, nil
}

// Revoke revokes one of the client's tokens (RFC 7009).
func (s *Server) Revoke(ctx context.Context, c Client, token string) error {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	form := url.Values{"token": {token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.public+"oauth2/revoke",
		strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	return do(request, nil)
}

// RotateKey adds a key with which Hydra signs the access tokens that it issues from then on. The one before it stays
// published.
func (s *Server) RotateKey(ctx context.Context) error {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	key := map[string]string{"alg": "RS256", "use": "sig", "kid": rand.Text()}
	return s.call(ctx, http.MethodPost, "admin/keys/hydra.jwt.access-token", key, nil)
}

// WithdrawKey ends the publication of a key for access tokens.
func (s *Server) WithdrawKey(ctx context.Context, id string) error {
	s.Alone.Lock()
	defer s.Alone.Unlock()
	return s.call(ctx, http.MethodDelete, "admin/keys/hydra.jwt.access-token/"+id, nil, nil)
}

func (s *Server) app(c Client) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     c.ID,
		ClientSecret: c.Secret,
		Endpoint: oauth2.Endpoint{
			AuthURL:   s.public + "oauth2/auth",
			TokenURL:  s.public + "oauth2/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		RedirectURL: redirectURI,
		Scopes:      []string{c.Scope},
	}
}

func (s *Server) get(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return do(request, nil)
}

// call calls the admin API.
func (s *Server) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.admin+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return do(request, out)
}

func do(request *http.Request, out any) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("hydra: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("hydra: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("hydra: %s %s: %s: %s", request.Method, request.URL.Path, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// redirect opens a page and returns where it sends the browser.
func redirect(ctx context.Context, browser *http.Client, address string) (*url.URL, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := browser.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	location, err := response.Location()
	if err != nil {
		return nil, fmt.Errorf("no redirect but %s", response.Status)
	}
	return location, nil
}

// freePorts finds ports of loopback that nobody listens on.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all at the end, so that no port comes twice
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
