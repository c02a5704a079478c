package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

const scope = "launch/patient patient/Observation.rs?category=laboratory&status=final offline_access"

var launch = Launch{
	Scope:    scope,
	Audience: []string{"https://fhir.example.com/r4/", "https://other.example.com/"},
	Subject:  "user-1",
	Ext:      map[string]any{"fhirUser": "Practitioner/p1", "patient": "pat-17"},
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func introspect(t *testing.T, s *Server, token string, change func(*http.Request)) (int, map[string]any) {
	t.Helper()
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	body := strings.NewReader(form.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.IntrospectURL(), body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(r)
	}
	response, err := s.httpClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

func authorize(t *testing.T, s *Server) *oauth2.Token {
	t.Helper()
	token, err := s.AuthorizationCode(t.Context(), launch)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAuthorizationCode(t *testing.T) {
	s := start(t, Config{})
	before := time.Now().Unix()
	token := authorize(t, s)
	status, answer := introspect(t, s, token.AccessToken, nil)
	if status != http.StatusOK {
		t.Fatalf("status %d: %v", status, answer)
	}
	exp, iat := answer["exp"].(float64), answer["iat"].(float64)
	if int64(iat) < before || exp < iat+3590 || exp > iat+3610 || answer["nbf"] != iat {
		t.Errorf("iat %v, nbf %v, exp %v", iat, answer["nbf"], exp)
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		delete(answer, name)
	}
	want := map[string]any{
		"active": true, "scope": scope, "client_id": "local-app", "sub": "user-1", "iss": s.URL(),
		"aud": []any{"https://fhir.example.com/r4/", "https://other.example.com/"}, "token_type": "Bearer",
		"token_use": "access_token", "ext": map[string]any{"fhirUser": "Practitioner/p1", "patient": "pat-17"},
	}
	if !reflect.DeepEqual(answer, want) {
		t.Errorf("answer\n%v, want\n%v", answer, want)
	}
}

func TestRefreshToken(t *testing.T) {
	s := start(t, Config{})
	first := authorize(t, s)
	if _, answer := introspect(t, s, first.RefreshToken, nil); answer["active"] != true ||
		answer["token_use"] != "refresh_token" || answer["token_type"] != "" {
		t.Errorf("a refresh token is introspected as %v", answer)
	}
	second, err := s.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, answer := introspect(t, s, second.AccessToken, nil); answer["active"] != true || answer["scope"] != scope ||
		!reflect.DeepEqual(answer["ext"], map[string]any{"fhirUser": "Practitioner/p1", "patient": "pat-17"}) {
		t.Errorf("a refreshed token is introspected as %v", answer)
	}
	if _, err := s.Refresh(t.Context(), first.RefreshToken); err == nil {
		t.Error("a refresh token was good twice")
	}
}

func TestInactive(t *testing.T) {
	s := start(t, Config{})
	revoked := authorize(t, s).AccessToken
	if err := s.Revoke(t.Context(), revoked); err != nil {
		t.Fatal(err)
	}
	short, err := s.ClientCredentials(t.Context(), Grant{Scope: "system/*.rs", ShortLived: true})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(ShortLifespan + 10*time.Millisecond)
	for name, token := range map[string]string{
		"revoked": revoked, "expired": short.AccessToken, "made-up": "ory_at_a.b",
	} {
		status, answer := introspect(t, s, token, nil)
		if status != http.StatusOK || !reflect.DeepEqual(answer, map[string]any{"active": false}) {
			t.Errorf("%s: status %d, answer %v", name, status, answer)
		}
	}
}

func TestIntrospectionAuth(t *testing.T) {
	const id, secret = "client:1 é", "a+b&c=d%/ü"
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer key-1") }
	basic := func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
	rawBasic := func(r *http.Request) { r.SetBasicAuth(id, secret) }
	tests := []struct {
		auth   Auth
		name   string
		change func(*http.Request)
		want   int
	}{
		{AuthNone, "nothing", nil, 200},
		{AuthNone, "credentials nobody asked for", bearer, 401},
		{AuthBearer, "the key", bearer, 200},
		{AuthBearer, "nothing", nil, 401},
		{AuthBearer, "another key", func(r *http.Request) { r.Header.Set("Authorization", "Bearer key-2") }, 401},
		{AuthBasic, "encoded", basic, 200},
		{AuthBasic, "not encoded", rawBasic, 401},
		{AuthBasic, "nothing", nil, 401},
		{AuthPost, "in the header", basic, 401},
		{AuthPost, "nothing", nil, 401},
	}
	for _, test := range tests {
		t.Run(string(test.auth)+" "+test.name, func(t *testing.T) {
			s := start(t, Config{Auth: test.auth, APIKey: "key-1", ClientID: id, ClientSecret: secret})
			if status, answer := introspect(t, s, "x", test.change); status != test.want {
				t.Errorf("status %d, want %d: %v", status, test.want, answer)
			}
		})
	}
	t.Run("post in the form", func(t *testing.T) {
		s := start(t, Config{Auth: AuthPost, ClientID: id, ClientSecret: secret})
		response, err := s.httpClient.PostForm(s.IntrospectURL(),
			url.Values{"token": {"x"}, "client_id": {id}, "client_secret": {secret}})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("status %s", response.Status)
		}
	})
	if _, err := Start(Config{Auth: "digest"}); err == nil {
		t.Error("an unknown way was taken")
	}
}

func TestStopAndResume(t *testing.T) {
	s := start(t, Config{})
	token := authorize(t, s)
	address := s.URL()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AuthorizationCode(t.Context(), launch); err == nil {
		t.Error("a stopped server gave a token")
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, answer := introspect(t, s, token.AccessToken, nil); answer["active"] != true || s.URL() != address {
		t.Errorf("after resuming at %s (was %s): %v", s.URL(), address, answer)
	}
	if requests, connections := s.Introspections(); requests != 1 || connections != 1 {
		t.Errorf("counted %d requests on %d connections, want 1 on 1", requests, connections)
	}
}

// A token is verified here by what the server shows of its keys alone.
func TestKeys(t *testing.T) {
	s := start(t, Config{})
	rsaKey, err := NewRSAKey("r", 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := NewECKey("e")
	if err != nil {
		t.Fatal(err)
	}
	s.SetKeys(rsaKey, ecKey)
	response, err := s.httpClient.Get(s.KeysURL())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var shown struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&shown); err != nil || len(shown.Keys) != 2 {
		t.Fatalf("%v, %v", shown, err)
	}
	number := func(text string) *big.Int { return new(big.Int).SetBytes(unbase64(t, text)) }
	for i, key := range []Key{rsaKey, ecKey} {
		token, err := key.Sign([]byte(`{"a":1}`), []byte(`{"b":2}`))
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(token, ".")
		if len(parts) != 3 || string(unbase64(t, parts[0])) != `{"a":1}` || string(unbase64(t, parts[1])) != `{"b":2}` {
			t.Fatalf("token %s", token)
		}
		hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, jwk := unbase64(t, parts[2]), shown.Keys[i]
		var good bool
		switch jwk["kty"] {
		case "RSA":
			public := &rsa.PublicKey{N: number(jwk["n"]), E: int(number(jwk["e"]).Int64())}
			good = rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], signature) == nil
		case "EC":
			point := append([]byte{4}, append(unbase64(t, jwk["x"]), unbase64(t, jwk["y"])...)...)
			public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
			if err != nil {
				t.Fatal(err)
			}
			r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
			good = ecdsa.Verify(public, hash[:], r, s)
		}
		if !good || jwk["kid"] != key.ID {
			t.Errorf("%s: not verified by %v", key.Algorithm(), jwk)
		}
	}
	if got := s.KeyRequests(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
