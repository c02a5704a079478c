package contract_test

import (
	"strings"
	"testing"
)

func TestIssuersAreChecked(t *testing.T) {
	const one = `{"issuer":"https://a.example","jwks":"https://a.example/jwks","requiredAudience":["datastore"]}`
	for name, text := range map[string]string{
		"no array":              one,
		"no JSON":               `[`,
		"more than the array":   `[` + one + `] []`,
		"a bracket too many":    `[` + one + `]]`,
		"an unknown name":       `[` + strings.Replace(one, `"jwks"`, `"trusted":true,"jwks"`, 1) + `]`,
		"a number for a text":   `[` + strings.Replace(one, `"https://a.example"`, `7`, 1) + `]`,
		"no issuer":             `[` + strings.Replace(one, `"https://a.example"`, `""`, 1) + `]`,
		"no keys":               `[` + strings.Replace(one, `"jwks":"https://a.example/jwks",`, ``, 1) + `]`,
		"no audience":           `[` + strings.Replace(one, `["datastore"]`, `[]`, 1) + `]`,
		"the same issuer twice": `[` + one + `,` + one + `]`,
		"the main issuer":       `[` + strings.Replace(one, `"https://a.example"`, `"https://idp.example/"`, 1) + `]`,
	} {
		set := map[string]string{"MORE_ISSUERS": text, "TOKEN_VALIDATION": "jwt", "AUTH_ISSUER": "https://idp.example/",
			"AUTH_ENDPOINT_JWKS": "https://idp.example/jwks", "REQUIRED_AUDIENCE": "datastore"}
		if e, err := read(set); err == nil || !strings.Contains(err.Error(), "MORE_ISSUERS: ") || strings.Contains(err.Error(), "example") {
			t.Errorf("%s: got %v, %v, want an error that names the variable and no value", name, e.MoreIssuers, err)
		}
	}
}
