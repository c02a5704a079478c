package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
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
func (k Key) Header() Object {
	header := Object{"alg": "ES256", "kid": k.ID, "typ": "at+jwt"}
	if _, isRSA := k.Private.(*rsa.PrivateKey); isRSA {
		header["alg"] = "RS256"
	}
	return header
}

// JWK is the public key as a key set has it (RFC 7517), each time another map.
func (k Key) JWK() Object {
	jwk := Object{"kid": k.ID, "use": "sig"}
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

// PrivateJWK is an RSA key with its private half (RFC 7518 section 6.3.2), which no key set may have.
func (k Key) PrivateJWK() Object {
	private, jwk := k.Private.(*rsa.PrivateKey), k.JWK()
	for name, number := range map[string]*big.Int{"d": private.D, "p": private.Primes[0], "q": private.Primes[1]} {
		jwk[name] = Base64(number.Bytes())
	}
	return jwk
}

// Token is a token with these claims, and with other members of its header; nil removes one.
func (k Key) Token(header, claims Object) string {
	return k.Sign([]byte(k.Header().With(header).String()), []byte(claims.String()))
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

// HMAC is a token that is signed with a shared secret (RFC 7518 section 3.2).
func HMAC(header, claims Object, secret []byte) string {
	text := Base64([]byte(header.String())) + "." + Base64([]byte(claims.String()))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + Base64(mac.Sum(nil))
}

// Resign is a token whose signature is changed.
func Resign(token string, change func(signature []byte) []byte) string {
	dot := strings.LastIndex(token, ".") + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[dot:])
	if err != nil {
		panic(err) // Sign wrote it
	}
	return token[:dot] + Base64(change(signature))
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
