package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/scopes"
)

// idp is a provider at an issuer with a path; tests break parts of it.
type idp struct {
	*httptest.Server
	handlers map[string]http.HandlerFunc // by path
	document map[string]any
	roots    *x509.CertPool
	asked    atomic.Int32 // introspection requests with a token
}

const issuerPath = "/realms/x"

func newIDP(t *testing.T) *idp {
	p := &idp{handlers: map[string]http.HandlerFunc{}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := p.handlers[r.URL.Path]; ok {
			h(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are the tests' aim
	p.StartTLS()
	t.Cleanup(p.Close)
	p.roots = x509.NewCertPool()
	p.roots.AddCert(p.Certificate())

	issuer := p.URL + issuerPath
	p.document = map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token",
		"introspection_endpoint": issuer + "/introspect", "jwks_uri": issuer + "/keys", "revocation_endpoint": issuer + "/revoke",
		"grant_types_supported":            []string{"authorization_code", "client_credentials"},
		"code_challenge_methods_supported": []string{"plain", "S256"},
	}
	p.handlers[issuerPath+"/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(p.document)
	}
	p.handlers[issuerPath+"/auth"] = answering(http.StatusBadRequest, "")
	p.handlers[issuerPath+"/token"] = post(answering(http.StatusBadRequest, `{"error":"invalid_request"}`))
	p.handlers[issuerPath+"/revoke"] = post(answering(http.StatusBadRequest, `{"error":"invalid_request"}`))
	p.handlers[issuerPath+"/keys"] = answering(http.StatusOK, `{"keys":[{"kty":"RSA","n":"x","e":"AQAB"}]}`)
	p.introspects(`{"active":false}`, func(token string) string {
		if token == "good" {
			return fmt.Sprintf(`{"active":true,"scope":"system/*.rs","sub":"s","iss":"https://i.example",
				"exp":%d,"ext":{"fhirUser":"Practitioner/1"}}`, time.Now().Add(time.Hour).Unix())
		}
		if token == "no-fhir" {
			return `{"active":true,"scope":"openid launch/patient patient/x","ext":{"fhirUser":"Practitioner/1"}}`
		}
		return ""
	})
	return p
}

// introspects has the endpoint answer, to those who know the password, by token, and otherwise with a text.
func (p *idp) introspects(otherwise string, byToken func(string) string) {
	p.handlers[issuerPath+"/introspect"] = post(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != "me" || secret != "s3cret-s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.PostFormValue("token") != "" {
			p.asked.Add(1)
		}
		if text := byToken(r.PostFormValue("token")); text != "" {
			fmt.Fprint(w, text)
			return
		}
		fmt.Fprint(w, otherwise)
	})
}

func post(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func (p *idp) handle(path string, h http.HandlerFunc) { p.handlers[issuerPath+path] = h }

func (p *idp) config() config.Config {
	issuer := p.URL + issuerPath
	return config.Config{
		Account: "210987654321", Region: "eu-west-2", ClientID: "me", ClientSecret: "s3cret-s3cret",
		AuthEndpoint: issuer, AuthIssuer: issuer, AuthEndpointToken: issuer + "/token",
		AuthEndpointIntrospect: issuer + "/introspect", AuthEndpointAuthorize: issuer + "/auth",
		AuthEndpointJwks: issuer + "/keys", AuthEndpointRevoke: issuer + "/revoke",
		IntrospectionAuth: "auto", GrantTypes: []string{"authorization_code", "client_credentials"},
	}
}

// certify has the server show another certificate, which is trusted, unlike a real self-signed one.
func (p *idp) certify(t *testing.T, name string, notAfter time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"},
		NotBefore: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: notAfter, BasicConstraintsValid: true, IsCA: true}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.TLS.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	p.roots.AddCert(certificate)
}

