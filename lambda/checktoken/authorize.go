package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
)

// Reasons for a decision, as the log line has them.
const (
	reasonActive         = "active"
	reasonInactive       = "inactive"
	reasonMalformedToken = "malformed_token"
	reasonMalformedClaim = "malformed_claim"
	reasonExpired        = "expired"
	reasonNotYetValid    = "not_yet_valid"
	reasonNotAccessToken = "not_an_access_token"
	reasonAudience       = "audience_not_accepted"
	reasonIssuer         = "issuer_not_trusted"
)

const (
	// notBeforeSkew is how far a provider's clock may be ahead of ours.
	notBeforeSkew = 60 * time.Second
	// defaultLifetime is how long an answer is good for where the provider does not say when the token ends.
	defaultLifetime = 60 * time.Second
)

// rules are what the deployment requires of a token beyond its being active.
type rules struct {
	requiredAudience string   // "" requires none; the word "datastore" stands for the event's endpoint
	trustedIssuers   []string // empty trusts any
}

// decision is what follows from a token's claims.
type decision struct {
	authorized    bool
	reason        string
	scope         json.RawMessage
	iat, nbf, exp int64      // seconds since 1970
	passed        claims.Set // every other claim that goes to HealthLake
}

// authorize decides about an access token for the datastore at endpoint. It denies whatever it does not understand.
func authorize(set claims.Set, endpoint string, now time.Time, r rules) decision {
	if !set.True("active") { // RFC 7662 section 2.2: a required boolean
		return deny(reasonInactive, now)
	}
	if kind := kindOf(set); kind != "" {
		return deny(kind, now)
	}
	d := decision{authorized: true, reason: reasonActive}
	if reason := d.readTimes(set, now); reason != "" {
		return deny(reason, now)
	}
	issuer, err := set.Text("iss")
	if err != nil {
		return deny(reasonMalformedClaim, now)
	}
	if len(r.trustedIssuers) > 0 && !slices.Contains(r.trustedIssuers, issuer) {
		return deny(reasonIssuer, now)
	}
	audience, err := set.List("aud")
	if err != nil {
		return deny(reasonMalformedClaim, now)
	}
	if !accepts(r.requiredAudience, audience, endpoint) {
		return deny(reasonAudience, now)
	}
	if d.scope, err = scopeOf(set); err != nil {
		return deny(reasonMalformedClaim, now)
	}
	d.passed = passThrough(set)
	return d
}

func deny(reason string, now time.Time) decision {
	t := now.Unix()
	return decision{reason: reason, scope: json.RawMessage(`""`), iat: t, nbf: t, exp: t}
}

// kindOf returns the reason to deny a token that is not an access token, or "". ORY and Cognito say in token_use what it
// is; others call a refresh token one in token_type, and Keycloak in typ.
func kindOf(set claims.Set) string {
	use, err := set.Text("token_use")
	if err != nil {
		return reasonMalformedClaim
	}
	if set.Has("token_use") && use != "access_token" && use != "access" {
		return reasonNotAccessToken
	}
	for _, name := range []string{"token_type", "typ"} {
		kind, err := set.Text(name)
		if err != nil {
			return reasonMalformedClaim
		}
		// "refresh_token", "Refresh" and urn:ietf:params:oauth:token-type:refresh_token (RFC 8693 section 3) alike.
		if strings.Contains(strings.ToLower(kind), "refresh") {
			return reasonNotAccessToken
		}
	}
	// Keycloak's long-lived refresh tokens and its ID tokens.
	if kind, _ := set.Text("typ"); strings.EqualFold(kind, "offline") || strings.EqualFold(kind, "id") {
		return reasonNotAccessToken
	}
	return ""
}

// readTimes fills in iat, nbf and exp and returns the reason to deny a token outside its times, or "".
func (d *decision) readTimes(set claims.Set, now time.Time) string {
	exp, hasExp, errExp := set.Time("exp")
	nbf, hasNbf, errNbf := set.Time("nbf")
	iat, hasIat, errIat := set.Time("iat")
	if errExp != nil || errNbf != nil || errIat != nil {
		return reasonMalformedClaim
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
		return reasonExpired
	}
	if nbf > now.Add(notBeforeSkew).Unix() {
		return reasonNotYetValid
	}
	d.iat, d.nbf, d.exp = iat, nbf, exp
	return ""
}

// accepts tells whether the required audience is among a token's own.
func accepts(required string, audience []string, endpoint string) bool {
	switch required {
	case "":
		return true
	case "datastore":
		bare := strings.TrimSuffix(endpoint, "/")
		return slices.Contains(audience, bare) || slices.Contains(audience, bare+"/")
	}
	return slices.Contains(audience, required)
}

// scopeOf returns the scope claim as JSON text, byte for byte where it is a string (RFC 7662 section 2.2). An array, and
// Okta's scp in place of scope, are joined with spaces.
func scopeOf(set claims.Set) (json.RawMessage, error) {
	for _, name := range []string{"scope", "scp"} {
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
// encounter and so on) that ORY nests in ext lifted to the top where the top has none.
func passThrough(set claims.Set) claims.Set {
	passed := maps.Clone(set)
	for name, value := range set.Object("ext") {
		if !passed.Has(name) && !named(unliftable, name) {
			passed[name] = value
		}
	}
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
