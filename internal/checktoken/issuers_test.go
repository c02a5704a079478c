package checktoken_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/jwt"
)

const endpoint = "https://healthlake.us-east-1.amazonaws.com/datastore/abc/r4/"

var now = time.Unix(1700584500, 0)

// must is for what only a broken test can make fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// issuer is a provider that publishes one key. All have the same key id.
type issuer struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	fetches atomic.Int32
	broken  atomic.Bool
}

const keyID = "one"

func newIssuer(t testing.TB) *issuer {
	i := &issuer{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		if i.broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: keyID, Key: i.key.Public()}}})
	}))
	t.Cleanup(i.Close)
	return i
}

type object = map[string]any

// token is signed by the issuer's key, with these claims beside what a token needs.
func (i *issuer) token(claims object) string {
	all := object{"exp": now.Unix() + 600, "scope": "system/*.rs"}
	maps.Copy(all, claims)
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: keyID}}, nil))
	signed := must(signer.Sign(must(json.Marshal(all))))
	return must(signed.CompactSerialize())
}

// several is a deployment with a main provider and two other issuers, of which the first's name begins like the second's.
type several struct {
	main, a, b *issuer
	asked      atomic.Int32 // introspections
	answer     atomic.Value // to introspections
	checker    *checktoken.Checker
	document   contract.Document
}

const (
	nameMain = "https://main.example"
	nameA    = "https://idp.example/realms/a"
	nameB    = "https://idp.example/realms/a-b"
)

func startSeveral(t testing.TB, validation string) *several {
	s := &several{main: newIssuer(t), a: newIssuer(t), b: newIssuer(t)}
	s.answer.Store(`{"active": false}`)
	introspection := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		fmt.Fprint(w, s.answer.Load())
	}))
	t.Cleanup(introspection.Close)
	e := contract.Environment{
		TokenValidation: validation, IntrospectionAuth: "none", IntrospectionOrigin: introspection.URL,
		RequiredAudience: []string{"for-main"}, ClaimNames: map[string]string{"fhirUser": "main-user"},
		MoreIssuers: []contract.Issuer{
			{Issuer: nameA, JWKS: s.a.URL, RequiredAudience: []string{"for-a"}, ClaimNames: map[string]string{"fhirUser": "a-user"}},
			{Issuer: nameB, JWKS: s.b.URL, RequiredAudience: []string{"for-b"}, RequiredScope: []string{"system/*.rs"}},
		},
	}
	if validation == contract.TokenValidationJWT {
		e.AuthIssuer, e.AuthEndpointJwks = nameMain, s.main.URL
	}
	s.checker = must(checktoken.New(e, httpclient.NewTransport(nil), func() time.Time { return now }))
	s.document = contract.Document{AuthEndpointToken: "https://main.example/token", AuthEndpointIntrospect: introspection.URL,
		HLRoleARN: "arn:role"}
	return s
}

