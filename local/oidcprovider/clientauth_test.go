package oidcprovider

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/sandboxtest"
)

// resourceServer is the client that introspects. Its id has characters that only a correct encoding brings across.
const resourceServer = "resource server:1/%"

// newKey makes a key as the secret holds it.
func newKey(algorithm, id string) string {
	var private any = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	switch algorithm {
	case "ES384":
		private = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "RS256", "PS256":
		private = must(rsa.GenerateKey(rand.Reader, 2048))
	}
	return string(must((&jose.JSONWebKey{Key: private, Algorithm: algorithm, KeyID: id, Use: "sig"}).MarshalJSON()))
}

// registered is the client's metadata, with the public halves of these keys.
func registered(keys ...string) map[string]any {
	var public []json.RawMessage
	for _, key := range keys {
		public = append(public, must(must(clientauth.ParseKey(key)).PublicJWK()))
	}
	return map[string]any{
		"client_id": resourceServer, "token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": public},
		"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{},
	}
}

// withKey has the function introspect at the endpoint, by the key.
func withKey(key, endpoint, audience string) func(*sandbox.Sandbox) {
	return func(s *sandbox.Sandbox) {
		s.Document.ClientID, s.Document.ClientPrivateKey, s.Document.APIKey, s.Document.ClientSecret = resourceServer, key, "", ""
		s.Document.AuthEndpointIntrospect = endpoint
		s.Environment.IntrospectionAuth = string(clientauth.PrivateKeyJWT)
		s.Environment.ClientAssertionAudience = audience
	}
}

// secretPart is what of a key must not show up anywhere.
func secretPart(key string) string {
	var private struct{ D string }
	if err := json.Unmarshal([]byte(key), &private); err != nil || private.D == "" {
		panic("a key without a private part")
	}
	return private.D
}

func TestPrivateKeyIsAccepted(t *testing.T) {
	keys := map[string]string{}
	var all []string
	for _, algorithm := range []string{"ES256", "ES384", "RS256", "PS256"} {
		keys[algorithm] = newKey(algorithm, "key-"+algorithm)
		all = append(all, keys[algorithm])
	}
	p := startProvider(t, registered(all...))
	token := p.token(t, "opaque-backend", "")
	for algorithm, key := range keys {
		t.Run(algorithm, func(t *testing.T) {
			audience := p.issuer
			if algorithm == "RS256" {
				audience = p.introspection()
			}
			s := sandboxtest.Start(t, withKey(key, p.introspection(), audience))
			for range 5 { // each with an assertion of its own: the provider takes none twice
				if got := ask(t, s, token); got != "authorized: active" {
					t.Fatal(got)
				}
			}
			if got := ask(t, s, "nobody-s-token"); got != "denied: inactive" {
				t.Error(got)
			}
			if log := strings.Join(s.Function.Logs(), "\n"); strings.Contains(log, secretPart(key)) || strings.Contains(log, "eyJ") {
				t.Error("the log has the key or an assertion")
			}
		})
	}
}

func TestPrivateKeyIsRefused(t *testing.T) {
	good := newKey("ES256", "one")
	p := startProvider(t, registered(good))
	token := p.token(t, "opaque-backend", "")
	for name, test := range map[string]struct {
		key, audience, client string
		why                   string // in the provider's log
	}{
		"another key":                      {key: newKey("ES256", "two"), why: "no applicable key found"},
		"another key with the same id":     {key: newKey("ES256", "one"), why: "signature verification failed"},
		"a key for another algorithm":      {key: newKey("RS256", "one"), why: "no applicable key found"},
		"another provider as the audience": {audience: "https://idp.example", why: "audience (aud) must equal"},
		"an audience with one more slash":  {audience: p.issuer + "/", why: "audience (aud) must equal"},
		"another client":                   {client: "opaque-backend", why: "does not match the registered client authentication method"},
		"an unknown client":                {client: "nobody", why: "client not found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sandboxtest.Start(t, func(s *sandbox.Sandbox) {
				withKey(cmp.Or(test.key, good), p.introspection(), cmp.Or(test.audience, p.issuer))(s)
				s.Document.ClientID = cmp.Or(test.client, resourceServer)
			})
			before := len(p.log())
			if got := ask(t, s, token); got != "error: idp_unauthorized" {
				t.Error(got)
			}
			if log := p.log()[before:]; !strings.Contains(log, test.why) {
				t.Errorf("the provider does not say %q:\n%s", test.why, log)
			}
		})
	}
}

