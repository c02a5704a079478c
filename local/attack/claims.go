package main

import (
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/sandbox"
)

// unusable are claims with which no token may be authorized, whoever vouches for it, by what is wrong with them.
func unusable() (names []string, claims [][]object) {
	add := func(name string, list ...object) { names, claims = append(names, name), append(claims, list) }
	past, future := sandbox.In(-time.Hour), sandbox.In(time.Hour)
	add("token_use of another kind of token", of("token_use", "id", "refresh", "refresh_token", "logout", []string{"access"}, 1)...)
	add("token_type of another kind of token",
		of("token_type", "refresh_token", "mac", "pop", "N_A", "id_token", "RegistrationAccessToken", "Bearer ", "", true)...)
	add("typ of another kind of token", of("typ", "ID", "Refresh", "Offline", "Logout", "logout+jwt", "secevent+jwt", "", 7)...)
	add("ID and logout tokens", object{"at_hash": "x"}, object{"c_hash": "x"}, object{"events": object{"logout": object{}}})
	add("cnf", of("cnf", object{"jkt": "x"}, object{"x5t#S256": "x"}, object{"jwk": object{}}, object{}, "x", false, 0)...)
	add("DPoP", object{"token_type": "DPoP"}, object{"token_type": "dpop"}, object{"typ": "dPoP"})
	add("exp in the past, or no time", of("exp", sandbox.In(0), past, 0, -1, 1e300, "never", "", true, []int64{future}, object{},
		"2999-01-01T00:00:00Z", future*1000, future*1e6)...)
	add("nbf in the future, or no time", of("nbf", sandbox.In(2*time.Minute), future, future*1000, -1, 1e300, "later", true, []int64{0})...)
	add("scope, aud, iss, iat of a wrong type", append(of("scope", 7, object{}, []any{"user/*.rs", nil}), append(of("aud", 7, object{}),
		append(of("iss", 7, []string{sandbox.Issuer}), of("iat", "now", -1)...)...)...)...)
	add("active is not true", of("active", "true", "TRUE", 1, 1.5, 0, "1", "", false, []bool{true}, object{"active": true})...)
	return names, claims
}

// of are objects with one member, which has these values.
func of(name string, values ...any) []object {
	return each(values, func(value any) object { return object{name: value} })
}

func each[T, U any](values []T, change func(T) U) (all []U) {
	for _, value := range values {
		all = append(all, change(value))
	}
	return all
}

// fill puts each value in the place of the pattern's %.
func fill(pattern string, values ...string) []string {
	return each(values, func(value string) string { return strings.Replace(pattern, "%", value, 1) })
}

// also is a JSON object with one more member, even if it has one of that name.
func also(object, member string) string { return strings.TrimSuffix(object, "}") + "," + member + "}" }