// check returns the reason and whose rules decided.
func (s *several) check(t testing.TB, token string) (string, string) {
	t.Helper()
	result, err := s.checker.Check(context.Background(), token, endpoint, s.document)
	if failure, ok := err.(*checktoken.Error); ok {
		return failure.Reason.Word, result.Provider.Issuer
	}
	if err != nil {
		t.Fatal(err)
	}
	payload := string(must(result.Response.JSON()))
	if strings.Contains(payload, `"isAuthorized":true`) != (result.Decision.Reason.Word == "active") {
		t.Errorf("%s with reason %s", payload, result.Decision.Reason.Word)
	}
	if !strings.Contains(payload, `"iss":"https://main.example/token"`) {
		t.Errorf("the response's iss is not the token endpoint: %s", payload)
	}
	return result.Decision.Reason.Word, result.Provider.Issuer
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestWhoDecides(t *testing.T) {
	introspected, verified := contract.TokenValidationIntrospection, contract.TokenValidationJWT
	for _, validation := range []string{introspected, verified} {
		s := startSeveral(t, validation)
		fromA := s.a.token(object{"iss": nameA, "aud": "for-a"})
		parts := strings.Split(fromA, ".")
		for _, test := range []struct {
			name, token string
			reason      string // "": any by which the main way denies a token that it does not know
			issuer      string
		}{
			{"a's token", fromA, "active", nameA},
			{"b's token", s.b.token(object{"iss": nameB, "aud": "for-b"}), "active", nameB},
			{"b's token without b's scope", s.b.token(object{"iss": nameB, "aud": "for-b", "scope": "x"}), "scope_not_granted", nameB},
			// Keys: all have one id.
			{"a's issuer, b's key", s.b.token(object{"iss": nameA, "aud": "for-a"}), "bad_signature", nameA},
			{"a's issuer, the main provider's key", s.main.token(object{"iss": nameA, "aud": "for-a"}), "bad_signature", nameA},
			{"b's issuer, a's key", s.a.token(object{"iss": nameB, "aud": "for-b"}), "bad_signature", nameB},
			{"the main issuer, a's key", s.a.token(object{"iss": nameMain, "aud": "for-main"}), "", contract.MainIssuer},
			// Audiences.
			{"a's token for b", s.a.token(object{"iss": nameA, "aud": "for-b"}), "audience_not_accepted", nameA},
			{"a's token for the main API", s.a.token(object{"iss": nameA, "aud": "for-main"}), "audience_not_accepted", nameA},
			{"a's token for nobody", s.a.token(object{"iss": nameA}), "audience_not_accepted", nameA},
			// Names that are nearly one.
			{"a's issuer with a slash", s.a.token(object{"iss": nameA + "/", "aud": "for-a"}), "", contract.MainIssuer},
			{"a prefix of a's issuer", s.a.token(object{"iss": nameA[:len(nameA)-1], "aud": "for-a"}), "", contract.MainIssuer},
			{"a's issuer in capitals", s.a.token(object{"iss": strings.ToUpper(nameA), "aud": "for-a"}), "", contract.MainIssuer},
			{"a's issuer and a space", s.a.token(object{"iss": nameA + " ", "aud": "for-a"}), "", contract.MainIssuer},
			{"a list with a's issuer", s.a.token(object{"iss": []string{nameA}, "aud": "for-a"}), "", contract.MainIssuer},
			{"no issuer", s.a.token(object{"aud": "for-a"}), "", contract.MainIssuer},
			// Forms.
			{"opaque", "ory_at_opaque", "", contract.MainIssuer},
			{"opaque, like a JWT", "one.two.three", "", contract.MainIssuer},
			{"opaque, like a JWT with claims", "x." + segment(`{"iss":"`+nameA+`"}`) + ".y", "not_a_jwt", nameA},
			{"unsigned", segment(`{"alg":"none"}`) + "." + parts[1] + ".", "not_a_jwt", nameA},
			{"two issuers, a's first", parts[0] + "." + segment(`{"iss":"`+nameA+`","iss":"`+nameMain+`"}`) + "." + parts[2], "", contract.MainIssuer},
			{"two issuers, a's last", parts[0] + "." + segment(`{"iss":"`+nameMain+`","iss":"`+nameA+`"}`) + "." + parts[2], "", contract.MainIssuer},
			{"two parts", parts[0] + "." + parts[1], "", contract.MainIssuer},
			{"five parts, encrypted", fromA + ".x.y", "", contract.MainIssuer},
			{"a's claims changed", parts[0] + "." + segment(`{"iss":"`+nameA+`","aud":"for-a","exp":1800000000}`) + "." + parts[2],
				"bad_signature", nameA},
			{"base64 with padding", parts[0] + "." + parts[1] + "=." + parts[2], "", contract.MainIssuer},
		} {
			before := s.asked.Load()
			reason, issuer := s.check(t, test.token)
			switch {
			case issuer != test.issuer:
				t.Errorf("%s, %s: %s decided, want %s", validation, test.name, issuer, test.issuer)
			case test.reason != "" && reason != test.reason:
				t.Errorf("%s, %s: %s, want %s", validation, test.name, reason, test.reason)
			case test.reason == "" && validation == introspected && reason != "inactive":
				t.Errorf("%s, %s: %s, want inactive", validation, test.name, reason)
			case test.reason == "" && reason == "active":
				t.Errorf("%s, %s: authorized", validation, test.name)
			}
			if asked := s.asked.Load() > before; asked != (validation == introspected && test.issuer == contract.MainIssuer) {
				t.Errorf("%s, %s: the main provider was asked: %t", validation, test.name, asked)
			}
		}
	}
}

// The main provider's own tokens are judged by the main rules, whatever they look like.
func TestMainTokensBesideOtherIssuers(t *testing.T) {
	s := startSeveral(t, contract.TokenValidationIntrospection)
	s.answer.Store(`{"active": true, "aud": "for-main", "scope": "system/*.rs", "main-user": "Practitioner/1"}`)
	for _, token := range []string{"opaque", s.main.token(object{"iss": nameMain, "aud": "for-main"})} {
		if reason, issuer := s.check(t, token); reason != "active" || issuer != contract.MainIssuer {
			t.Errorf("%s, by %s", reason, issuer)
		}
	}
	// No answer of the main provider makes a token of a's good.
	if reason, issuer := s.check(t, s.b.token(object{"iss": nameA, "aud": "for-a"})); reason != "bad_signature" || issuer != nameA {
		t.Errorf("%s, by %s", reason, issuer)
	}
	s = startSeveral(t, contract.TokenValidationJWT)
	if reason, issuer := s.check(t, s.main.token(object{"iss": nameMain, "aud": "for-main"})); reason != "active" || issuer != contract.MainIssuer {
		t.Errorf("%s, by %s", reason, issuer)
	}
}

func TestEachIssuerHasItsOwnClaimNames(t *testing.T) {
	s := startSeveral(t, contract.TokenValidationIntrospection)
	names := object{"fhirUser": "Practitioner/plain", "a-user": "Practitioner/a", "main-user": "Practitioner/main"}
	for want, token := range map[string]string{
		"Practitioner/a":     s.a.token(object{"iss": nameA, "aud": "for-a", "fhirUser": names["fhirUser"], "a-user": names["a-user"], "main-user": names["main-user"]}),
		"Practitioner/plain": s.b.token(object{"iss": nameB, "aud": "for-b", "fhirUser": names["fhirUser"], "a-user": names["a-user"], "main-user": names["main-user"]}),
	} {
		result := must(s.checker.Check(t.Context(), token, endpoint, s.document))
		if got := string(must(result.Response.JSON())); !strings.Contains(got, `"fhirUser":"`+want+`"`) {
			t.Errorf("want fhirUser %s: %s", want, got)
		}
	}
}

// All keys are fetched at the start, and one issuer without keys is in nobody else's way.
func TestOneIssuerIsDown(t *testing.T) {
	s := startSeveral(t, contract.TokenValidationJWT)
	s.b.broken.Store(true)
	err := s.checker.Connect(t.Context())
	if err == nil || !strings.Contains(err.Error(), "issuer "+nameB+": ") || strings.Contains(err.Error(), nameA+":") {
		t.Errorf("got %v, want an error about b alone", err)
	}
	for name, i := range map[string]*issuer{"main": s.main, "a": s.a, "b": s.b} {
		if i.fetches.Load() != 1 {
			t.Errorf("%s was asked for its keys %d times", name, i.fetches.Load())
		}
	}
	for range 3 {
		if reason, _ := s.check(t, s.b.token(object{"iss": nameB, "aud": "for-b"})); reason != "keys_unavailable" {
			t.Errorf("b's token: %s", reason)
		}
		if reason, _ := s.check(t, s.a.token(object{"iss": nameA, "aud": "for-a"})); reason != "active" {
			t.Errorf("a's token: %s", reason)
		}
		if reason, _ := s.check(t, s.main.token(object{"iss": nameMain, "aud": "for-main"})); reason != "active" {
			t.Errorf("the main provider's token: %s", reason)
		}
	}
	if s.a.fetches.Load() != 1 || s.main.fetches.Load() != 1 {
		t.Error("keys that are known are fetched again")
	}
}

// Without other issuers the log has no issuer, and a JWT goes the main way.
func TestWithoutOtherIssuers(t *testing.T) {
	a := newIssuer(t)
	e := contract.Environment{TokenValidation: contract.TokenValidationJWT, AuthIssuer: nameA, AuthEndpointJwks: a.URL,
		RequiredAudience: []string{"for-a"}}
	checker := must(checktoken.New(e, httpclient.NewTransport(nil), func() time.Time { return now }))
	result := must(checker.Check(t.Context(), a.token(object{"iss": nameA, "aud": "for-a"}), endpoint, contract.Document{}))
	if !result.Decision.Authorized() || result.Provider.Issuer != "" {
		t.Errorf("%+v", result.Provider)
	}
}

// Whatever issuer a token states, whoever signed it, whatever it is for and however it was cut: it is authorized only if the
// issuer that it states has signed it, for that issuer's audience.
func FuzzIssuers(f *testing.F) {
	byName := map[string]*several{}
	for _, validation := range []string{contract.TokenValidationIntrospection, contract.TokenValidationJWT} {
		byName[validation] = startSeveral(f, validation)
	}
	f.Add(true, 1, "for-a", nameA, 0, "")
	f.Add(false, 0, "for-main", nameMain, 0, "")
	f.Add(true, 2, "for-b", nameB, 0, "")
	f.Add(true, 1, "for-b", nameB, 0, "")
	f.Add(false, 1, "for-a", nameA, 90, "A")
	f.Fuzz(func(t *testing.T, introspected bool, signer int, audience, name string, at int, inserted string) {
		s := byName[contract.TokenValidationJWT]
		if introspected {
			s = byName[contract.TokenValidationIntrospection]
		}
		signers := []*issuer{s.main, s.a, s.b}
		index := (signer%3 + 3) % 3
		token := signers[index].token(object{"iss": name, "aud": audience})
		whole := token
		if at > 0 && at < len(token) {
			token = token[:at] + inserted + token[at:]
		}
		reason, decided := s.check(t, token)
		owner := map[string]int{nameA: 1, nameB: 2}
		if !introspected {
			owner[nameMain] = 0
		}
		of := []string{"for-main", "for-a", "for-b"}
		i, known := owner[name]
		good := known && i == index && audience == of[i]
		if reason == "active" && !good {
			t.Fatalf("a token of %q for %q, signed by %d, was authorized by %s", name, audience, index, decided)
		}
		if good && token == whole && reason != "active" {
			t.Fatalf("a good token of %q was denied: %s", name, reason)
		}
		if stated, ok := jwt.UnverifiedIssuer(token); decided != contract.MainIssuer && decided != "" && (!ok || decided != stated) {
			t.Fatalf("%s decided about a token that states %q", decided, stated)
		}
	})
}
