//go:debug rsa1024min=0

package jwt_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/reason"
)

const issuer = "https://idp.example/"

// must is for what only a broken test can make fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Keys are made once: RSA takes its time.
var (
	rsaKey   = must(rsa.GenerateKey(rand.Reader, 2048))
	otherRSA = must(rsa.GenerateKey(rand.Reader, 2048))
	p256     = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384     = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521     = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	edKey    = func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k }()
)

func published() []jose.JSONWebKey {
	return []jose.JSONWebKey{
		{KeyID: "rsa", Key: rsaKey.Public(), Use: "sig"},
		{KeyID: "rsa-256-only", Key: rsaKey.Public(), Algorithm: "RS256"},
		{KeyID: "rsa-enc", Key: rsaKey.Public(), Use: "enc"},
		{KeyID: "p256", Key: p256.Public()},
		{KeyID: "p384", Key: p384.Public()},
		{KeyID: "p521", Key: p521.Public()},
		{KeyID: "ed", Key: edKey.Public()},
	}
}

// provider publishes a key set that a test changes.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	status  int
	fetches atomic.Int32
}

func newProvider(t testing.TB) *provider {
	p := &provider{keys: published(), status: http.StatusOK}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		w.WriteHeader(p.status)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: p.keys})
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) publish(status int, keys ...jose.JSONWebKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.keys = status, keys
}

