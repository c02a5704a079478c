// Package jwt verifies OAuth 2.0 access tokens that are JSON Web Tokens (RFC 7519, RFC 9068) against the keys that their
// issuer publishes (RFC 7517), and hands out their claims. It does not judge the claims beyond what makes the token this
// issuer's access token; times, audience and scope are for the caller.
package jwt

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/lastgood"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// Refusal is the error for a token that must be denied. Its text holds nothing of the token.
type Refusal struct {
	Reason reason.Reason
	// Claims are set where the signature was verified. They may name a person.
	Claims claims.Set
	// Mismatch is set where the reason is reason.Issuer.
	Mismatch reason.Mismatch
}

func (r *Refusal) Error() string { return "token refused: " + r.Reason.Word }

// maxToken bounds a token before anything of it is decoded.
const maxToken = 16 << 10

// Limits say when an issuer's keys are fetched. A key that the issuer has withdrawn stops working within ten minutes, where
// its keys can be fetched; while they cannot, those that are known serve on. An unknown key is looked for at most once in ten
// seconds.
var Limits = lastgood.Limits{
	RefreshAfter: 5 * time.Minute,
	MaxAge:       10 * time.Minute,
	MaxWait:      600 * time.Millisecond,
	RetryAfter:   10 * time.Second,
	FetchTimeout: 3 * time.Second,
}

// It is remembered for keepVerified at most that a token was verified, and of so many tokens as fit into maxVerified bytes.
const (
	keepVerified = time.Hour
	maxVerified  = 1 << 20
)

// Verifier verifies the access tokens of one issuer. It is safe for concurrent use.
type Verifier struct {
	issuer string
	keys   *lastgood.Value[keySet]
	// verified remembers tokens by the keys that verified them. The same token and the same keys always give the same claims, so
	// nothing is accepted that would not be without it.
	verified *tokencache.Cache
}

// New returns a verifier of the tokens that name issuer, byte for byte, as theirs, by the keys at keysURL. It fetches them
// through transport and keeps them; its clock is now.
func New(issuer, keysURL string, transport *httpclient.Transport, now func() time.Time) *Verifier {
	return &Verifier{issuer: issuer, keys: lastgood.New(func(ctx context.Context) (keySet, error) {
		return fetchKeys(ctx, transport, keysURL)
	}, Limits, now), verified: tokencache.New(keepVerified, maxVerified, now)}
}

// Load fetches the keys if none are known, so that the first token need not wait for them.
func (v *Verifier) Load(ctx context.Context) error {
	_, err := v.keys.Get(ctx)
	return err
}

// Claims returns the claims of a token whose signature was verified by one of the issuer's keys and that is this issuer's
// access token, with exp among them. The claim active is added as true where the token has none, as an introspection answer
// would have it. The error is a *Refusal where the token must be denied. Any other error means that this cannot be decided: no
// keys are known, or the token's is not among them and the issuer's keys cannot be fetched. Headers that
// name or carry a key (jku, x5u, jwk, x5c) are ignored.
func (v *Verifier) Claims(ctx context.Context, token string) (claims.Set, error) {
	header, err := parseHeader(token)
	if err != nil {
		return nil, err
	}
	keys, err := v.keys.Get(ctx)
	if err != nil {
		return nil, err
	}
	set, err := v.verifyBy(ctx, keys, token, header)
	refusal := new(Refusal)
	if err == nil || !errors.As(err, &refusal) ||
		refusal.Reason != reason.UnknownKey && (refusal.Reason != reason.Signature || header.keyID != "") {
		return set, err
	}
	// The issuer may have a new key. Do not refetch when the key id is known but the signature fails: forged tokens must not
	// exhaust the refetch limit.
	known := keys.candidates(header)
	renewed, err := v.keys.Renew(ctx, func(s keySet) bool { return !equal(s.candidates(header), known) })
	switch {
	case err == nil:
		return v.verifyBy(ctx, renewed, token, header)
	case errors.Is(err, lastgood.ErrNoOther):
		return nil, refusal
	}
	return nil, fmt.Errorf("looking for the token's key: %w", err)
}

