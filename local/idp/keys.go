package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
)

// Key signs tokens that are JWTs (RFC 7515), by the standard library alone: what the function verifies them with must not
// be what they were made with. It is an RSA key for RS256 or one on P-256 for ES256.
type Key struct {
	ID      string
	Private crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey
}

// NewRSAKey makes a key for RS256.
func NewRSAKey(id string, bits int) (Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return Key{}, fmt.Errorf("idp: %w", err)
	}
	return Key{id, private}, nil
}

// NewECKey makes a key for ES256.
func NewECKey(id string) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("idp: %w", err)
	}
	return Key{id, private}, nil
}

// Algorithm is the key's name for it in a header (RFC 7518 section 3.1).
func (k Key) Algorithm() string {
	if _, ok := k.Private.(*rsa.PrivateKey); ok {
		return "RS256"
	}
	return "ES256"
}

// Public is the half that the provider shows.
func (k Key) Public() crypto.PublicKey { return k.Private.Public() }

// Header is that of an access token (RFC 9068 section 2.1).
func (k Key) Header() map[string]any {
	return map[string]any{"alg": k.Algorithm(), "kid": k.ID, "typ": "at+jwt"}
}

// JWK is the public key as a key set has it (RFC 7517), each time another map.
func (k Key) JWK() map[string]any {
	jwk := map[string]any{"kid": k.ID, "use": "sig"}
	switch public := k.Public().(type) {
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
func (k Key) Sign(header, payload []byte) (string, error) {
	text := Base64(header) + "." + Base64(payload)
	hash := sha256.Sum256([]byte(text))
	switch private := k.Private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, hash[:])
		if err != nil {
			return "", fmt.Errorf("idp: %w", err)
		}
		signature := make([]byte, 64) // RFC 7518 section 3.4
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return text + "." + Base64(signature), nil
	default:
		signature, err := private.Sign(rand.Reader, hash[:], crypto.SHA256)
		if err != nil {
			return "", fmt.Errorf("idp: %w", err)
		}
		return text + "." + Base64(signature), nil
	}
}

// Base64 is the encoding of RFC 7515 section 2.
func Base64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// KeySet is the document with these keys (RFC 7517 section 5).
func KeySet(jwks ...any) map[string]any { return map[string]any{"keys": jwks} }

// SetKeys makes the server show these keys, and no others, from now on.
func (s *Server) SetKeys(keys ...Key) {
	jwks := make([]any, len(keys))
	for i, key := range keys {
		jwks[i] = key.JWK()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = KeySet(jwks...)
}

// KeyRequests returns how often the keys were asked for.
func (s *Server) KeyRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyRequests
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.keyRequests++
	keys := s.keys
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, keys)
}