// TestBroken: each way in which a configuration and a provider can disagree gives its line.
func TestBroken(t *testing.T) {
	type rows = []string // each "<status> <check>: <part of the reason> | <part of the fix>"
	for _, test := range []struct {
		name string
		do   func(*testing.T, *idp, *config.Config)
		want rows // besides, every row must be ok or skipped
	}{
		{"nothing", func(*testing.T, *idp, *config.Config) {}, nil},
		{"wrong introspection path", func(_ *testing.T, p *idp, c *config.Config) {
			c.AuthEndpointIntrospect = p.URL + "/introspection"
		}, rows{
			"failed endpoint authEndpointIntrospect: HTTP 404 to POST, no such endpoint | set authEndpointIntrospect to <url>/realms/x/introspect",
			"warning discovery authEndpointIntrospect: the provider says <url>/realms/x/introspect | set authEndpointIntrospect to"}},
		{"introspection path of a page", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/introspect", answering(http.StatusMethodNotAllowed, ""))
		}, rows{"failed endpoint authEndpointIntrospect: HTTP 405 to POST, no such endpoint | correct authEndpointIntrospect"}},
		{"wrong secret", func(_ *testing.T, _ *idp, c *config.Config) { c.ClientSecret = "wrong" }, rows{
			"failed introspection credentials: HTTP 401: the provider refuses clientId and clientSecret (basic) | correct clientId"}},
		{"wrong method", func(_ *testing.T, _ *idp, c *config.Config) { c.IntrospectionAuth = "none" }, rows{
			"failed introspection credentials: HTTP 401: the provider refuses a request without credentials | set clientSecret"}},
		{"API key where a secret is wanted", func(_ *testing.T, _ *idp, c *config.Config) { c.SrvAPIKey = "key" }, rows{
			"failed introspection credentials: refuses srvAPIKey (bearer) | set introspectionAuth to basic"}},
		{"open to everybody", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/introspect", post(answering(http.StatusOK, `{"active":false}`)))
		}, rows{"warning introspection credentials: it did not check these | set introspectionAuth to none"}},
		{"open and meant", func(_ *testing.T, p *idp, c *config.Config) {
			c.IntrospectionAuth = "none"
			p.handle("/introspect", post(answering(http.StatusOK, `{"active":false}`)))
		}, nil},
		{"always active", func(_ *testing.T, p *idp, _ *config.Config) {
			p.introspects(`{"active":true}`, func(string) string { return "" })
		}, rows{"failed introspection of a made-up token: every token would be authorized | RFC 7662"}},
		{"active as a string", func(_ *testing.T, p *idp, _ *config.Config) {
			p.introspects(`{"active":"false"}`, func(string) string { return "" })
		}, rows{"failed introspection of a made-up token: no boolean active | RFC 7662"}},
		{"a page for people", func(_ *testing.T, p *idp, _ *config.Config) {
			p.introspects("<html>Sign in</html>", func(string) string { return "" })
		}, rows{"failed introspection credentials: not one JSON object | a web page"}},
		{"introspection redirects", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/introspect", http.RedirectHandler("https://login.example/?token=x", http.StatusFound).ServeHTTP)
		}, rows{"failed endpoint authEndpointIntrospect: a redirect to https://login.example/ | correct authEndpointIntrospect"}},
		{"introspection fails", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/introspect", answering(http.StatusInternalServerError, "secret detail"))
		}, rows{"warning endpoint authEndpointIntrospect: HTTP 500 | log",
			"failed introspection credentials: HTTP 500 | log"}},
		{"slow", func(_ *testing.T, p *idp, _ *config.Config) {
			quick := p.handlers[issuerPath+"/introspect"]
			p.handle("/introspect", func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(950 * time.Millisecond)
				quick(w, r)
			})
		}, rows{"failed introspection time: ms of 2 calls | faster"}},
		{"issuer with a slash", func(_ *testing.T, _ *idp, c *config.Config) { c.AuthIssuer += "/" }, rows{
			"failed discovery authIssuer: the slash at the end counts | set authIssuer to <url>/realms/x"}},
		{"issuer of another realm", func(_ *testing.T, p *idp, _ *config.Config) { p.document["issuer"] = p.URL + "/realms/y" },
			rows{"failed discovery authIssuer: the provider says <url>/realms/y | make preflight write"}},
		{"another token endpoint", func(_ *testing.T, p *idp, _ *config.Config) {
			p.document["token_endpoint"] = p.URL + "/elsewhere"
		}, rows{"failed discovery authEndpointToken: the provider says <url>/elsewhere | set authEndpointToken to <url>/elsewhere"}},
		{"no revocation endpoint", func(_ *testing.T, p *idp, _ *config.Config) {
			delete(p.document, "revocation_endpoint")
			delete(p.handlers, issuerPath+"/revoke")
		}, rows{"failed endpoint authEndpointRevoke: HTTP 404 | correct authEndpointRevoke",
			`warning discovery authEndpointRevoke: the provider has no revocation_endpoint | set authEndpointRevoke to ""`}},
		{"no key set named", func(_ *testing.T, p *idp, _ *config.Config) { delete(p.document, "jwks_uri") },
			rows{"failed discovery authEndpointJwks: the provider has no jwks_uri | correct authIssuer"}},
		{"grant not allowed", func(_ *testing.T, p *idp, _ *config.Config) {
			p.document["grant_types_supported"] = []string{"authorization_code"}
		},
			rows{"warning discovery grantTypes: does not support client_credentials | allow it"}},
		{"no PKCE", func(_ *testing.T, p *idp, _ *config.Config) {
			p.document["code_challenge_methods_supported"] = []string{"plain"}
		}, rows{"warning discovery PKCE: does not support S256 | turn on PKCE"}},
		{"discovery missing", func(_ *testing.T, p *idp, _ *config.Config) {
			delete(p.handlers, issuerPath+"/.well-known/openid-configuration")
		}, rows{"failed discovery document: openid-configuration: HTTP 404; <url>/.well-known/oauth-authorization-server/realms/x: HTTP 404 | correct authIssuer"}},
		{"discovery for OAuth alone", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handlers["/.well-known/oauth-authorization-server"+issuerPath] = p.handlers[issuerPath+"/.well-known/openid-configuration"]
			p.handle("/.well-known/openid-configuration", answering(http.StatusOK, "<html>"))
		}, nil},
		{"discovery redirects", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/.well-known/openid-configuration", http.RedirectHandler("/other", http.StatusMovedPermanently).ServeHTTP)
		}, rows{"failed discovery document: HTTP 301, a redirect to <url>/other | correct authIssuer"}},
		{"keys not JSON", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/keys", answering(http.StatusOK, "<html>"))
		}, rows{"failed JWKS authEndpointJwks: not a JSON object | correct authEndpointJwks"}},
		{"no keys", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/keys", answering(http.StatusOK, `{"keys":[]}`))
		}, rows{"failed JWKS authEndpointJwks: no array of keys | correct authEndpointJwks"}},
		{"key without a type", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/keys", answering(http.StatusOK, `{"keys":[{}]}`))
		}, rows{"failed JWKS authEndpointJwks: a key has no kty | correct the keys"}},
		{"private key published", func(_ *testing.T, p *idp, _ *config.Config) {
			p.handle("/keys", answering(http.StatusOK, `{"keys":[{"kty":"RSA","d":"x"}]}`))
		}, rows{"failed JWKS authEndpointJwks: a private or symmetric key is published | at once"}},
		{"key set elsewhere", func(_ *testing.T, p *idp, c *config.Config) { c.AuthEndpointJwks = p.URL + "/.well-known/jwks.json" },
			rows{"failed discovery authEndpointJwks: the provider says <url>/realms/x/keys | make preflight write",
				"failed JWKS authEndpointJwks: HTTP 404 | set authEndpointJwks to <url>/realms/x/keys"}},
		{"no registration", func(_ *testing.T, p *idp, c *config.Config) { c.AuthEndpointRegister = p.URL + "/register" },
			rows{"warning endpoint authEndpointRegister: HTTP 404 | correct authEndpointRegister",
				"failed discovery authEndpointRegister: the provider has no registration_endpoint | authEndpointRegister"}},
		{"host that does not resolve", func(_ *testing.T, _ *idp, c *config.Config) {
			c.AuthEndpointToken = "https://idp.invalid/token"
		}, rows{"failed endpoint authEndpointToken: the host idp.invalid | correct authEndpointToken",
			"failed discovery authEndpointToken: idp.invalid | set authEndpointToken"}},
		{"nothing listens", func(_ *testing.T, p *idp, c *config.Config) {
			c.AuthEndpointAuthorize = "https://127.0.0.1:1/auth"
			p.document["authorization_endpoint"] = c.AuthEndpointAuthorize
		}, rows{"failed endpoint authEndpointAuthorize: 127.0.0.1:1: nothing listens there | correct authEndpointAuthorize"}},
		{"unencrypted", func(t *testing.T, p *idp, c *config.Config) {
			plain := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(plain.Close)
			c.AuthEndpointRevoke = strings.Replace(plain.URL, "http:", "https:", 1) + "/revoke"
			p.document["revocation_endpoint"] = c.AuthEndpointRevoke
		}, rows{"failed endpoint authEndpointRevoke: the response is not TLS | correct the port in authEndpointRevoke"}},
		{"expired certificate", func(t *testing.T, p *idp, _ *config.Config) {
			p.certify(t, "127.0.0.1", time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC))
		}, every("the certificate expired on 2020-02-03 | renew")},
		{"certificate of another host", func(t *testing.T, p *idp, _ *config.Config) {
			p.certify(t, "idp.example", time.Now().Add(1000*time.Hour))
		}, every("the certificate is not for 127.0.0.1 | correct the host")},
		{"certificate of an unknown authority", func(t *testing.T, p *idp, _ *config.Config) { p.roots = x509.NewCertPool() },
			every("an authority that is not trusted | authCaBundle")},
		{"certificate that ends soon", func(t *testing.T, p *idp, _ *config.Config) {
			p.certify(t, "127.0.0.1", time.Now().Add(24*time.Hour))
		}, func() (l rows) {
			for _, key := range []string{"", "Authorize", "Token", "Introspect", "Revoke"} {
				l = append(l, "warning endpoint authEndpoint"+key+": the certificate expires on | renew it")
			}
			return l
		}()},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newIDP(t)
			cfg := p.config()
			test.do(t, p, &cfg)
			var l checklist.List
			New(cfg, Options{Roots: p.roots, Calls: 2}).Check(context.Background(), &l)
			test.want = append(test.want, "warning private endpoints: only this machine | deploy")
			if test.name == "expired certificate" || strings.HasPrefix(test.name, "certificate of") {
				test.want = test.want[:len(test.want)-1] // no connection, no address
			}
			compare(t, l, test.want, p.URL)
		})
	}
}

