// Package authorize decides what HealthLake is told about an access token, from an authorization server's claims about
// it. It does no I/O.
package authorize

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/internal/scopes"
)

const (
	// notBeforeSkew is how far a provider's clock may be ahead of ours.
	notBeforeSkew = 60 * time.Second
	// defaultLifetime is how long a response is good for where the provider does not say when the token ends.
	defaultLifetime = 60 * time.Second
)

// Rules are what the deployment requires of a token beyond its being active.
type Rules struct {
	RequiredAudience []string // one of these must be in aud; empty requires none; "datastore" stands for the endpoint
	TrustedIssuers   []string // empty trusts any
	RequiredScopes   []string // each must be among the token's scopes

	// MaxLifetime is the longest time from iat to exp that is accepted; 0 accepts any, and tokens without iat or exp.
	MaxLifetime time.Duration
	// AcceptSenderConstrained accepts tokens that are bound to a key, although nobody can check here that the app holds it.
	AcceptSenderConstrained bool

	// ClaimNames says where claims live at this provider, by the name that HealthLake knows them under: fhirUser, patient,
	// scope. The mapped claim replaces one of that name. No other claim that this package sets can be mapped.
	ClaimNames map[string]string
}

// Decision is what follows from a token's claims. Make one with Decide or Deny.
type Decision struct {
	Reason reason.Reason
	// Mismatch is set where the reason is reason.Audience or reason.Issuer.
	Mismatch reason.Mismatch
	// Claims are the token's, with those nested in ext at the top and the mapped ones under HealthLake's names; nil where the
	// provider gave none about an active token. They may name a person.
	Claims claims.Set
	// FHIRScopes is how many of an authorized token's scopes are for FHIR resources. With none, HealthLake has nothing to grant.
	FHIRScopes int
	// Access is what the scopes of an authorized token need a role for; a denial needs none.
	Access scopes.Access

	scope         json.RawMessage
	iat, nbf, exp int64 // seconds since 1970
}

// Authorized tells whether HealthLake is told to carry out the request.
func (d Decision) Authorized() bool { return d.Reason == reason.Active }

// Decide decides about an access token for the datastore at endpoint. It denies whatever it does not understand.
func Decide(set claims.Set, endpoint string, now time.Time, rules Rules) Decision {
	if !set.True("active") { // RFC 7662 section 2.2: a required boolean
		return Deny(reason.Inactive, now)
	}
	d := Decision{Reason: reason.Active, Claims: lift(set, rules.ClaimNames)}
	for _, check := range []func() reason.Reason{
		func() reason.Reason { return checkKind(set, rules.AcceptSenderConstrained) },
		func() reason.Reason { return d.readTimes(set, now, rules.MaxLifetime) },
		func() reason.Reason { return d.checkIssuer(set, rules.TrustedIssuers) },
		func() reason.Reason { return d.checkAudience(set, rules.RequiredAudience, endpoint) },
		func() reason.Reason { return d.readScope(set, rules) },
	} {
		if r := check(); r != reason.Active {
			denied := Deny(r, now)
			denied.Claims, denied.Mismatch = d.Claims, d.Mismatch
			return denied
		}
	}
	return d
}

// Deny returns the decision against a token, for a reason that is not reason.Active.
func Deny(r reason.Reason, now time.Time) Decision {
	t := now.Unix()
	return Decision{Reason: r, scope: json.RawMessage(`""`), iat: t, nbf: t, exp: t}
}

// readTimes fills in iat, nbf and exp, and checks that the token is inside its times, and that these are not too far apart.
func (d *Decision) readTimes(set claims.Set, now time.Time, maxLifetime time.Duration) reason.Reason {
	exp, hasExp, errExp := set.Time("exp")
	nbf, hasNbf, errNbf := set.Time("nbf")
	iat, hasIat, errIat := set.Time("iat")
	if errExp != nil || errNbf != nil || errIat != nil {
		return reason.MalformedClaim
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
		return reason.Expired
	}
	if nbf > now.Add(notBeforeSkew).Unix() {
		return reason.NotYetValid
	}
	// From now at the latest: a token that says that it was issued in the future does not live longer for that.
	if maxLifetime > 0 && (!hasIat || !hasExp || exp-min(iat, now.Unix()) > int64(maxLifetime.Seconds())) {
		return reason.Lifetime
	}
	// HealthLake requires that nbf is not in the future; the provider's clock may be a little ahead.
	d.iat, d.nbf, d.exp = iat, min(nbf, now.Unix()), exp
	return reason.Active
}

func (d *Decision) checkIssuer(set claims.Set, trusted []string) reason.Reason {
	issuer, err := set.Text("iss")
	switch {
	case err != nil:
		return reason.MalformedClaim
	case len(trusted) > 0 && !slices.Contains(trusted, issuer):
		d.Mismatch = mismatch([]string{issuer}, trusted)
		return reason.Issuer
	}
	return reason.Active
}

func (d *Decision) checkAudience(set claims.Set, required []string, endpoint string) reason.Reason {
	audience, err := audienceOf(set)
	switch {
	case err != nil:
		return reason.MalformedClaim
	case len(required) > 0 && !slices.ContainsFunc(required, func(r string) bool { return accepts(r, audience, endpoint) }):
		d.Mismatch = mismatch(audience, required)
		return reason.Audience
	}
	return reason.Active
}

func mismatch(got, want []string) reason.Mismatch {
	return reason.Mismatch{Got: strings.Join(got, " "), Want: strings.Join(want, " or ")}
}

// audienceOf returns the aud claim. Cognito's access tokens have none: the client they were issued to is in client_id.
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

// accepts tells whether a required audience is among a token's own.
func accepts(required string, audience []string, endpoint string) bool {
	if required == "datastore" {
		bare := strings.TrimSuffix(endpoint, "/")
		return slices.Contains(audience, bare) || slices.Contains(audience, bare+"/")
	}
	return slices.Contains(audience, required)
}
