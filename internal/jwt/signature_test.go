package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/reason"
)

// FuzzVerify compares verify with the library's own verification, for a token of each algorithm with some of its bytes changed.
func FuzzVerify(f *testing.F) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	curve := func(c elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		return key
	}
	p256, p384, p521 := curve(elliptic.P256()), curve(elliptic.P384()), curve(elliptic.P521())
	type signed struct {
		algorithm jose.SignatureAlgorithm
		public    any
		token     string
	}
	var all []signed
	for algorithm := range algorithms {
		var private, public any = rsaKey, rsaKey.Public()
		switch algorithm {
		case jose.ES256:
			private, public = p256, p256.Public()
		case jose.ES384:
			private, public = p384, p384.Public()
		case jose.ES512:
			private, public = p521, p521.Public()
		case jose.EdDSA:
			private, public = edKey, edKey.Public()
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: private}, nil)
		if err != nil {
			f.Fatal(err)
		}
		object, err := signer.Sign([]byte(`{"iss":"https://idp.example/"}`))
		if err != nil {
			f.Fatal(err)
		}
		token, err := object.CompactSerialize()
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, signed{algorithm, public, token})
	}
	f.Add(0, "")
	f.Add(1, "A")
	f.Add(40, "a.b")
	f.Add(70, "-_")
	f.Fuzz(func(t *testing.T, at int, text string) {
		for _, s := range all {
			changed := s.token
			if at >= 0 && at+len(text) <= len(changed) {
				changed = changed[:at] + text + changed[at+len(text):]
			}
			if strings.Count(changed, ".") != 2 {
				continue // parseHeader refuses it
			}
			h, err := parseHeader(changed)
			if err != nil || h.algorithm != s.algorithm {
				continue
			}
			payload, got := verify(changed, h, []key{{public: s.public}})
			var want []byte
			if object, err := jose.ParseSignedCompact(changed, []jose.SignatureAlgorithm{s.algorithm}); err == nil {
				want, err = object.Verify(s.public)
				if err != nil {
					want = nil
				}
			}
			if (got == reason.Active) != (want != nil) || string(payload) != string(want) {
				t.Errorf("%s %q: got %q (%s), want %q", s.algorithm, changed, payload, got.Word, want)
			}
			if changed == s.token && got != reason.Active {
				t.Errorf("%s: the token as it was signed is refused: %s", s.algorithm, got.Word)
			}
		}
	})
}