// clock is set by hand.
type clock struct{ seconds atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(c.seconds.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

func newVerifier(t testing.TB) (*jwt.Verifier, *provider, *clock) {
	p, c := newProvider(t), new(clock)
	c.seconds.Store(1700000000)
	return jwt.New(issuer, p.URL, httpclient.NewTransport(nil), c.Now), p, c
}

func defaults() map[string]any {
	return map[string]any{"iss": issuer, "exp": 1700003600, "sub": "user-1", "scope": "system/*.*", "aud": "x"}
}

func with(changes map[string]any) map[string]any {
	all := defaults()
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

func sign(algorithm jose.SignatureAlgorithm, key any, headers map[string]any, payload any) string {
	options := new(jose.SignerOptions)
	for name, value := range headers {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	text, ok := payload.(string)
	if !ok {
		text = string(must(json.Marshal(payload)))
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options))
	return must(must(signer.Sign([]byte(text))).CompactSerialize())
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func h(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func TestAccepts(t *testing.T) {
	v, p, _ := newVerifier(t)
	for name, token := range map[string]string{
		"RS256":                 sign(jose.RS256, rsaKey, h("kid", "rsa"), defaults()),
		"RS384":                 sign(jose.RS384, rsaKey, h("kid", "rsa"), defaults()),
		"RS512":                 sign(jose.RS512, rsaKey, h("kid", "rsa"), defaults()),
		"PS256":                 sign(jose.PS256, rsaKey, h("kid", "rsa"), defaults()),
		"PS384":                 sign(jose.PS384, rsaKey, h("kid", "rsa"), defaults()),
		"PS512":                 sign(jose.PS512, rsaKey, h("kid", "rsa"), defaults()),
		"ES256":                 sign(jose.ES256, p256, h("kid", "p256"), defaults()),
		"ES384":                 sign(jose.ES384, p384, h("kid", "p384"), defaults()),
		"ES512":                 sign(jose.ES512, p521, h("kid", "p521"), defaults()),
		"EdDSA":                 sign(jose.EdDSA, edKey, h("kid", "ed"), defaults()),
		"no kid":                sign(jose.ES256, p256, nil, defaults()),
		"typ JWT":               sign(jose.ES256, p256, h("kid", "p256", "typ", "JWT"), defaults()),
		"typ at+jwt":            sign(jose.ES256, p256, h("kid", "p256", "typ", "at+jwt"), defaults()),
		"typ in full":           sign(jose.ES256, p256, h("kid", "p256", "typ", "application/at+JWT"), defaults()),
		"a nonce in at+jwt":     sign(jose.ES256, p256, h("kid", "p256", "typ", "at+jwt"), with(h("nonce", "n"))),
		"Keycloak's nonce":      sign(jose.ES256, p256, h("kid", "p256", "typ", "JWT"), with(h("nonce", "n", "typ", "Bearer"))),
		"a key for one alg":     sign(jose.RS256, rsaKey, h("kid", "rsa-256-only"), defaults()),
		"jku and x5u, ignored":  sign(jose.ES256, p256, h("kid", "p256", "jku", p.URL+"/evil", "x5u", p.URL+"/evil"), defaults()),
		"another's jwk ignored": sign(jose.ES256, p256, h("kid", "p256", "jwk", jose.JSONWebKey{Key: otherRSA.Public()}), defaults()),
	} {
		set, err := v.Claims(t.Context(), token)
		if err != nil || !set.True("active") || string(set["scope"]) != `"system/*.*"` {
			t.Errorf("%s: got %s, %v", name, set, err)
		}
	}
	if got := p.fetches.Load(); got != 1 {
		t.Errorf("%d fetches, want 1: no token makes this process fetch anything else", got)
	}
}

// Attacks, and what is not this issuer's access token. None may pass.
func TestRefuses(t *testing.T) {
	v, p, _ := newVerifier(t)
	good := sign(jose.RS256, rsaKey, h("kid", "rsa"), defaults())
	parts := strings.Split(good, ".")
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey.Public()))})
	hmacWith := func(secret []byte, header string) string {
		input := segment(header) + "." + parts[1]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	rsaSigned := func(header, payload string) string {
		input := segment(header) + "." + segment(payload)
		sum := sha256.Sum256([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(must(rsa.SignPKCS1v15(rand.Reader, rsaKey, crypto.SHA256, sum[:])))
	}
	payload := string(must(json.Marshal(defaults())))
	evil := jose.JSONWebKey{KeyID: "rsa", Key: otherRSA.Public()}

	for _, test := range []struct {
		name, token string
		want        reason.Reason
	}{
		{"alg none", segment(`{"alg":"none"}`) + "." + parts[1] + ".", reason.NotJWT},
		{"alg none with a signature", segment(`{"alg":"none","kid":"rsa"}`) + "." + parts[1] + "." + parts[2], reason.Algorithm},
		{"alg nOnE", segment(`{"alg":"nOnE","kid":"rsa"}`) + "." + parts[1] + "." + parts[2], reason.Algorithm},
		{"alg missing", segment(`{"kid":"rsa"}`) + "." + parts[1] + "." + parts[2], reason.Algorithm},
		{"alg not a string", segment(`{"alg":["RS256"],"kid":"rsa"}`) + "." + parts[1] + "." + parts[2], reason.NotJWT},
		{"HMAC with the public key as PEM", hmacWith(publicPEM, `{"alg":"HS256","kid":"rsa"}`), reason.Algorithm},
		{"HMAC with the modulus", hmacWith(rsaKey.N.Bytes(), `{"alg":"HS256","kid":"rsa"}`), reason.Algorithm},
		{"HMAC that says RS256", hmacWith(publicPEM, `{"alg":"RS256","kid":"rsa"}`), reason.Signature},
		{"another's key under our kid", sign(jose.RS256, otherRSA, h("kid", "rsa"), defaults()), reason.Signature},
		{"another's key in jwk", sign(jose.RS256, otherRSA, h("kid", "rsa", "jwk", evil), defaults()), reason.Signature},
		{"another's key at jku", sign(jose.RS256, otherRSA, h("kid", "rsa", "jku", p.URL+"/evil"), defaults()), reason.Signature},
		{"another's key and no kid", sign(jose.RS256, otherRSA, nil, defaults()), reason.Signature},
		{"kid of a key of another type", sign(jose.RS256, rsaKey, h("kid", "p256"), defaults()), reason.UnknownKey},
		{"kid of a key for another curve", sign(jose.ES256, p256, h("kid", "p384"), defaults()), reason.UnknownKey},
		{"kid of a key for another alg", sign(jose.PS256, rsaKey, h("kid", "rsa-256-only"), defaults()), reason.UnknownKey},
		{"kid of a key for encryption", sign(jose.RS256, rsaKey, h("kid", "rsa-enc"), defaults()), reason.UnknownKey},
		{"kid unknown", sign(jose.RS256, rsaKey, h("kid", "nobody"), defaults()), reason.UnknownKey},
		{"kid as a path", sign(jose.RS256, rsaKey, h("kid", "../../rsa"), defaults()), reason.UnknownKey},
		{"kid off by case", sign(jose.RS256, rsaKey, h("kid", "RSA"), defaults()), reason.UnknownKey},
		{"RS256 signed, PS256 said", segment(`{"alg":"PS256","kid":"rsa"}`) + "." + parts[1] + "." + parts[2], reason.Signature},
		{"signature stripped", parts[0] + "." + parts[1] + ".", reason.NotJWT},
		{"signature and dot stripped", parts[0] + "." + parts[1], reason.NotJWT},
		{"signature cut", good[:len(good)-4], reason.Signature},
		{"payload changed", parts[0] + "." + segment(strings.Replace(payload, "user-1", "user-2", 1)) + "." + parts[2], reason.Signature},
		{"header changed", segment(`{"alg":"RS256","kid":"rsa","x":1}`) + "." + parts[1] + "." + parts[2], reason.Signature},
		{"five parts", good + ".a.b", reason.NotJWT},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, reason.NotJWT},
		{"crit", sign(jose.RS256, rsaKey, h("kid", "rsa", "crit", []string{"exp"}, "exp", 1), defaults()), reason.NotJWT},
		{"crit with b64", rsaSigned(`{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}`, payload), reason.NotJWT},
		{"crit empty", rsaSigned(`{"alg":"RS256","kid":"rsa","crit":[]}`, payload), reason.NotJWT},
		{"nested", rsaSigned(`{"alg":"RS256","kid":"rsa","cty":"JWT"}`, good), reason.NotJWT},
		{"encrypted, in three parts", rsaSigned(`{"alg":"RS256","kid":"rsa","enc":"A128GCM"}`, payload), reason.NotJWT},
		{"alg twice", rsaSigned(`{"alg":"none","alg":"RS256","kid":"rsa"}`, payload), reason.NotJWT},
		{"a header that is an array", segment(`[]`) + "." + parts[1] + "." + parts[2], reason.NotJWT},
		{"a header that is no base64url", "e!" + good, reason.NotJWT},
		{"padding", parts[0] + "==." + parts[1] + "." + parts[2], reason.NotJWT},
		{"opaque", "ory_at_abc.def", reason.NotJWT},
		{"empty", "", reason.NotJWT},
		{"1 MB", parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2], reason.NotJWT},
		{"1 MB of dots", strings.Repeat(".", 1<<20), reason.NotJWT},

		{"issuer off by its slash", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("iss", "https://idp.example"))), reason.Issuer},
		{"issuer off by one character", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("iss", "https://idp.exampl3/"))), reason.Issuer},
		{"issuer with a look-alike", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("iss", "https://idp.ex\u0430mple/"))), reason.Issuer},
		{"issuer missing", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("iss", nil))), reason.Issuer},
		{"issuer an array", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("iss", []string{issuer}))), reason.Issuer},
		{"exp missing", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("exp", nil))), reason.MalformedClaim},
		{"a claim twice", rsaSigned(`{"alg":"RS256","kid":"rsa"}`, `{"iss":"https://idp.example/","exp":1700003600,"scope":"a","scope":"system/*.*"}`), reason.MalformedClaim},
		{"claims that are an array", rsaSigned(`{"alg":"RS256","kid":"rsa"}`, `[1]`), reason.MalformedClaim},
		{"claims that are not UTF-8", rsaSigned(`{"alg":"RS256","kid":"rsa"}`, "{\"iss\":\"\xff\"}"), reason.MalformedClaim},
		{"ID token by nonce", sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("nonce", "n"))), reason.NotAccessToken},
		{"ID token by at_hash", sign(jose.RS256, rsaKey, h("kid", "rsa", "typ", "JWT"), with(h("at_hash", "n"))), reason.NotAccessToken},
		{"logout token", sign(jose.RS256, rsaKey, h("kid", "rsa", "typ", "logout+jwt"), defaults()), reason.NotAccessToken},
		{"typ with a look-alike", sign(jose.RS256, rsaKey, h("kid", "rsa", "typ", "\u0430t+jwt"), defaults()), reason.NotAccessToken},
	} {
		set, err := v.Claims(t.Context(), test.token)
		var refusal *jwt.Refusal
		if set != nil || !errors.As(err, &refusal) || refusal.Reason != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.name, set, err, test.want.Word)
		}
	}
	if got := p.fetches.Load(); got != 1 {
		t.Errorf("%d fetches right after the first, want none more", got)
	}
}