// verifyBy verifies a token by these keys alone, unless they have verified it before.
func (v *Verifier) verifyBy(ctx context.Context, keys keySet, token string, header header) (claims.Set, error) {
	set, _, err := v.verified.Claims(ctx, keys.digest, token, func(context.Context) (claims.Set, error) {
		payload, refused := verify(token, header, keys.candidates(header))
		if refused != reason.Active {
			return nil, &Refusal{Reason: refused}
		}
		return v.judge(payload, header)
	})
	return set, err
}

// UnverifiedIssuer returns the iss of a token that has the form of a JWT; ok is false for any other. Nothing vouches for it. It
// may choose who verifies the token, and must not decide anything else.
func UnverifiedIssuer(token string) (issuer string, ok bool) {
	if len(token) > maxToken {
		return "", false
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	set, err := claims.Parse(payload)
	if err != nil {
		return "", false
	}
	issuer, err = set.Text("iss")
	return issuer, err == nil && issuer != ""
}

// header is what of a token's header decides how it is verified.
type header struct {
	algorithm jose.SignatureAlgorithm
	keyID     string
	// explicit is true where typ says that this is an access token (RFC 9068 section 2.1).
	explicit bool
}

// parseHeader reads the header of a compact JWS (RFC 7515 section 7.1) and refuses what is none, or none of ours.
func parseHeader(token string) (header, error) {
	if len(token) > maxToken {
		return header{}, &Refusal{Reason: reason.NotJWT}
	}
	parts := strings.Split(token, ".")
	// Three parts; an encrypted token has five, and an unsigned one an empty third.
	if len(parts) != 3 || parts[2] == "" {
		return header{}, &Refusal{Reason: reason.NotJWT}
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil {
		return header{}, &Refusal{Reason: reason.NotJWT}
	}
	set, err := claims.Parse(text)
	if err != nil {
		return header{}, &Refusal{Reason: reason.NotJWT}
	}
	// crit asks for extensions that must be understood (RFC 7515 section 4.1.11), and none is. b64 and enc change what the
	// parts mean.
	for _, name := range []string{"crit", "b64", "enc"} {
		if _, ok := set[name]; ok {
			return header{}, &Refusal{Reason: reason.NotJWT}
		}
	}
	algorithm, errAlgorithm := set.Text("alg")
	keyID, errKeyID := set.Text("kid")
	kind, errKind := set.Text("typ")
	content, errContent := set.Text("cty")
	if errAlgorithm != nil || errKeyID != nil || errKind != nil || errContent != nil {
		return header{}, &Refusal{Reason: reason.NotJWT}
	}
	if content != "" { // a nested token (RFC 7519 section 5.2)
		return header{}, &Refusal{Reason: reason.NotJWT}
	}
	h := header{algorithm: jose.SignatureAlgorithm(algorithm), keyID: keyID}
	if _, ok := algorithms[h.algorithm]; !ok {
		return header{}, &Refusal{Reason: reason.Algorithm}
	}
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "at+jwt":
		h.explicit = true
	case "", "jwt":
	default:
		return header{}, &Refusal{Reason: reason.NotAccessToken}
	}
	return h, nil
}

// judge reads the claims of a verified token and refuses what is not this issuer's access token.
func (v *Verifier) judge(payload []byte, h header) (claims.Set, error) {
	set, err := claims.Parse(payload)
	if err != nil {
		return nil, &Refusal{Reason: reason.MalformedClaim}
	}
	issuer, err := set.Text("iss")
	switch {
	case err != nil || issuer != v.issuer:
		return nil, &Refusal{reason.Issuer, set, reason.Mismatch{Got: issuer, Want: v.issuer}}
	case !set.Has("exp"): // RFC 9068 section 2.2
		return nil, &Refusal{Reason: reason.MalformedClaim, Claims: set}
	case !h.explicit && isIDToken(set):
		return nil, &Refusal{Reason: reason.NotAccessToken, Claims: set}
	}
	if _, ok := set["active"]; !ok {
		set["active"] = []byte("true")
	}
	return set, nil
}

// isIDToken tells an ID token by the claims that only those have (OpenID Connect Core sections 2 and 3.3.2.11). Keycloak
// has put nonce into access tokens too, but says Bearer in typ.
func isIDToken(set claims.Set) bool {
	if set.Has("at_hash") || set.Has("c_hash") {
		return true
	}
	kind, err := set.Text("typ")
	return set.Has("nonce") && (err != nil || kind != "Bearer")
}

var errNoKeys = errors.New("no key that could verify a signature")