// What the function never sends is refused too: the provider looks at the times and remembers each jti.
func TestExpiredAndReplayedAssertions(t *testing.T) {
	text := newKey("ES256", "one")
	key := must(clientauth.ParseKey(text))
	p := startProvider(t, registered(text))
	token := p.token(t, "opaque-backend", "")
	client, endpoint := introspect.New(httpclient.NewTransport(nil)), must(httpclient.ParseURL(p.introspection()))
	introspection := func(assertion string) error {
		_, err := client.Introspect(t.Context(), endpoint, introspect.Auth{
			Method: clientauth.PrivateKeyJWT, ClientID: resourceServer, Assertion: func() (string, error) { return assertion, nil },
		}, token)
		return err
	}
	refused := func(name string, err error, why string) {
		t.Helper()
		if !strings.Contains(p.log(), why) {
			t.Errorf("%s: the provider does not say %q:\n%s", name, why, p.log())
		}
		if failure := new(introspect.Error); !errors.As(err, &failure) || failure.Reason != reason.ProviderUnauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("expired", introspection(must(key.Assertion(resourceServer, p.issuer, time.Now().Add(-5*time.Minute)))), "jwt expired")
	assertion := must(key.Assertion(resourceServer, p.issuer, time.Now()))
	if err := introspection(assertion); err != nil {
		t.Errorf("the first time: %v", err)
	}
	refused("the second time", introspection(assertion), "must only be used once")
}

// The provider has seen the assertion of a request whose response is lost or late. The request that the function sends in its
// place has another one.
func TestRepeatedRequestsAreNoReplay(t *testing.T) {
	key := newKey("ES256", "one")
	p := startProvider(t, registered(key))
	token := p.token(t, "opaque-backend", "")
	for name, lose := range map[string]func(http.ResponseWriter, *http.Request){
		"late": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"lost": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
		"503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		t.Run(name, func(t *testing.T) {
			var losing atomic.Bool
			var passed atomic.Int32
			proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(p.issuer)))
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				passed.Add(1)
				if losing.CompareAndSwap(true, false) {
					proxy.ServeHTTP(httptest.NewRecorder(), r) // the provider responds, and nobody gets it
					lose(w, r)
					return
				}
				proxy.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			s := sandboxtest.Start(t, withKey(key, front.URL+"/token/introspection", p.issuer))
			if got := ask(t, s, token); got != "authorized: active" {
				t.Fatal(got)
			}
			before := passed.Load()
			losing.Store(true)
			if got := ask(t, s, token); got != "authorized: active" {
				t.Error(got)
			}
			if n := passed.Load() - before; n < 2 {
				t.Errorf("%d requests, want another one after the lost one", n)
			}
		})
	}
}

// Both public keys are registered while the secret changes, as docs/operations.md says. No call fails.
func TestPrivateKeyRotation(t *testing.T) {
	first, second := newKey("ES256", "one"), newKey("RS256", "two")
	p := startProvider(t, registered(first, second))
	token := p.token(t, "opaque-backend", "")
	var used atomic.Value // the id of the key that signed last
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(p.issuer)))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		form := must(url.ParseQuery(string(body)))
		signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
		if err == nil {
			used.Store(signed.Signatures[0].Header.KeyID)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := sandboxtest.Start(t, withKey(first, front.URL+"/token/introspection", p.issuer))
	ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second)
	defer cancel()
	calls := 0
	for ; used.Load() != "two"; calls++ {
		if calls == 3 {
			s.Document.ClientPrivateKey = second
			s.PutDocument()
		}
		if calls == 6 { // a slip of the hand: the last good document serves on
			s.Document.ClientPrivateKey = second[:100]
			s.PutDocument()
			s.Document.ClientPrivateKey = second
			wait(ctx, time.Second)
			s.PutDocument()
		}
		if got := ask(t, s, token); got != "authorized: active" {
			t.Fatalf("call %d: %s", calls, got)
		}
		if ctx.Err() != nil {
			t.Fatal("the new key is not in use after 70 seconds")
		}
		wait(ctx, 250*time.Millisecond)
	}
	t.Logf("%d calls, none failed", calls)
}

// A refused key makes the function read the secret at once.
func TestRefusedPrivateKeyIsReplacedAtOnce(t *testing.T) {
	withdrawn, current := newKey("ES256", "one"), newKey("ES256", "two")
	p := startProvider(t, registered(current))
	token := p.token(t, "opaque-backend", "")
	s := sandboxtest.Start(t, withKey(withdrawn, p.introspection(), p.issuer))
	s.Document.ClientPrivateKey = current
	s.PutDocument()
	wait(t.Context(), 6*time.Second) // the secret is read at most every five seconds
	if got := ask(t, s, token); got != "authorized: active" {
		t.Error(got)
	}
}

func TestMissingPrivateKey(t *testing.T) {
	p := startProvider(t)
	s := sandboxtest.Start(t, withKey("", p.introspection(), p.issuer))
	if got := ask(t, s, "a-token"); got != "error: secret_unavailable" {
		t.Error(got)
	}
	if log := strings.Join(s.Function.Logs(), "\n"); !strings.Contains(log, "client_private_key") {
		t.Error("the log does not name the field")
	}
}