// every is what a provider that cannot be reached at all gives.
func every(fault string) (l []string) {
	for _, key := range []string{"", "Authorize", "Token", "Introspect", "Revoke"} {
		l = append(l, "failed endpoint authEndpoint"+key+": "+fault)
	}
	cause, _, _ := strings.Cut(fault, " | ")
	return append(l, "failed discovery document: "+cause+" | correct authIssuer", "failed JWKS authEndpointJwks: "+fault)
}

// compare holds the rows that are neither ok nor skipped against those wanted.
func compare(t *testing.T, l checklist.List, want []string, url string) {
	t.Helper()
	matched := map[int]bool{}
	for _, w := range want {
		w = strings.ReplaceAll(w, "<url>", url)
		head, rest, _ := strings.Cut(w, ": ")
		reason, fix, _ := strings.Cut(rest, " | ")
		found := false
		for i, r := range l {
			if string(r.Status)+" "+r.Check == head && strings.Contains(r.Reason, reason) && strings.Contains(r.Fix, fix) {
				found, matched[i] = true, true
			}
		}
		if !found {
			t.Errorf("no row %s", w)
		}
	}
	for i, r := range l {
		if (r.Status == checklist.Failed || r.Status == checklist.Warning) && !matched[i] {
			t.Errorf("unexpected row %+v", r)
		}
		if text := fmt.Sprint(r); strings.Contains(text, "s3cret") || strings.Contains(text, "token=") || strings.Contains(text, "detail") {
			t.Errorf("a secret in %+v", r)
		}
	}
	if t.Failed() {
		var b strings.Builder
		_ = l.Table(&b)
		t.Log("\n" + b.String())
	}
}