func TestActiveIsNotOverwritten(t *testing.T) {
	v, _, _ := newVerifier(t)
	set, err := v.Claims(t.Context(), sign(jose.RS256, rsaKey, h("kid", "rsa"), with(h("active", false))))
	if err != nil || set.True("active") {
		t.Errorf("got %s, %v, want the token's own word", set, err)
	}
}

// accepting returns what verifies a token so many times, and wants it accepted or not each time.
func accepting(t *testing.T, v *jwt.Verifier, times int) func(what, token string, accepted bool) {
	return func(what, token string, accepted bool) {
		t.Helper()
		for range times {
			if _, err := v.Claims(t.Context(), token); (err == nil) != accepted {
				t.Errorf("%s: got %v, want accepted %t", what, err, accepted)
			}
		}
	}
}

func TestRotation(t *testing.T) {
	v, p, c := newVerifier(t)
	next := jose.JSONWebKey{KeyID: "next", Key: otherRSA.Public()}
	old := sign(jose.RS256, rsaKey, h("kid", "rsa"), defaults())
	rotated := sign(jose.RS256, otherRSA, h("kid", "next"), defaults())
	want := accepting(t, v, 1)
	want("the known key", old, true)
	p.publish(200, append(published(), next)...)
	want("an unknown key within ten seconds of the last fetch", rotated, false)
	c.advance(10 * time.Second)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { want("a new key", rotated, true) })
	}
	wg.Wait()
	if got := p.fetches.Load(); got != 2 {
		t.Errorf("%d fetches, want one for all who wait", got)
	}

	// The provider is down: what is known serves on.
	p.publish(503)
	c.advance(24 * time.Hour)
	want("the old key while the provider is down", old, true)
	want("the new key while the provider is down", rotated, true)

	// The old key is withdrawn.
	p.publish(200, next)
	c.advance(10 * time.Minute)
	want("a withdrawn key", old, false)
	want("the one that is left", rotated, true)
}

