package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/clientauth"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

var (
	p256    = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384    = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521    = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	rsa2048 = must(rsa.GenerateKey(rand.Reader, 2048))
)

// weakRSA has 1024 bits. Go makes no such key any more, and reads one.
const weakRSA = `-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQCjwAG3eL8unfMFkUSXIwFcI894v2TXm2Jta2JE26FXxbUC8wuX
qTZVeKLP6B2gBiGKWv3mMyuw++JJuT3EaVDhI3/sAemQluyGNv+5ocZuP9enlLXz
Ovp4nmIE0cajH9S1yrNgwn4Kyfxd1h0Rzm+EQeKdsilrRc7UEf+i8g7wjwIDAQAB
AoGATciYSCngTumSljNyLIThUX5lQEtSQKS79ZQL4v+dPY9Zs6P1/r3PZHxggngV
En23Evy0HNRzzadoz3Jh59nLI9Qmc/e73A0qBj0ucxnLhVvRVb9Ln4lBV+JZhjms
gv/uBi9fdcYD3Sl401kjb5Y9gDyXE8e2nA0ABdnQ1lVxsEECQQDYMdK6o90s2FJW
Wcg2vQmhjErpLL7VrY39jFaFIP79akHTnsX2C+Om8njHLKahaASjfTcXTcJS9fSJ
e20j/YShAkEAweY+23+57210hwyuzI1G/KjQuHOk/6Dd//EzFn2OIA44J1qw12cA
J9U78B6zpHSs78mykL17ehZRqn1RW+U3LwJBAInlra4Smx7hlBM0DTqs9Rmv7JAy
VD7jBrB09TLRSxPE1NvwaAB6sOhpvJP+bQKC4IKPebZJiOt1qlaO/Zx5NkECQQCX
W3n5scycv55UxWu1tRqSo9y5/1vvR83Duq6cgcnt7+uZnMuqeXa/oU42dGDaoVFV
pObE4YR/muiI42YdC+J1AkBRnkIhdPCzasbC4rReiHwx4j8BJGBmDgwIRhO5Yy55
Pt2tm/COuzunTojSQwZEFPXgGPSbGjXQeRIZvAqhEBmN
-----END RSA PRIVATE KEY-----
`

func asPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string { return asPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

// jwk is a key's JWK with other members; nil removes one.
func jwk(key any, members map[string]any) string {
	var object map[string]any
	if err := json.Unmarshal(must((&jose.JSONWebKey{Key: key}).MarshalJSON()), &object); err != nil {
		panic(err)
	}
	maps.Copy(object, members)
	maps.DeleteFunc(object, func(_ string, v any) bool { return v == nil })
	return string(must(json.Marshal(object)))
}

// thumbprint is written out as RFC 7638 section 3 says: the required members in alphabetical order, without spaces.
func thumbprint(key any) string {
	var k map[string]string
	if err := json.Unmarshal([]byte(jwk(key, nil)), &k); err != nil {
		panic(err)
	}
	text := fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, k["crv"], k["x"], k["y"])
	if k["kty"] == "RSA" {
		text = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, k["e"], k["n"])
	}
	hash := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func TestParseKey(t *testing.T) {
	for name, test := range map[string]struct{ text, algorithm, id string }{
		"PKCS#8, P-256":             {pkcs8(p256), "ES256", thumbprint(p256)},
		"PKCS#8, P-384":             {pkcs8(p384), "ES384", thumbprint(p384)},
		"PKCS#8, RSA":               {pkcs8(rsa2048), "RS256", thumbprint(rsa2048)},
		"SEC 1":                     {asPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p256))), "ES256", thumbprint(p256)},
		"PKCS#1":                    {asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048)), "RS256", thumbprint(rsa2048)},
		"PEM with white space":      {"\n " + strings.ReplaceAll(pkcs8(p256), "\n", "\r\n") + "\n\n", "ES256", thumbprint(p256)},
		"JWK, P-256":                {jwk(p256, nil), "ES256", thumbprint(p256)},
		"JWK, P-384, kid":           {jwk(p384, map[string]any{"kid": "one", "alg": "ES384", "use": "sig"}), "ES384", "one"},
		"JWK, RSA":                  {jwk(rsa2048, map[string]any{"kid": "two"}), "RS256", "two"},
		"JWK, RSA, alg PS256":       {jwk(rsa2048, map[string]any{"kid": "3", "alg": "PS256"}), "PS256", "3"},
		"JWK, key_ops":              {jwk(p256, map[string]any{"key_ops": []string{"sign", "verify"}}), "ES256", thumbprint(p256)},
		"JWK with white space":      {"\n" + jwk(p256, map[string]any{"kid": "4"}) + "\n", "ES256", "4"},
		"JWK with an unknown name":  {jwk(p256, map[string]any{"kid": "5", "iat": 1}), "ES256", "5"},
		"JWK whose kid has letters": {jwk(p256, map[string]any{"kid": "Schlüssel"}), "ES256", "Schlüssel"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := clientauth.ParseKey(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if key.Algorithm() != test.algorithm || key.ID() != test.id {
				t.Errorf("got %s, %s, want %s, %s", key.Algorithm(), key.ID(), test.algorithm, test.id)
			}
			// What the key says of itself is the same key.
			again, err := clientauth.ParseKey(string(must(key.JWK())))
			if err != nil || again.ID() != key.ID() || again.Algorithm() != key.Algorithm() {
				t.Errorf("its own JWK: %v", err)
			}
			if _, err := clientauth.ParseKey(string(must(key.PublicJWK()))); err == nil {
				t.Error("the public key is taken for a private one")
			}
		})
	}
}

