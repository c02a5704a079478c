// Package authorize decides what HealthLake is told about an access token, from an authorization server's claims about
// it. It does no I/O: the function and the preflight check make the same decision.
package authorize

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
)

// Reasons for a decision, as the function's log line has them.
const (
	ReasonActive         = "active"
	ReasonInactive       = "inactive"
	ReasonMalformedToken = "malformed_token"
	ReasonMalformedClaim = "malformed_claim"
	ReasonExpired        = "expired"
	ReasonNotYetValid    = "not_yet_valid"
	ReasonNotAccessToken = "not_an_access_token"
	ReasonAudience       = "audience_not_accepted"
	ReasonIssuer         = "issuer_not_trusted"
	ReasonScope          = "scope_not_granted"
)

const (
	// notBeforeSkew is how far a provider's clock may be ahead of ours.
	notBeforeSkew = 60 * time.Second
	// defaultLifetime is how long an answer is good for where the provider does not say when the token ends.
	defaultLifetime = 60 * time.Second
)

// Rules are what the deployment requires of a token beyond its being active.
type Rules struct {
	RequiredAudience []string // one of these must be in aud; empty requires none; "datastore" stands for the endpoint
	TrustedIssuers   []string // empty trusts any
	RequiredScopes   []string // each must be among the token's scopes

	// ClaimNames says where claims live at this provider, by the name that HealthLake knows them under: fhirUser, patient,
	// scope. The mapped claim counts in place of one of that name. No other claim that this package sets can be mapped.
	ClaimNames map[string]string
}

// Decision is what follows from a token's claims. Make one with Decide or Deny.
type Decision struct {
	Authorized bool
	Reason     string // one of the Reason constants

	scope         json.RawMessage
	iat, nbf, exp int64      // seconds since 1970
	passed        claims.Set // every other claim that goes to HealthLake
}

// Decide decides about an access token for the datastore at endpoint. It denies whatever it does not understand.
func Decide(set claims.Set, endpoint string, now time.Time, r Rules) Decision {
	if !set.True("active") { // RFC 7662 section 2.2: a required boolean
		return Deny(ReasonInactive, now)
	}
	if kind := kindOf(set); kind != "" {
		return Deny(kind, now)
	}
	d := Decision{Authorized: true, Reason: ReasonActive}
	if reason := d.readTimes(set, now); reason != "" {
		return Deny(reason, now)
	}
	issuer, err := set.Text("iss")
	if err != nil {
		return Deny(ReasonMalformedClaim, now)
	}
	if len(r.TrustedIssuers) > 0 && !slices.Contains(r.TrustedIssuers, issuer) {
		return Deny(ReasonIssuer, now)
	}
	audience, err := audienceOf(set)
	if err != nil {
		return Deny(ReasonMalformedClaim, now)
	}
	if !accepts(r.RequiredAudience, audience, endpoint) {
		return Deny(ReasonAudience, now)
	}
	if d.scope, err = scopeOf(set, r.ClaimNames["scope"]); err != nil {
		return Deny(ReasonMalformedClaim, now)
	}
	if !grants(d.scope, r.RequiredScopes) {
		return Deny(ReasonScope, now)
	}
	d.passed = passThrough(set, r.ClaimNames)
	return d
}

// Deny returns the decision against a token, for a reason.
func Deny(reason string, now time.Time) Decision {
	t := now.Unix()
	return Decision{Reason: reason, scope: json.RawMessage(`""`), iat: t, nbf: t, exp: t}
}

// kindOf returns the reason to deny a token that is not an access token, or "". ORY and Cognito say in token_use what it
// is; others call a refresh token one in token_type, and Keycloak in typ.
func kindOf(set claims.Set) string {
	use, err := set.Text("token_use")
	if err != nil {
		return ReasonMalformedClaim
	}
	if set.Has("token_use") && use != "access_token" && use != "access" {
		return ReasonNotAccessToken
	}
	for _, name := range []string{"token_type", "typ"} {
		kind, err := set.Text(name)
		if err != nil {
			return ReasonMalformedClaim
		}
		// "refresh_token", "Refresh" and urn:ietf:params:oauth:token-type:refresh_token (RFC 8693 section 3) alike.
		if strings.Contains(strings.ToLower(kind), "refresh") {
			return ReasonNotAccessToken
		}
	}
	// Keycloak's long-lived refresh tokens, its ID tokens and its logout tokens.
	kind, _ := set.Text("typ")
	switch strings.ToLower(kind) {
	case "offline", "id", "serialized-id", "logout":
		return ReasonNotAccessToken
	}
	// Hashes of what was issued beside an ID token (OpenID Connect Core section 3.3.2.11), and the events of a logout or
	// another security event token (RFC 8417 section 2.2).
	for _, name := range []string{"at_hash", "c_hash", "events"} {
		if set.Has(name) {
			return ReasonNotAccessToken
		}
	}
	return ""
}