func row(t *testing.T, l checklist.List, check string) checklist.Row {
	t.Helper()
	for _, r := range l {
		if r.Check == check {
			return r
		}
	}
	t.Fatalf("no row %s in %v", check, l)
	return checklist.Row{}
}

func privateKey() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestSecretsFromElsewhere(t *testing.T) {
	reference := "{{resolve:secretsmanager:idp:SecretString:secret}}"
	for _, test := range []struct {
		name    string
		change  func(*config.Config)
		secrets Secrets
		status  checklist.Status
		reason  string
	}{
		{"environment", func(c *config.Config) { c.ClientSecret = "" }, Secrets{ClientSecret: "s3cret-s3cret"}, checklist.OK, "basic"},
		{"environment for a reference", func(c *config.Config) { c.ClientSecret = reference },
			Secrets{ClientSecret: "s3cret-s3cret"}, checklist.OK, "basic"},
		{"the context comes first", func(*config.Config) {}, Secrets{ClientSecret: "wrong"}, checklist.OK, "basic"},
		{"reference", func(c *config.Config) { c.ClientSecret = reference }, Secrets{}, checklist.Skipped, "CLIENT_SECRET"},
		{"reference to a key", func(c *config.Config) { c.SrvAPIKey = reference }, Secrets{}, checklist.Skipped, "SRV_API_KEY"},
		{"key from the environment", func(*config.Config) {}, Secrets{APIKey: "k"}, checklist.Failed, "srvAPIKey (bearer)"},
		{"basic without a secret", func(c *config.Config) { c.IntrospectionAuth, c.ClientSecret = "basic", "" }, Secrets{},
			checklist.Skipped, "clientSecret is not in the context"},
		{"bearer without a key", func(c *config.Config) { c.IntrospectionAuth = "bearer" }, Secrets{},
			checklist.Skipped, "srvAPIKey is not in the context"},
		{"private key", func(c *config.Config) { c.IntrospectionAuth = "private_key_jwt" }, Secrets{PrivateKey: privateKey()},
			checklist.Failed, "refuses clientId and the private key (private_key_jwt)"},
		{"no private key", func(c *config.Config) { c.IntrospectionAuth = "private_key_jwt" }, Secrets{},
			checklist.Skipped, "CLIENT_PRIVATE_KEY is not in the environment"},
		{"half of a private key", func(c *config.Config) { c.IntrospectionAuth = "private_key_jwt" },
			Secrets{PrivateKey: privateKey()[:80]}, checklist.Skipped, "CLIENT_PRIVATE_KEY: the private key must be one PEM block"},
		{"key not needed", func(c *config.Config) { c.IntrospectionAuth, c.SrvAPIKey = "basic", reference }, Secrets{},
			checklist.OK, "basic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newIDP(t)
			cfg := p.config()
			test.change(&cfg)
			var l checklist.List
			New(cfg, Options{Secrets: test.secrets, Roots: p.roots, Calls: 1}).Check(context.Background(), &l)
			if r := row(t, l, checkCredentials); r.Status != test.status || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("got %+v, want %s with %s", r, test.status, test.reason)
			}
			if test.status == checklist.Skipped && p.asked.Load() != 0 {
				t.Error("asked all the same")
			}
		})
	}
}