func TestParseKeyRefuses(t *testing.T) {
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	var strange map[string]any
	if err := json.Unmarshal([]byte(jwk(other, nil)), &strange); err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	whole := pkcs8(p256)
	for name, text := range map[string]string{
		"nothing":                       "",
		"a word":                        "s3cret",
		"base64":                        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
		"half of a PEM":                 whole[:len(whole)/2],
		"PEM without its line breaks":   strings.ReplaceAll(whole, "\n", " "),
		"two PEM blocks":                whole + whole,
		"a certificate":                 asPEM("CERTIFICATE", []byte("leak")),
		"a public key":                  asPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(p256.Public()))),
		"an encrypted key":              asPEM("ENCRYPTED PRIVATE KEY", []byte("leak")),
		"an encrypted key, old":         "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AA\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
		"PEM of garbage":                asPEM("PRIVATE KEY", []byte("leak")),
		"text before a PEM":             "leak\n" + whole,
		"text after a PEM":              whole + "leak",
		"PKCS#1 called PKCS#8":          asPEM("PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048)),
		"P-521":                         pkcs8(p521),
		"Ed25519":                       pkcs8(ed),
		"RSA of 1024 bits":              weakRSA,
		"a public JWK":                  jwk(p256.Public(), nil),
		"a JWK Set":                     `{"keys":[` + jwk(p256, nil) + `]}`,
		"a symmetric JWK":               `{"kty":"oct","k":"bGVhaw"}`,
		"a JWK twice":                   jwk(p256, nil) + jwk(p256, nil),
		"a JWK with a name twice":       strings.Replace(jwk(p256, nil), "{", `{"crv":"P-256",`, 1),
		"a JWK for encryption":          jwk(p256, map[string]any{"use": "enc"}),
		"a JWK that may only verify":    jwk(p256, map[string]any{"key_ops": []string{"verify"}}),
		"a JWK with another alg":        jwk(p256, map[string]any{"alg": "RS256"}),
		"a JWK with a symmetric alg":    jwk(rsa2048, map[string]any{"alg": "HS256"}),
		"a JWK with alg none":           jwk(rsa2048, map[string]any{"alg": "none"}),
		"a JWK of two keys' halves":     jwk(p256, map[string]any{"d": strange["d"]}),
		"a JWK that is not on a curve":  jwk(p256, map[string]any{"x": strange["x"]}),
		"a JWK with d that is a number": jwk(p256, map[string]any{"d": 7}),
		"a JWK without d's value":       jwk(p256, map[string]any{"d": ""}),
		"more than 16 KiB":              jwk(p256, map[string]any{"x5c": strings.Repeat("A", 16<<10)}),
		"invalid UTF-8":                 "{\"kty\":\"EC\",\"leak\":\"\xff\"}",
	} {
		key, err := clientauth.ParseKey(text)
		if err == nil {
			t.Errorf("%s: read as a %s key", name, key.Algorithm())
			continue
		}
		for _, private := range []string{"leak", "s3cret", "MIGH"} {
			if strings.Contains(err.Error(), private) {
				t.Errorf("%s: the error shows the key: %v", name, err)
			}
		}
	}
}

