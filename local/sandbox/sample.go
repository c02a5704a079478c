package sandbox

import (
	"maps"
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
)

// Issuer is that of the tokens that are verified.
const Issuer = "https://idp.example.com/"

var (
	// Keys are the provider's, an RSA key and one on P-256. They are made once: an RSA key takes a while.
	Keys = sync.OnceValue(func() []idp.Key { return []idp.Key{idp.NewRSAKey("rsa-1", 2048), idp.NewECKey("ec-1")} })
	// Stranger is a key that the provider does not have until it shows it.
	Stranger = sync.OnceValue(func() idp.Key { return idp.NewRSAKey("rsa-2", 2048) })
)

// Verify makes the function verify tokens by the keys at a URL, before it starts.
func (s *Sandbox) Verify(keysURL string) {
	e := &s.Environment
	e.TokenValidation, e.AuthIssuer, e.AuthEndpointJwks = contract.TokenValidationJWT, Issuer, keysURL
	e.RequiredAudience = []string{"datastore"}
}

// Signed is a good token by a key, with other members of its header and other claims; nil removes one.
func Signed(k idp.Key, header, claims idp.Object) string {
	return k.Token(header, Claims().With(claims))
}

// Claims are those of a good token.
func Claims() idp.Object {
	return idp.Object{
		"iss": Issuer, "aud": []string{DatastoreEndpoint}, "sub": "user-4711", "client_id": "app", "jti": "1",
		"scope": "patient/*.rs", "iat": In(0), "exp": In(time.Hour),
	}
}

// Active is an introspection response that authorizes, with these members.
func Active(members ...idp.Object) string {
	claims := idp.Object{
		"active": true, "scope": "patient/*.rs", "sub": "user-4711", "token_use": "access_token", "exp": In(time.Hour),
	}
	for _, m := range members {
		maps.Copy(claims, m)
	}
	return claims.String()
}

// In is a time from now, as claims have it.
func In(d time.Duration) int64 { return time.Now().Add(d).Unix() }
