package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/httpclient"
)

const (
	// maxKeys bounds what is read of a key set; real ones are below 20 KiB.
	maxKeys = 256 << 10
	// minRSABits is RFC 7518 section 3.3's minimum.
	minRSABits = 2048
)

// key is a public key that may verify signatures.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm // "": any that fits its type
	public    any                     // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// keySet holds the usable keys of a JWK Set (RFC 7517 section 5).
type keySet struct {
	digest string // of the document; another one has other keys
	keys   []key
}

// candidates returns the keys that may have signed a token with this header: those with the header's key id, if it has one,
// whose type and alg fit its algorithm.
func (s keySet) candidates(h header) []key {
	var found []key
	for _, k := range s.keys {
		if (h.keyID == "" || k.id == h.keyID) && k.fits(h.algorithm) {
			found = append(found, k)
		}
	}
	return found
}

// equal tells whether both are the same keys in the same order.
func equal(some, other []key) bool {
	return slices.EqualFunc(some, other, func(a, b key) bool {
		public, ok := a.public.(interface{ Equal(crypto.PublicKey) bool })
		return a.id == b.id && a.algorithm == b.algorithm && ok && public.Equal(b.public)
	})
}

// fits tells whether the key can be used with the algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
func (k key) fits(algorithm jose.SignatureAlgorithm) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		switch algorithm {
		case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
			return true
		}
	case *ecdsa.PublicKey:
		switch algorithm {
		case jose.ES256:
			return public.Curve == elliptic.P256()
		case jose.ES384:
			return public.Curve == elliptic.P384()
		case jose.ES512:
			return public.Curve == elliptic.P521()
		}
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	}
	return false
}

// fetchKeys gets the key set at endpoint. It leaves out keys of unknown types, weak ones and those that are not for verifying
// signatures; if none is left, that is an error. No error quotes what the server sent.
func fetchKeys(ctx context.Context, transport *httpclient.Transport, endpoint string) (keySet, error) {
	text, err := get(ctx, transport, endpoint)
	if err != nil {
		return keySet{}, fmt.Errorf("keys: %w", err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return keySet{}, fmt.Errorf("keys: %w", err)
	}
	digest := sha256.Sum256(text)
	return keySet{digest: string(digest[:]), keys: keys}, nil
}

func get(ctx context.Context, transport *httpclient.Transport, endpoint string) ([]byte, error) {
	target, err := httpclient.ParseURL(endpoint)
	if err != nil {
		return nil, fmt.Errorf("the endpoint is %w", err)
	}
	request := &http.Request{
		Method: http.MethodGet,
		URL:    target,
		Header: http.Header{"Accept": {"application/json"}},
		// Minutes pass until the next fetch. By then a connection that was kept may have died without a sign, and the call
		// that waits for the keys would notice too late.
		Close: true,
	}
	response, err := transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeys+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeys {
		return nil, fmt.Errorf("more than %d bytes", maxKeys)
	}
	return text, nil
}

var errNotKeySet = errors.New("not a JWK Set")

// parseKeys reads a JWK Set. Like all that decides about access it is read strictly: a set with a name that occurs twice, such
// as a second keys, is refused.
func parseKeys(text []byte) ([]key, error) {
	document, err := claims.Parse(text)
	if err != nil {
		return nil, errNotKeySet
	}
	var all []json.RawMessage
	if document.Has("keys") && json.Unmarshal(document["keys"], &all) != nil {
		return nil, errNotKeySet
	}
	var keys []key
	for _, raw := range all {
		// RFC 7517 section 5: a key that is not understood is ignored; the others count.
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

// parseKey reads a JWK (RFC 7517 section 4). ok is false if it must not verify signatures.
func parseKey(raw json.RawMessage) (k key, ok bool) {
	var parsed jose.JSONWebKey
	if parsed.UnmarshalJSON(raw) != nil || !parsed.IsPublic() || !parsed.Valid() {
		return key{}, false
	}
	if parsed.Use != "" && parsed.Use != "sig" {
		return key{}, false
	}
	members, err := claims.Parse(raw)
	if err != nil {
		return key{}, false
	}
	if operations, err := members.List("key_ops"); err != nil || operations != nil && !slices.Contains(operations, "verify") {
		return key{}, false
	}
	if public, ok := parsed.Key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
		return key{}, false
	}
	return key{id: parsed.KeyID, algorithm: jose.SignatureAlgorithm(parsed.Algorithm), public: parsed.Key}, true
}
