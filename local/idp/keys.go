package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
)

// Key signs JWTs (RFC 7515) with the standard library alone: tokens must not be made with what the function verifies them
// with. It is an RSA key for RS256, or one on P-256 for ES256.
type Key struct {
	ID      string
	Private crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey
}

// NewRSAKey makes a key for RS256. It panics if there is no such key.
func NewRSAKey(id string, bits int) Key {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return Key{id, private}
}

// NewECKey makes a key for ES256.
func NewECKey(id string) Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return Key{id, private}
}

// Header is that of an access token (RFC 9068 section 2.1), each time another map.
func (k Key) Header() map[string]any {
	header := map[string]any{"alg": "ES256", "kid": k.ID, "typ": "at+jwt"}
	if _, isRSA := k.Private.(*rsa.PrivateKey); isRSA {
		header["alg"] = "RS256"
	}
	return header
}

// JWK is the public key as a key set has it (RFC 7517), each time another map.
func (k Key) JWK() map[string]any {
	jwk := map[string]any{"kid": k.ID, "use": "sig"}
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", Base64(public.N.Bytes()), Base64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err) // its curve is P-256
		}
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", "P-256", Base64(point[1:33]), Base64(point[33:])
	}
	return jwk
}

// Sign returns the compact serialization of a JWS with this header and payload, whatever they say.
func (k Key) Sign(header, payload []byte) string {
	text := Base64(header) + "." + Base64(payload)
	hash := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch private := k.Private.(type) {
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, private, hash[:]); err == nil {
			signature = make([]byte, 64) // RFC 7518 section 3.4
			r.FillBytes(signature[:32])
			s.FillBytes(signature[32:])
		}
	default:
		signature, err = private.Sign(rand.Reader, hash[:], crypto.SHA256)
	}
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return text + "." + Base64(signature)
}

// Base64 is the encoding of RFC 7515 section 2.
func Base64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// KeySet is the document with these keys (RFC 7517 section 5). Not all of them need be valid.
func KeySet(jwks ...any) string {
	text, err := json.Marshal(map[string]any{"keys": append([]any{}, jwks...)})
	if err != nil {
		panic(err) // keys are maps of strings
	}
	return string(text)
}
