package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxKeys bounds what is read of a key set; real ones are below 20 KiB.
	maxKeys = 256 << 10
	// minRSABits is what RFC 7518 section 3.3 demands.
	minRSABits = 2048
)

// key is a public key that may verify signatures.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm // "": any that suits its type
	public    any                     // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// keySet is what of a JWK Set (RFC 7517 section 5) can be used.
type keySet []key

// candidates returns the keys that may have signed a token with this header: by id where the header has one, by the key's
// own type and alg always.
func (s keySet) candidates(h header) keySet {
	var found keySet
	for _, k := range s {
		if (h.keyID == "" || k.id == h.keyID) && k.suits(h.algorithm) {
			found = append(found, k)
		}
	}
	return found
}

// equal tells whether both have the same keys in the same order.
func (s keySet) equal(other keySet) bool {
	return slices.EqualFunc(s, other, func(a, b key) bool {
		public, ok := a.public.(interface{ Equal(crypto.PublicKey) bool })
		return a.id == b.id && a.algorithm == b.algorithm && ok && public.Equal(b.public)
	})
}

// suits tells whether the key is one for the algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
func (k key) suits(algorithm jose.SignatureAlgorithm) bool {
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

// fetchKeys gets the key set at url. Keys of unknown types, weak ones, and those that are not for signatures are left out;
// a set with none left is an error.
func fetchKeys(ctx context.Context, transport http.RoundTripper, url string) (keySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("keys: %s is not a URL", url)
	}
	request.Header.Set("Accept", "application/json")
	// A connection kept for the minutes until the next fetch may have died without a word, and that fetch would find out
	// too late for the call that waits for it.
	request.Close = true
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("keys: HTTP status %d", response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeys+1))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if len(text) > maxKeys {
		return nil, fmt.Errorf("keys: more than %d bytes", maxKeys)
	}
	set, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return set, nil
}

func parseKeys(text []byte) (keySet, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("not a JWK Set: %w", err)
	}
	var set keySet
	for _, raw := range document.Keys {
		var parsed jose.JSONWebKey
		// RFC 7517 section 5: a key that is not understood is ignored, and the others count.
		if parsed.UnmarshalJSON(raw) != nil || !parsed.IsPublic() || !parsed.Valid() {
			continue
		}
		if parsed.Use != "" && parsed.Use != "sig" {
			continue
		}
		if public, ok := parsed.Key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
			continue
		}
		set = append(set, key{
			id: parsed.KeyID, algorithm: jose.SignatureAlgorithm(parsed.Algorithm), public: parsed.Key,
		})
	}
	if len(set) == 0 {
		return nil, errNoKeys
	}
	return set, nil
}
