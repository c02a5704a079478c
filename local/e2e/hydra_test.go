package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"
)

func hydraBinary(l *lab) string { return filepath.Join(l.root, "local", ".cache", "hydra") }

// startHydra builds ORY Hydra, which takes minutes the first time, and starts it with all its data in memory.
func startHydra(l *lab) (*provider, error) {
	build := exec.CommandContext(l.t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", "sqlite,json1",
		"-o", hydraBinary(l), ".")
	build.Dir, build.Env = filepath.Join(l.root, "local", "hydra"), slices.Concat(l.env, []string{"CGO_ENABLED=1", "GOWORK=off", "GOFLAGS="})
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build Hydra, which needs a C compiler: %w\n%s", err, out)
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	p := &provider{name: "ORY Hydra", resource: "audience", backendScope: writeScope, secret: rand.Text(),
		issuer: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), admin: fmt.Sprintf("http://127.0.0.1:%d/admin/", ports[1]),
		http: &http.Client{Transport: new(oneAtATime)}}
	p.endpoint = oauth2.Endpoint{AuthURL: p.issuer + "/oauth2/auth", TokenURL: p.issuer + "/oauth2/token",
		AuthStyle: oauth2.AuthStyleInHeader}
	p.revoke, p.introspect = p.issuer+"/oauth2/revoke", p.admin+"oauth2/introspect"
	p.rotateKey = func(ctx context.Context) error {
		key := map[string]string{"alg": "RS256", "use": "sig", "kid": rand.Text()}
		return p.call(ctx, http.MethodPost, p.admin+"keys/hydra.jwt.access-token", key, nil)
	}
	p.withdrawKey = func(ctx context.Context, id string) error {
		return p.call(ctx, http.MethodDelete, p.admin+"keys/hydra.jwt.access-token/"+id, nil, nil)
	}
	pages := httptest.NewServer(hydraPages(p))
	l.t.Cleanup(pages.Close)
	config, err := json.Marshal(map[string]any{
		"serve": map[string]any{
			"public": map[string]any{"host": "127.0.0.1", "port": ports[0]},
			"admin":  map[string]any{"host": "127.0.0.1", "port": ports[1]},
		},
		"urls": map[string]any{"self": map[string]any{"issuer": p.issuer + "/"}, "login": pages.URL + "/login",
			"consent": pages.URL + "/consent"},
		"secrets":    map[string]any{"system": []string{rand.Text()}},
		"strategies": map[string]any{"access_token": "opaque", "scope": "exact"},
		// With the queries of the requests, which the test looks for.
		"log": map[string]any{"level": "info", "format": "json", "leak_sensitive_values": true},
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(l.work, "hydra.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	p.resume = func(ctx context.Context) (err error) {
		p.server, err = l.serve("hydra", []string{"DSN=memory", "SQA_OPT_OUT=true"}, hydraBinary(l), "serve", "all", "--dev",
			"--config", file)
		if err != nil {
			return err
		}
		return p.registerAtHydra(ctx)
	}
	return p, p.resume(l.t.Context())
}

// registerAtHydra waits until Hydra is ready and makes the clients known to it.
func (p *provider) registerAtHydra(ctx context.Context) error {
	err := within(ctx, time.Minute, 50*time.Millisecond, func() (bool, error) {
		select {
		case <-p.exited:
			return false, fmt.Errorf("Hydra has ended: %s", p.log)
		default:
			// With the first request for its keys Hydra makes them. Where the machine is busy, that takes longer than Hydra gives itself.
			ready := p.alive(ctx) == nil && p.call(ctx, http.MethodGet, p.issuer+"/.well-known/jwks.json", nil, nil) == nil
			return ready, nil
		}
	})
	if err != nil {
		return err
	}
	for _, c := range clients() {
		metadata := c.metadata(p.secret, p.backendScope)
		metadata["access_token_strategy"], metadata["audience"] = c.format, []string{audience, elsewhere}
		if err := p.call(ctx, http.MethodPost, p.admin+"clients", metadata, nil); err != nil {
			return err
		}
		if c.kind == "short-lived" {
			lifespans := map[string]string{"client_credentials_grant_access_token_lifespan": "2s"}
			if err := p.call(ctx, http.MethodPut, p.admin+"clients/"+c.id()+"/lifespans", lifespans, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *provider) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	address := p.issuer + "/.well-known/openid-configuration"
	if p.admin != "" {
		address = strings.TrimSuffix(p.admin, "admin/") + "health/ready"
	}
	return p.call(ctx, http.MethodGet, address, nil, nil)
}

// freeze stops a provider's work without closing its connections. It returns when it answers no more: a signal takes its time
// to reach all threads.
func (p *provider) freeze(ctx context.Context) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return within(ctx, 5*time.Second, 0, func() (bool, error) { return p.alive(ctx) != nil, nil })
}

func (p *provider) thaw() error { return p.signal(syscall.SIGCONT) }

// hydraPages are the pages for login and consent, which Hydra leaves to others. They say yes to everything, without a question.
func hydraPages(p *provider) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		step := strings.TrimPrefix(r.URL.Path, "/")
		query := "?" + step + "_challenge=" + url.QueryEscape(r.URL.Query().Get(step+"_challenge"))
		requests := p.admin + "oauth2/auth/requests/" + step
		plain := *p
		plain.http = http.DefaultClient // the browser's request, which waits for this one, has the other
		accept := map[string]any{"subject": user}
		if step == "consent" {
			var asked struct {
				Scope    []string `json:"requested_scope"`
				Audience []string `json:"requested_access_token_audience"`
			}
			if err := plain.call(r.Context(), http.MethodGet, requests+query, nil, &asked); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			accept = map[string]any{"grant_scope": asked.Scope, "grant_access_token_audience": asked.Audience,
				"session": map[string]any{"access_token": personal}}
		}
		var next struct {
			Address string `json:"redirect_to"`
		}
		err := plain.call(r.Context(), http.MethodPut, requests+"/accept"+query, accept, &next)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		http.Redirect(w, r, next.Address, http.StatusFound)
	})
}

// freePorts finds ports of loopback that nobody listens on.
func freePorts(count int) (ports []int, err error) {
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
