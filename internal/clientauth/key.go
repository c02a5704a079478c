package clientauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/claims"
)

// Key is the private key by which this resource server authenticates with PrivateKeyJWT. It is safe for concurrent use.
type Key struct {
	algorithm jose.SignatureAlgorithm
	private   jose.JSONWebKey // with its id
	signer    jose.Signer
}

// The errors of ParseKey. None of them quotes the key.
var (
	errKeySize      = errors.New("the private key is longer than 16 KiB")
	errNotKey       = errors.New("the private key is neither a JWK (a JSON object) nor PEM")
	errPEM          = errors.New("the private key must be one PEM block, complete and with nothing before or after it")
	errEncrypted    = errors.New("the private key is encrypted; want it without a passphrase")
	errPEMType      = errors.New("the PEM block is no private key; want PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY")
	errPEMKey       = errors.New("the PEM block holds no usable private key")
	errKeySet       = errors.New("the private key is a JWK Set; want one key of it")
	errJWK          = errors.New("the private key is not a valid JWK")
	errPublic       = errors.New("the key is a public one; want the private one of the pair")
	errUse          = errors.New("the private key's use or key_ops does not let it sign")
	errKeyAlgorithm = errors.New("the private key's alg does not fit its type")
	errKeyType      = errors.New("the private key must be an EC key on P-256 or P-384, or an RSA key of 2048 bits or more")
	errPair         = errors.New("the private and the public part of the key do not belong together")
)

const (
	// maxKey bounds a key before anything of it is read. An RSA key of 8192 bits is below 8 KiB.
	maxKey = 16 << 10
	// minRSABits is RFC 7518 section 3.3's minimum.
	minRSABits = 2048
)

// ParseKey reads a private key: a JWK (RFC 7517), or one PEM block of PKCS#8, SEC 1 (RFC 5915) or PKCS#1 (RFC 8017). An EC key
// signs by ES256 or ES384. An RSA key signs by its JWK's alg, else by RS256. The key's id is its JWK's kid, else its thumbprint
// (RFC 7638). No error contains anything of the key.
func ParseKey(text string) (*Key, error) {
	if len(text) > maxKey {
		return nil, errKeySize
	}
	var parsed jose.JSONWebKey
	var err error
	switch trimmed := strings.TrimSpace(text); {
	case strings.HasPrefix(trimmed, "{"):
		parsed, err = parseJWK([]byte(trimmed))
	case strings.HasPrefix(trimmed, "-----BEGIN "):
		parsed, err = parsePEM([]byte(trimmed))
	default:
		err = errNotKey
	}
	if err != nil {
		return nil, err
	}
	return newKey(parsed)
}

// parseJWK reads a private JWK. Like all that decides about access it is read strictly: no name may occur twice.
func parseJWK(text []byte) (parsed jose.JSONWebKey, err error) {
	members, err := claims.Parse(text)
	if err != nil {
		return parsed, errJWK
	}
	if members.Has("keys") {
		return parsed, errKeySet
	}
	if parsed.UnmarshalJSON(text) != nil || !parsed.Valid() {
		return parsed, errJWK
	}
	if parsed.IsPublic() {
		return parsed, errPublic
	}
	operations, err := members.List("key_ops")
	if err != nil || operations != nil && !slices.Contains(operations, "sign") || parsed.Use != "" && parsed.Use != "sig" {
		return parsed, errUse
	}
	return parsed, nil
}

// parsePEM reads one PEM block.
func parsePEM(text []byte) (parsed jose.JSONWebKey, err error) {
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 || bytes.Count(text, []byte("-----BEGIN ")) != 1 {
		return parsed, errPEM
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || len(block.Headers) > 0 {
		return parsed, errEncrypted
	}
	switch block.Type {
	case "PRIVATE KEY":
		parsed.Key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed.Key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed.Key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return parsed, errPEMType
	}
	if err != nil {
		return parsed, errPEMKey
	}
	return parsed, nil
}

// newKey chooses the algorithm and the id, and tries the key out.
func newKey(parsed jose.JSONWebKey) (*Key, error) {
	allowed := algorithmsOf(parsed.Key)
	if allowed == nil {
		return nil, errKeyType
	}
	k := &Key{algorithm: allowed[0]}
	if parsed.Algorithm != "" {
		if k.algorithm = jose.SignatureAlgorithm(parsed.Algorithm); !slices.Contains(allowed, k.algorithm) {
			return nil, errKeyAlgorithm
		}
	}
	if parsed.KeyID == "" {
		thumbprint, err := parsed.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, errJWK
		}
		parsed.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	}
	k.private = jose.JSONWebKey{Key: parsed.Key, KeyID: parsed.KeyID, Algorithm: string(k.algorithm), Use: "sig"}
	var err error
	k.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: k.private}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return nil, errKeyType
	}
	// The halves of a pair that was put together by hand may be strangers. The provider would refuse every request.
	signed, err := k.signer.Sign(nil)
	if err != nil {
		return nil, errPair
	}
	if _, err := signed.Verify(k.private.Public()); err != nil {
		return nil, errPair
	}
	return k, nil
}

// algorithmsOf are those that a private key can sign by, the default first; nil for a key that is not used here.
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch private := key.(type) {
	case *ecdsa.PrivateKey:
		switch private.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}
		}
	case *rsa.PrivateKey:
		if private.N.BitLen() >= minRSABits {
			return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
		}
	}
	return nil
}

// ID is the key's id, which the provider finds the public key by.
func (k *Key) ID() string { return k.private.KeyID }

// Algorithm is the one that the key signs by, such as ES256.
func (k *Key) Algorithm() string { return string(k.algorithm) }

// JWK is the private key as JSON on one line. It is as secret as the key.
func (k *Key) JWK() ([]byte, error) { return k.private.MarshalJSON() }

// PublicJWK is the public key as JSON, for a key set (RFC 7517 section 5) that is registered at the provider.
func (k *Key) PublicJWK() ([]byte, error) {
	public := k.private.Public()
	return public.MarshalJSON()
}
