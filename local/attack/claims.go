package main

import (
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/sandbox"
)

// family is claims with which no token may be authorized, whoever vouches for it, each replacing good ones.
type family struct {
	wrong  string
	claims []object
}

func unusable() []family {
	past, future := sandbox.In(-time.Hour), sandbox.In(time.Hour)
	return []family{
		{"token_use of another kind of token", of("token_use", "id", "refresh", "refresh_token", "logout", []string{"access"}, 1)},
		{"token_type of another kind of token", of("token_type", "refresh_token", "mac", "pop", "N_A", "id_token",
			"RegistrationAccessToken", "Bearer ", "", true)},
		{"typ of another kind of token", of("typ", "ID", "Refresh", "Offline", "Logout", "logout+jwt", "secevent+jwt", "", 7)},
		{"ID and logout tokens", []object{{"at_hash": "x"}, {"c_hash": "x"}, {"events": object{"logout": object{}}}}},
		{"bound to a key (cnf)", append(of("cnf", object{"jkt": "x"}, object{"x5t#S256": "x"}, object{"jwk": object{}}, object{}, "x", false, 0),
			object{"token_type": "DPoP"}, object{"token_type": "dpop"}, object{"typ": "dPoP"})},
		{"exp in the past, or no time", of("exp", sandbox.In(0), past, 0, -1, 1e300, "never", "", true, []int64{future}, object{},
			"2999-01-01T00:00:00Z", future*1000, future*1e6)},
		{"nbf in the future, or no time", of("nbf", sandbox.In(2*time.Minute), future, future*1000, -1, 1e300, "later", true, []int64{0})},
		{"scope, aud, iss, iat of a wrong type", []object{{"scope": 7}, {"scope": object{"a": 1}}, {"scope": []any{"user/*.rs", nil}}, {"aud": 7},
			{"aud": object{"a": 1}}, {"iss": 7}, {"iss": []string{"x"}}, {"iat": "now"}, {"iat": -1}}},
		{"active is not true", of("active", "true", "TRUE", 1, 1.5, 0, "1", "", false, []bool{true}, object{"active": true})},
	}
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

// also is a JSON object with one more member, even if it has one of that name.
func also(object, member string) string { return strings.TrimSuffix(object, "}") + "," + member + "}" }