func TestAssertion(t *testing.T) {
	now := time.Unix(1700584500, 999)
	for _, text := range []string{pkcs8(p256), pkcs8(p384), pkcs8(rsa2048), jwk(rsa2048, map[string]any{"alg": "PS256", "kid": "ps"})} {
		key := must(clientauth.ParseKey(text))
		assertion, err := key.Assertion("resource server:1/ü", "https://idp.example/introspect", now)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm())})
		if err != nil {
			t.Fatal(err)
		}
		if h := signed.Signatures[0].Header; h.KeyID != key.ID() || h.ExtraHeaders["typ"] != "JWT" || h.JSONWebKey != nil {
			t.Errorf("header %+v", h)
		}
		var public jose.JSONWebKey
		if err := public.UnmarshalJSON(must(key.PublicJWK())); err != nil || !public.IsPublic() || public.Use != "sig" {
			t.Fatalf("public key %+v, %v", public, err)
		}
		payload, err := signed.Verify(public)
		if err != nil {
			t.Fatal(err)
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		id, _ := claims["jti"].(string)
		if len(id) < 22 { // 128 bits
			t.Errorf("jti %q", id)
		}
		delete(claims, "jti")
		want := "map[aud:https://idp.example/introspect exp:1.70058456e+09 iat:1.7005845e+09 iss:resource server:1/ü sub:resource server:1/ü]"
		if got := fmt.Sprint(claims); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		another := must(key.Assertion("resource server:1/ü", "https://idp.example/introspect", now))
		if another == assertion || len(another) != len(assertion) {
			t.Errorf("a second assertion has %d bytes, the first %d; the same one: %t", len(another), len(assertion), another == assertion)
		}
	}
	key := must(clientauth.ParseKey(pkcs8(p256)))
	for _, missing := range [][2]string{{"", "https://idp.example"}, {"me", ""}} {
		if assertion, err := key.Assertion(missing[0], missing[1], now); err == nil {
			t.Errorf("client %q, audience %q: got %s", missing[0], missing[1], assertion)
		}
	}
}

// Whatever the text, reading it does not panic, an error quotes nothing of it, and a key that is read can sign.
func FuzzParseKey(f *testing.F) {
	for _, text := range []string{
		pkcs8(p256), pkcs8(rsa2048), asPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p384))), jwk(p256, nil),
		jwk(rsa2048, map[string]any{"alg": "PS256"}), `{"keys":[]}`, "-----BEGIN PRIVATE KEY-----\n", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := clientauth.ParseKey(text)
		if err != nil {
			if len(text) > 40 && strings.Contains(err.Error(), text[:40]) {
				t.Errorf("the error quotes the key: %v", err)
			}
			return
		}
		if _, err := key.Assertion("me", "https://idp.example", time.Unix(1700584500, 0)); err != nil {
			t.Error(err)
		}
		if key.ID() == "" {
			t.Error("no id")
		}
	})
}

func BenchmarkAssertion(b *testing.B) {
	for _, text := range []string{pkcs8(p256), pkcs8(p384), pkcs8(rsa2048), jwk(rsa2048, map[string]any{"alg": "PS256"})} {
		key := must(clientauth.ParseKey(text))
		b.Run(key.Algorithm(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Assertion("resource-server", "https://idp.example/introspect", time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
