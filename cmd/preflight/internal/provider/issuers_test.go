package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
)

// newIssuer is a second provider, whose certificate the first one's roots vouch for too, and its entry in moreIssuers.
func newIssuer(t *testing.T, main *idp) (*idp, contract.Issuer, *clientauth.Key) {
	t.Helper()
	p := newIDP(t)
	main.roots.AddCert(p.Certificate())
	key, err := clientauth.ParseKey(privateKey())
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	p.handlers[issuerPath+"/keys"] = answering(http.StatusOK, `{"keys":[`+string(public)+`]}`)
	return p, contract.Issuer{Issuer: p.URL + issuerPath, JWKS: p.URL + issuerPath + "/keys", RequiredAudience: []string{"for-issuer"}}, key
}

func TestIssuers(t *testing.T) {
	for name, test := range map[string]struct {
		do             func(*idp, *contract.Issuer)
		document, keys string // "<status>: <part of the reason> | <part of the fix>"
	}{
		"good": {func(*idp, *contract.Issuer) {}, "ok: openid-configuration | ", "ok: 1 key | "},
		"a slash too many": {func(_ *idp, i *contract.Issuer) { i.Issuer += "/" },
			"failed: the slash at the end counts | set issuer in moreIssuers to https://", "ok: 1 key | "},
		"no document": {func(p *idp, _ *contract.Issuer) { delete(p.handlers, issuerPath+"/.well-known/openid-configuration") },
			"warning: HTTP 404 | unless this issuer has no discovery document", "ok: 1 key | "},
		"other keys": {func(p *idp, _ *contract.Issuer) { p.document["jwks_uri"] = "https://other.example/keys" },
			"warning: the provider says https://other.example/keys | set jwks in moreIssuers to https://other.example/keys", "ok: 1 key | "},
		"no keys": {func(p *idp, _ *contract.Issuer) { p.handlers[issuerPath+"/keys"] = answering(http.StatusNotFound, "") },
			"ok:  | ", "failed: HTTP 404 | correct jwks in moreIssuers"},
		"keys that cannot verify": {func(p *idp, _ *contract.Issuer) {
			p.handlers[issuerPath+"/keys"] = answering(http.StatusOK, `{"keys":[{"kty":"RSA","n":"x","e":"AQAB"}]}`)
		}, "ok:  | ", "failed: no key that could verify a signature | correct the keys that the issuer publishes"},
		"a private key": {func(p *idp, _ *contract.Issuer) {
			p.handlers[issuerPath+"/keys"] = answering(http.StatusOK, `{"keys":[{"kty":"RSA","n":"x","e":"AQAB","d":"x"}]}`)
		}, "ok:  | ", "failed: a private or symmetric key is published | replace that key at once"},
		"down": {func(p *idp, _ *contract.Issuer) { p.Close() }, "warning: nothing listens there | ", "failed: nothing listens there | jwks in moreIssuers"},
	} {
		t.Run(name, func(t *testing.T) {
			main := newIDP(t)
			other, entry, _ := newIssuer(t, main)
			test.do(other, &entry)
			cfg := main.config()
			cfg.MoreIssuers = []contract.Issuer{entry}
			var l checklist.List
			New(cfg, Options{Roots: main.roots, Calls: 1}).Check(context.Background(), &l)
			for check, want := range map[string]string{"issuer " + entry.Issuer: test.document, "JWKS of " + entry.Issuer: test.keys} {
				status, rest, _ := strings.Cut(want, ": ")
				reason, fix, _ := strings.Cut(rest, " | ")
				if r := row(t, l, check); string(r.Status) != status || !strings.Contains(r.Reason, reason) || !strings.Contains(r.Fix, fix) {
					t.Errorf("got %+v, want %s", r, want)
				}
			}
		})
	}
}

// The token of another issuer needs no credentials at the main provider.
func TestTokenOfAnotherIssuer(t *testing.T) {
	main := newIDP(t)
	_, entry, key := newIssuer(t, main)
	cfg := main.config()
	cfg.MoreIssuers, cfg.ClientSecret = []contract.Issuer{entry}, "{{resolve:secretsmanager:x}}"
	private, err := key.JWK()
	if err != nil {
		t.Fatal(err)
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(private); err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: parsed}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for audience, want := range map[string]string{
		"for-issuer": "authorized by the keys and rules of " + entry.Issuer,
		"for-main":   "denied by the keys and rules of " + entry.Issuer + ": audience_not_accepted",
	} {
		payload, err := json.Marshal(map[string]any{"iss": entry.Issuer, "aud": audience, "exp": time.Now().Unix() + 60, "scope": "system/*.rs"})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		var l checklist.List
		New(cfg, Options{Roots: main.roots, Calls: 1}).Token(context.Background(), token, "https://datastore/r4/", time.Now(), &l)
		if r := row(t, l, checkToken); !strings.HasPrefix(r.Reason, want) {
			t.Errorf("got %+v, want %s", r, want)
		}
	}
	if main.asked.Load() != 0 {
		t.Error("the main provider was asked")
	}
}
