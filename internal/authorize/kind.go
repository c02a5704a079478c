package authorize

import (
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/reason"
)

// onlyInOtherTokens are claims that no access token has: hashes of what was issued beside an ID token (OpenID Connect Core
// section 3.3.2.11), and the events of a logout token or another security event token (RFC 8417 section 2.2).
var onlyInOtherTokens = []string{"at_hash", "c_hash", "events"}

// keycloakOtherTypes are what Keycloak calls its long-lived refresh tokens, its ID tokens and its logout tokens in typ.
var keycloakOtherTypes = []string{"offline", "id", "serialized-id", "logout"}

// checkKind checks that the claims are those of an access token. ORY and Cognito say in token_use what the token is; others
// call a refresh token one in token_type, and Keycloak in typ.
func checkKind(set claims.Set) reason.Reason {
	use, errUse := set.Text("token_use")
	tokenType, errType := set.Text("token_type")
	typ, errTyp := set.Text("typ")
	if errUse != nil || errType != nil || errTyp != nil {
		return reason.MalformedClaim
	}
	switch {
	case set.Has("token_use") && use != "access_token" && use != "access",
		saysRefresh(tokenType), saysRefresh(typ),
		slices.Contains(keycloakOtherTypes, strings.ToLower(typ)),
		slices.ContainsFunc(onlyInOtherTokens, set.Has):
		return reason.NotAccessToken
	}
	return reason.Active
}

// saysRefresh finds "refresh_token", "Refresh" and urn:ietf:params:oauth:token-type:refresh_token (RFC 8693 section 3) alike.
func saysRefresh(kind string) bool {
	return strings.Contains(strings.ToLower(kind), "refresh")
}
