package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/reason"
)

// algorithm is how a signature is verified.
type algorithm struct {
	hash   crypto.Hash // 0: the signature is over the text itself
	verify func(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool
}

// algorithms are the signatures accepted: asymmetric ones of RFC 7518 and RFC 8037. HMAC is not among them, since its key
// would be one that the issuer publishes.
var algorithms = map[jose.SignatureAlgorithm]algorithm{
	jose.RS256: {crypto.SHA256, verifyPKCS1},
	jose.RS384: {crypto.SHA384, verifyPKCS1},
	jose.RS512: {crypto.SHA512, verifyPKCS1},
	jose.PS256: {crypto.SHA256, verifyPSS},
	jose.PS384: {crypto.SHA384, verifyPSS},
	jose.PS512: {crypto.SHA512, verifyPSS},
	jose.ES256: {crypto.SHA256, verifyECDSA},
	jose.ES384: {crypto.SHA384, verifyECDSA},
	jose.ES512: {crypto.SHA512, verifyECDSA},
	jose.EdDSA: {0, verifyEdDSA},
}

// verify returns the payload of a compact JWS and reason.Active if one of the keys verifies its signature (RFC 7515 section
// 5.2), otherwise the reason to refuse it. The keys are candidates for the header, which parseHeader has read.
//
// The library that reads the keys could do this too. It would read the header once more, and that takes about as long as
// verifying an RSA signature.
func verify(token string, h header, candidates []key) ([]byte, reason.Reason) {
	if len(candidates) == 0 {
		return nil, reason.UnknownKey
	}
	begin, end := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	payload, err := base64.RawURLEncoding.Strict().DecodeString(token[begin+1 : end])
	if err != nil {
		return nil, reason.NotJWT
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil {
		return nil, reason.NotJWT
	}
	a, digest := algorithms[h.algorithm], []byte(token[:end])
	if a.hash != 0 {
		hasher := a.hash.New()
		hasher.Write(digest)
		digest = hasher.Sum(nil)
	}
	for _, candidate := range candidates {
		if a.verify(candidate.public, a.hash, digest, signature) {
			return payload, reason.Active
		}
	}
	return nil, reason.Signature
}

// verifyPKCS1 is RFC 7518 section 3.3.
func verifyPKCS1(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	key, ok := public.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
}

// verifyPSS is RFC 7518 section 3.5.
func verifyPSS(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	key, ok := public.(*rsa.PublicKey)
	return ok && rsa.VerifyPSS(key, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

// verifyECDSA is RFC 7518 section 3.4: the two numbers of the signature, each as long as the curve's order.
func verifyECDSA(public crypto.PublicKey, _ crypto.Hash, digest, signature []byte) bool {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	size := (key.Curve.Params().N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	return ecdsa.Verify(key, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
}

// verifyEdDSA is RFC 8037 section 3.1.
func verifyEdDSA(public crypto.PublicKey, _ crypto.Hash, text, signature []byte) bool {
	key, ok := public.(ed25519.PublicKey)
	return ok && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, text, signature)
}