func TestCallsAreTimed(t *testing.T) {
	p := newIDP(t)
	var l checklist.List
	New(p.config(), Options{Roots: p.roots, Calls: 20}).Check(context.Background(), &l)
	if r := row(t, l, checkLatency); !strings.Contains(r.Reason, "of 20 calls") {
		t.Errorf("got %+v", r)
	}
	if p.asked.Load() < 21 {
		t.Errorf("%d requests, want the made-up token and 20 more", p.asked.Load())
	}
}

func TestJudgeLatency(t *testing.T) {
	many := func(n int, quick, slowest time.Duration) (l []time.Duration) {
		for range n - 1 {
			l = append(l, quick)
		}
		return append([]time.Duration{slowest}, l...)
	}
	for _, test := range []struct {
		took []time.Duration
		want checklist.Status
		text string
	}{
		{many(20, 10*time.Millisecond, 300*time.Millisecond), checklist.OK, "p50 10 ms, p99 300 ms of 20 calls"},
		{many(20, 10*time.Millisecond, 301*time.Millisecond), checklist.Warning, "p50 10 ms, p99 301 ms"},
		{many(20, 10*time.Millisecond, 900*time.Millisecond), checklist.Warning, "p99 900 ms"},
		{many(20, 10*time.Millisecond, 901*time.Millisecond), checklist.Failed, "p99 901 ms"},
		{many(200, 10*time.Millisecond, 901*time.Millisecond), checklist.OK, "p99 10 ms of 200 calls"},
		{many(1, 0, 20*time.Millisecond), checklist.OK, "p50 20 ms, p99 20 ms of 1 call from"},
	} {
		var l checklist.List
		judgeLatency(test.took, &l)
		if l[0].Status != test.want || !strings.Contains(l[0].Reason, test.text) {
			t.Errorf("got %+v, want %s %s", l[0], test.want, test.text)
		}
	}
}

