package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/contract"
)

// The decision about a token that was verified is the one about a token that was introspected.
func TestInvokeWithVerification(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	up := true
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: key.Public()}}})
	}))
	defer provider.Close()
	const issuer = "https://idp.example/"
	token := func(claims string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{KeyID: "k", Key: key}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	newVerifying := func(t *testing.T) (*handler, *bytes.Buffer) {
		h, _, log := startHandler(t, nil)
		h.checker = newChecker(t, contract.Environment{
			TokenValidation: contract.TokenValidationJWT, AuthIssuer: issuer, AuthEndpointJwks: provider.URL,
			RequiredAudience: []string{"datastore"},
		}, nil, func() time.Time { return now })
		h.auditClaims = contract.DefaultAuditClaims
		return h, log
	}

	const good = `"iss":"https://idp.example/","aud":["` + endpoint + `"],"iat":1700584400,"exp":1700588100,"azp":"app","jti":"t1",` +
		`"scope":"patient/Observation.rs?category=laboratory&status=final"`
	for _, test := range []struct {
		name, token, reason string
	}{
		{"a good token", token(`{` + good + `,"fhirUser":"Practitioner/42"}`), "active"},
		{"an expired token", token(`{` + strings.Replace(good, "1700588100", "1700584500", 1) + `}`), "expired"},
		{"a token of tomorrow", token(`{` + good + `,"nbf":1700670900}`), "not_yet_valid"},
		{"another audience", token(`{` + strings.Replace(good, "/abc/", "/abcd/", 1) + `}`), "audience_not_accepted"},
		{"another issuer", token(`{` + strings.Replace(good, "idp.", "idq.", 1) + `}`), "issuer_not_trusted"},
		{"a refresh token", token(`{` + good + `,"token_use":"refresh"}`), "not_an_access_token"},
		{"an ID token", token(`{` + good + `,"at_hash":"x"}`), "not_an_access_token"},
		{"an opaque token", theToken, "not_a_jwt"},
		{"a changed token", token(`{`+good+`}`) + "AAAA", "bad_signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, log := newVerifying(t)
			response, err := invoke(t, h, eventWith(test.token))
			if err != nil {
				t.Fatal(err)
			}
			if authorized := strings.Contains(response, `"isAuthorized":true`); authorized != (test.reason == "active") {
				t.Errorf("got %s", response)
			}
			if test.reason == "active" && !strings.Contains(response, `"scope":"patient/Observation.rs?category=laboratory&status=final"`) {
				t.Errorf("got %s, want the scope byte for byte", response)
			}
			line := logLine(t, log)
			if line["reason"] != test.reason {
				t.Errorf("log: %v, want %s", line["reason"], test.reason)
			}
			// What is not signed by the provider is nobody's word.
			var client, id any = "app", "t1"
			if test.reason == "not_a_jwt" || test.reason == "bad_signature" {
				client, id = nil, nil
			}
			if line["client_id"] != client || line["jti"] != id {
				t.Errorf("log: client_id %v, jti %v", line["client_id"], line["jti"])
			}
			mismatch := test.reason == "issuer_not_trusted" || test.reason == "audience_not_accepted"
			if mismatch != (line["got"] != nil && line["want"] != nil) {
				t.Errorf("log: got %v, want %v", line["got"], line["want"])
			}
		})
	}

	t.Run("no keys", func(t *testing.T) {
		up = false
		h, log := newVerifying(t)
		if response, err := invoke(t, h, eventWith(token(`{`+good+`}`))); err == nil {
			t.Errorf("got %s, want an error", response)
		}
		if got := logLine(t, log)["reason"]; got != "keys_unavailable" {
			t.Errorf("log: %v", got)
		}
		if err := h.warmUp(); err == nil {
			t.Error("a start without keys goes unnoticed")
		}
	})
}
