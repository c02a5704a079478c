package authorize

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/internal/scopes"
)

// reserved do not go through. HealthLake trusts them because this function sets them, scope included: a provider may send it in
// another form.
var reserved = slices.Concat(contract.ReservedClaims, []string{"scope"})

// notFromExt are claims that decide about the token or name its holder. ext comes from the login application, so it must
// not set these claims.
var notFromExt = []string{"scp", "sub", "client_id", "username", "token_type", "token_use", "typ", "jti", "azp", "cid", "cnf"}

// lift returns the claims with the SMART launch context (fhirUser, patient, encounter and so on) that ORY nests in ext at the
// top, where the top has no claim of that name, not even null, and with mapped claims under the names that HealthLake knows.
func lift(set claims.Set, names map[string]string) claims.Set {
	lifted := maps.Clone(set)
	for name, value := range set.Object("ext") {
		if !isOneOf(slices.Values(notFromExt), name) && !isOneOf(maps.Keys(set), name) {
			lifted[name] = value
		}
	}
	mapped := claims.Set{}
	for name, here := range names {
		if lifted.Has(here) {
			mapped[name] = lifted[here]
		}
	}
	maps.Copy(lifted, mapped)
	return lifted
}

// passThrough returns the claims that go to HealthLake unchanged.
func passThrough(lifted claims.Set) claims.Set {
	passed := maps.Clone(lifted)
	maps.DeleteFunc(passed, func(name string, _ json.RawMessage) bool { return isOneOf(slices.Values(reserved), name) })
	return passed
}

// isOneOf ignores case, in case HealthLake does.
func isOneOf(names iter.Seq[string], name string) bool {
	for n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// readScope fills in the scope, and checks that the token has every required one.
func (d *Decision) readScope(set claims.Set, rules Rules) reason.Reason {
	literal, text, err := scopeOf(set, rules.ClaimNames["scope"])
	if err != nil {
		return reason.MalformedClaim
	}
	d.scope = literal
	granted := strings.Split(text, " ") // RFC 6749 section 3.3: separated by spaces, and by nothing else
	if slices.ContainsFunc(rules.RequiredScopes, func(s string) bool { return !slices.Contains(granted, s) }) {
		return reason.Scope
	}
	d.FHIRScopes, d.Access = len(scopes.All(text)), scopes.AccessOf(text)
	return reason.Active
}

// scopeOf returns the scope claim, as JSON text too, which is byte for byte the provider's where that is a string (RFC 7662
// section 2.2). An array, and Okta's scp where there is no scope, are joined with spaces. A claim named mapped comes before both.
func scopeOf(set claims.Set, mapped string) (literal json.RawMessage, scope string, err error) {
	for _, name := range []string{mapped, "scope", "scp"} {
		if !set.Has(name) {
			continue
		}
		if scope, err := set.Text(name); err == nil {
			return set[name], scope, nil
		}
		list, err := set.List(name)
		if err != nil {
			return nil, "", err
		}
		scope := strings.Join(list, " ")
		return text(scope), scope, nil
	}
	return text(""), "", nil
}