func TestToken(t *testing.T) {
	const endpoint = "https://healthlake.eu-west-2.amazonaws.com/datastore/1/r4/"
	for _, test := range []struct {
		name, token string
		change      func(*config.Config)
		status      checklist.Status
		reason      string
		authorized  any
	}{
		{"good", "good", func(*config.Config) {}, checklist.OK, "authorized", true},
		{"no scope for FHIR", "no-fhir", func(*config.Config) {}, checklist.Warning,
			"authorized, but none of its scopes is for FHIR resources", true},
		{"unknown", "bad", func(*config.Config) {}, checklist.Warning, "denied: inactive", false},
		{"audience", "good", func(c *config.Config) { c.RequiredAudience = []string{"datastore"} }, checklist.Warning,
			`Got "", want datastore.`, false},
		{"issuer", "good", func(c *config.Config) { c.TrustedIssuers = []string{"https://other.example"} }, checklist.Warning,
			`Got "https://i.example", want https://other.example.`, false},
		{"a space in it", "Bearer good", func(*config.Config) {}, checklist.Warning, "denied: malformed_token", false},
		{"scope", "good", func(c *config.Config) { c.RequiredScope = []string{"nobody-has-it"} }, checklist.Warning,
			"denied: scope_not_granted", false},
		{"opaque, with jwt", "good", func(c *config.Config) { c.TokenValidation = config.TokenValidationJWT }, checklist.Warning,
			"denied: not_a_jwt", false},
		{"refused", "good", func(c *config.Config) { c.ClientSecret = "wrong" }, checklist.Failed, "HTTP 401", nil},
		{"secret unknown", "good", func(c *config.Config) { c.ClientSecret = "{{resolve:secretsmanager:x}}" }, checklist.Skipped,
			"CloudFormation", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newIDP(t)
			cfg := p.config()
			test.change(&cfg)
			var l checklist.List
			text := New(cfg, Options{Roots: p.roots, Calls: 1}).Token(context.Background(), test.token, endpoint, time.Now(), &l)
			if r := row(t, l, checkToken); r.Status != test.status || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("got %+v", r)
			}
			var answer struct {
				AuthPayload map[string]any
				IAMRoleARN  string
			}
			if text == nil {
				if test.authorized != nil {
					t.Error("no answer")
				}
				return
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				t.Fatal(err)
			}
			if answer.AuthPayload["isAuthorized"] != test.authorized || answer.AuthPayload["aud"] != endpoint ||
				answer.AuthPayload["iss"] != cfg.AuthEndpointToken || answer.IAMRoleARN != cfg.Document().RoleARN(scopes.AccessOf(fmt.Sprint(answer.AuthPayload["scope"]))) {
				t.Errorf("got %s", text)
			}
			if test.authorized == true && answer.AuthPayload["fhirUser"] != "Practitioner/1" {
				t.Errorf("no launch context: %s", text)
			}
		})
	}
}

func TestDocumentURLs(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://i.example":     "https://i.example/.well-known/openid-configuration https://i.example/.well-known/oauth-authorization-server",
		"https://i.example/":    "https://i.example/.well-known/openid-configuration https://i.example/.well-known/oauth-authorization-server",
		"https://i.example/a/b": "https://i.example/a/b/.well-known/openid-configuration https://i.example/.well-known/oauth-authorization-server/a/b",
	} {
		got, err := documentURLs(issuer)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v", issuer, got, err)
		}
	}
	if _, err := documentURLs("i.example"); err == nil {
		t.Error("i.example is no URL")
	}
}
