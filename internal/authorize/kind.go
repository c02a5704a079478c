package authorize

import (
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/reason"
)

// The values that access tokens have in the claims that say what a token is, in lower case. What is not listed is denied:
// providers call refresh, ID, registration and key-bound tokens by many names.
var (
	// ORY and Amazon Cognito.
	acceptedTokenUse = []string{"access_token", "access"}
	// RFC 7662 section 2.2, by way of RFC 6749 section 5.1: Bearer in any case (RFC 6749 section 5.1). access_token is ORY Hydra
	// 1's (API reference, oAuth2TokenIntrospection), and the URN RFC 8693's (section 3).
	acceptedTokenType = []string{"bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"}
	// Keycloak says Bearer; others copy the header's typ (RFC 7519 section 5.1, RFC 9068 section 2.1) into the claims.
	acceptedTyp = []string{"bearer", "jwt", "at+jwt", "application/at+jwt"}
)

// onlyInOtherTokens are claims that no access token has: hashes of what was issued beside an ID token (OpenID Connect Core
// section 3.3.2.11), and the events of a logout token or another security event token (RFC 8417 section 2.2).
var onlyInOtherTokens = []string{"at_hash", "c_hash", "events"}

// checkKind checks that the claims are those of an access token that its bearer alone may use.
func checkKind(set claims.Set, acceptSenderConstrained bool) reason.Reason {
	use, errUse := set.Text("token_use")
	tokenType, errType := set.Text("token_type")
	typ, errTyp := set.Text("typ")
	if errUse != nil || errType != nil || errTyp != nil {
		return reason.MalformedClaim
	}
	// The token is bound to a key of the client: by DPoP (RFC 9449 section 6) or by a certificate (RFC 8705 section 3.1). The
	// event holds no proof of that key, so the binding cannot be checked here.
	isDPoP := strings.EqualFold(tokenType, "dpop") || strings.EqualFold(typ, "dpop")
	if (isDPoP || set.Has("cnf")) && !acceptSenderConstrained {
		return reason.SenderConstrained
	}
	switch {
	case set.Has("token_use") && !slices.Contains(acceptedTokenUse, use),
		!isDPoP && set.Has("token_type") && !slices.Contains(acceptedTokenType, strings.ToLower(tokenType)),
		!isDPoP && set.Has("typ") && !slices.Contains(acceptedTyp, strings.ToLower(typ)),
		slices.ContainsFunc(onlyInOtherTokens, set.Has):
		return reason.NotAccessToken
	}
	return reason.Active
}