// An issuer with one key may give it no id.
// That a token was verified is remembered for as long as the keys that did it are the issuer's, and of that token alone.
func TestVerifiedTokensAreForgottenWithTheirKeys(t *testing.T) {
	v, p, c := newVerifier(t)
	next := jose.JSONWebKey{KeyID: "next", Key: otherRSA.Public()}
	old := sign(jose.RS256, rsaKey, h("kid", "rsa"), defaults())
	rotated := sign(jose.RS256, otherRSA, h("kid", "next"), defaults())
	want := accepting(t, v, 3)
	want("the known key", old, true)
	want("another signature", old[:strings.LastIndex(old, ".")]+rotated[strings.LastIndex(rotated, "."):], false)
	want("the known key, after another signature", old, true)
	p.publish(200, next)
	c.advance(10 * time.Second)
	want("a new key, which is looked for", rotated, true)
	want("a withdrawn key", old, false)
	p.publish(200, published()...)
	c.advance(jwt.Limits.MaxAge)
	want("the first key again", old, true)
	want("the second key, withdrawn", rotated, false)
}

func TestRotationWithoutIDs(t *testing.T) {
	v, p, c := newVerifier(t)
	p.publish(200, jose.JSONWebKey{Key: rsaKey.Public()})
	old := sign(jose.RS256, rsaKey, nil, defaults())
	rotated := sign(jose.RS256, otherRSA, nil, defaults())
	if _, err := v.Claims(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	p.publish(200, jose.JSONWebKey{Key: otherRSA.Public()})
	c.advance(10 * time.Second)
	if _, err := v.Claims(t.Context(), rotated); err != nil {
		t.Errorf("the new key's token: %v", err)
	}
	for range 20 {
		if _, err := v.Claims(t.Context(), old); refused(err) != reason.Signature {
			t.Errorf("the old key's token: %v", err)
		}
	}
	if got := p.fetches.Load(); got != 2 {
		t.Errorf("%d fetches", got)
	}
}

// Forged tokens that name a known key do not use up the looks for a new one.
func TestForgeriesDoNotHideANewKey(t *testing.T) {
	v, p, c := newVerifier(t)
	forged := sign(jose.RS256, otherRSA, h("kid", "rsa"), defaults())
	if _, err := v.Claims(t.Context(), forged); refused(err) != reason.Signature {
		t.Fatal(err)
	}
	c.advance(10 * time.Second)
	if _, err := v.Claims(t.Context(), forged); refused(err) != reason.Signature {
		t.Fatal(err)
	}
	p.publish(200, append(published(), jose.JSONWebKey{KeyID: "next", Key: otherRSA.Public()})...)
	if _, err := v.Claims(t.Context(), sign(jose.RS256, otherRSA, h("kid", "next"), defaults())); err != nil {
		t.Errorf("the new key's token: %v", err)
	}
}

// While the issuer cannot be asked for a new key, a token of an unknown one is neither good nor bad.
func TestUnknownKeyWhileTheProviderIsDown(t *testing.T) {
	v, p, c := newVerifier(t)
	known := sign(jose.RS256, rsaKey, h("kid", "rsa"), defaults())
	unknown := sign(jose.RS256, otherRSA, h("kid", "next"), defaults())
	forged := sign(jose.RS256, otherRSA, h("kid", "rsa"), defaults())
	if _, err := v.Claims(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	p.publish(503)
	for range 3 { // with a fetch, and while the next one has to wait
		c.advance(4 * time.Second)
		for range 3 {
			c.advance(time.Second)
			if _, err := v.Claims(t.Context(), known); err != nil {
				t.Errorf("the known key: %v", err)
			}
			if _, err := v.Claims(t.Context(), forged); refused(err) != reason.Signature {
				t.Errorf("a forged token: %v", err)
			}
		}
	}
	if _, err := v.Claims(t.Context(), unknown); err == nil || refused(err) != (reason.Reason{}) {
		t.Errorf("an unknown key: %v, want an error that denies nothing", err)
	}
	p.publish(200, published()...)
	c.advance(10 * time.Second)
	if _, err := v.Claims(t.Context(), unknown); refused(err) != reason.UnknownKey {
		t.Errorf("an unknown key when it can be asked again: %v", err)
	}
}

// refused is a refusal's reason, or none.
func refused(err error) reason.Reason {
	if refusal := new(jwt.Refusal); errors.As(err, &refusal) {
		return refusal.Reason
	}
	return reason.Reason{}
}

func TestNoKeysDecideNothing(t *testing.T) {
	token := sign(jose.RS256, rsaKey, h("kid", "rsa"), defaults())
	for name, serve := range map[string]http.HandlerFunc{
		"503":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"HTML":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no keys":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) },
		"a symmetric key": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[{"kty":"oct","kid":"rsa","k":"c2VjcmV0"}]}`)
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 300<<10)) },
	} {
		server := httptest.NewServer(serve)
		v := jwt.New(issuer, server.URL, httpclient.NewTransport(nil), time.Now)
		set, err := v.Claims(t.Context(), token)
		var refusal *jwt.Refusal
		if set != nil || err == nil || errors.As(err, &refusal) {
			t.Errorf("%s: got %s, %v, want an error that denies nothing", name, set, err)
		}
		server.Close()
	}
}

func TestOtherKeysDoNotSpoilTheSet(t *testing.T) {
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	set := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{KeyID: "weak", Key: weak.Public()}, {KeyID: "p256", Key: p256.Public()},
	}}))
	text := strings.Replace(string(set), `"keys":[`, `"keys":[{"kty":"future","kid":"x"},{"kty":"oct","k":"AAAA"},`, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
	defer server.Close()
	v := jwt.New(issuer, server.URL, httpclient.NewTransport(nil), time.Now)
	if _, err := v.Claims(t.Context(), sign(jose.ES256, p256, h("kid", "p256"), defaults())); err != nil {
		t.Error(err)
	}
	input := segment(`{"alg":"RS256","kid":"weak"}`) + "." + segment(`{}`)
	sum := sha256.Sum256([]byte(input))
	token := input + "." + base64.RawURLEncoding.EncodeToString(must(rsa.SignPKCS1v15(rand.Reader, weak, crypto.SHA256, sum[:])))
	if _, err := v.Claims(t.Context(), token); err == nil {
		t.Error("a key of 1024 bits verifies")
	}
}

func TestLoadEndsWithTheContext(t *testing.T) {
	v, _, _ := newVerifier(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Load(ctx); err == nil {
		t.Error("no error")
	}
}

// FuzzClaims holds the invariant that no token passes but those that the issuer's key has signed.
func FuzzClaims(f *testing.F) {
	good := sign(jose.ES256, p256, h("kid", "p256"), defaults())
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, parts[0] + "." + parts[1] + ".", segment(`{"alg":"none"}`) + "." + parts[1] + ".", "a.b.c", "..",
		segment(`{"alg":"HS256","kid":"p256"}`) + "." + parts[1] + "." + parts[2], good + "A", "{}",
	} {
		f.Add(seed)
	}
	v, _, _ := newVerifier(f)
	f.Fuzz(func(t *testing.T, token string) {
		set, err := v.Claims(context.Background(), token)
		if (set == nil) == (err == nil) {
			t.Fatalf("%s and %v", set, err)
		}
		// ECDSA signatures and base64url have more than one form; the signed parts do not.
		if err == nil && !strings.HasPrefix(token, parts[0]+"."+parts[1]+".") {
			t.Fatalf("%q passes", token)
		}
	})
}