// readTimes fills in iat, nbf and exp and returns the reason to deny a token outside its times, or "".
func (d *Decision) readTimes(set claims.Set, now time.Time) string {
	exp, hasExp, errExp := set.Time("exp")
	nbf, hasNbf, errNbf := set.Time("nbf")
	iat, hasIat, errIat := set.Time("iat")
	if errExp != nil || errNbf != nil || errIat != nil {
		return ReasonMalformedClaim
	}
	if !hasExp {
		exp = now.Add(defaultLifetime).Unix()
	}
	if !hasNbf {
		nbf = now.Unix()
		if hasIat {
			nbf = iat
		}
	}
	if !hasIat {
		iat = nbf
	}
	if now.Unix() >= exp { // RFC 7519 section 4.1.4: on or after it the token is not accepted
		return ReasonExpired
	}
	if nbf > now.Add(notBeforeSkew).Unix() {
		return ReasonNotYetValid
	}
	d.iat, d.nbf, d.exp = iat, nbf, exp
	return ""
}

// audienceOf returns the aud claim. Cognito's access tokens have none: the client they were issued to stands in client_id.
// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
func audienceOf(set claims.Set) ([]string, error) {
	use, err := set.Text("token_use")
	if err != nil {
		return nil, err
	}
	if use == "access" && !set.Has("aud") {
		return set.List("client_id")
	}
	return set.List("aud")
}

// grants tells whether every required scope is a word of the scope claim.
func grants(scope json.RawMessage, required []string) bool {
	var text string
	if err := json.Unmarshal(scope, &text); err != nil {
		return false
	}
	granted := strings.Split(text, " ") // RFC 6749 section 3.3: separated by spaces, and by nothing else
	return !slices.ContainsFunc(required, func(s string) bool { return !slices.Contains(granted, s) })
}

// accepts tells whether one of the required audiences is among a token's own.
func accepts(required, audience []string, endpoint string) bool {
	return len(required) == 0 || slices.ContainsFunc(required, func(r string) bool {
		if r == "datastore" {
			bare := strings.TrimSuffix(endpoint, "/")
			return slices.Contains(audience, bare) || slices.Contains(audience, bare+"/")
		}
		return slices.Contains(audience, r)
	})
}

// scopeOf returns the scope claim as JSON text, byte for byte where it is a string (RFC 7662 section 2.2). An array, and
// Okta's scp in place of scope, are joined with spaces. The claim named mapped goes before both.
func scopeOf(set claims.Set, mapped string) (json.RawMessage, error) {
	for _, name := range []string{mapped, "scope", "scp"} {
		if !set.Has(name) {
			continue
		}
		if _, err := set.Text(name); err == nil {
			return set[name], nil
		}
		list, err := set.List(name)
		if err != nil {
			return nil, err
		}
		return encode(strings.Join(list, " "))
	}
	return json.RawMessage(`""`), nil
}

// ours are the names that no provider may fill: HealthLake believes them because this function sets them.
var ours = []string{"isAuthorized", "iss", "aud", "iamRoleARN", "iat", "nbf", "exp", "scope", "active", "ext"}

// unliftable are claims that decide about the token or name its holder. ORY fills ext from the login application's
// session, which is not to speak in the authorization server's name.
var unliftable = []string{"scp", "sub", "client_id", "username", "token_type", "token_use", "typ", "jti", "azp", "cid", "cnf"}

// passThrough returns the claims that go to HealthLake unchanged, with the SMART launch context (fhirUser, patient,
// encounter and so on) that ORY nests in ext lifted to the top where the top has none, and with mapped claims under the
// names that HealthLake knows.
func passThrough(set claims.Set, names map[string]string) claims.Set {
	passed := maps.Clone(set)
	for name, value := range set.Object("ext") {
		if !passed.Has(name) && !named(unliftable, name) {
			passed[name] = value
		}
	}
	mapped := claims.Set{}
	for name, here := range names {
		if passed.Has(here) {
			mapped[name] = passed[here]
		}
	}
	maps.Copy(passed, mapped)
	maps.DeleteFunc(passed, func(name string, _ json.RawMessage) bool { return named(ours, name) })
	return passed
}

// named ignores case, in case HealthLake's reader does.
func named(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// encode writes JSON without the HTML escapes that encoding/json adds by default: a scope such as
// patient/Observation.rs?category=laboratory&status=final stays as it is.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
