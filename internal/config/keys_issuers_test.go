package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestMoreIssuers(t *testing.T) {
	const text = `[
		{"issuer": "https://patients.example", "jwks": "https://patients.example/jwks", "requiredAudience": ["https://fhir.example", "datastore"],
			"requiredScope": "fhir launch", "claimNames": {"fhirUser": "https://patients.example/fhirUser"}},
		{"issuer": "https://patients.example/", "jwks": "https://patients.example/jwks", "requiredAudience": "datastore"}
	]`
	want := []contract.Issuer{
		{Issuer: "https://patients.example", JWKS: "https://patients.example/jwks",
			RequiredAudience: []string{"https://fhir.example", "datastore"}, RequiredScope: []string{"fhir", "launch"},
			ClaimNames: map[string]string{"fhirUser": "https://patients.example/fhirUser"}},
		// Issuers are compared byte for byte: this is another one.
		{Issuer: "https://patients.example/", JWKS: "https://patients.example/jwks", RequiredAudience: []string{"datastore"}},
	}
	var list any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []any{text, list} { // from the command line and from the file
		c := accepts(t, map[string]any{"moreIssuers": raw})
		if !reflect.DeepEqual(c.MoreIssuers, want) {
			t.Errorf("got %+v, want %+v", c.MoreIssuers, want)
		}
		// The function reads what the stack writes.
		variables := c.Environment().Variables()
		read, err := contract.ReadEnvironment(func(name string) string { return variables[name] })
		if err != nil || !reflect.DeepEqual(read.MoreIssuers, want) {
			t.Errorf("the function reads %+v, %v", read.MoreIssuers, err)
		}
	}
	for _, none := range []any{"", "[]", []any{}} {
		if c := accepts(t, map[string]any{"moreIssuers": none}); len(c.MoreIssuers) != 0 {
			t.Errorf("%v: got %v", none, c.MoreIssuers)
		}
	}
}

func TestMoreIssuersFaultsNameTheEntry(t *testing.T) {
	const good = `{"issuer": "https://a.example", "jwks": "https://a.example/jwks", "requiredAudience": "datastore"}`
	form := "objects with issuer, jwks, requiredAudience, requiredScope (optional), claimNames (optional) and nothing else"
	for second, want := range map[string]string{
		`7`:                                   "entry 2: 7, want " + form,
		`null`:                                "entry 2: null, want " + form,
		`{}`:                                  "entry 2: no issuer, want ",
		`{"issuer": "http://b.example"}`:      `entry 2: issuer "http://b.example", want an absolute https URL`,
		`{"issuer": "https://u:p@b.example"}`: `entry 2: issuer "https:(hidden)@b.example", want an absolute https URL`,
		`{"issuer": "https://b.example"}`:     `entry 2 ("https://b.example"): no jwks, want `,
		`{"issuer": "https://b.example", "jwks": "x"}`:                 `entry 2 ("https://b.example"): jwks "x", want `,
		`{"issuer": "https://b.example", "jwks": "https://b.example"}`: `entry 2 ("https://b.example"): no requiredAudience, want at least one`,
		`{"issuer": "https://b.example", "jwks": "https://b.example", "requiredAudience": []}`: `entry 2 ("https://b.example"): ` +
			`requiredAudience a list, want at least one audience, without spaces`,
		strings.Replace(good, "}", `, "requiredScope": ["a b"]}`, 1):   `entry 2 ("https://a.example"): requiredScope "a b", want `,
		strings.Replace(good, "}", `, "claimNames": {"iss": "x"}}`, 1): `entry 2 ("https://a.example"): claimNames an object, want `,
		strings.Replace(good, "}", `, "audience": "x"}`, 1):            `entry 2 ("https://a.example"): unknown name "audience", want ` + form,
		good: `entry 2 ("https://a.example"): the issuer of entry 1, want each issuer once`,
		strings.ReplaceAll(good, "https://a.example\"", "https://idp.example\""): `entry 2 ("https://idp.example"): the issuer of authIssuer, want`,
	} {
		context := map[string]any{"moreIssuers": "[" + good + "," + second + "]", "authIssuer": "https://idp.example"}
		_, problems := Parse(with(context))
		if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "moreIssuers: got "+want) {
			t.Errorf("%s:\ngot  %v\nwant error moreIssuers: got %s", second, problems, want)
		}
	}
	says(t, map[string]any{"moreIssuers": "[{"}, `error moreIssuers: got "[{", want a list of `+form)
	says(t, map[string]any{"moreIssuers": true}, `error moreIssuers: got true, want a list of `+form)
}

// Lambda allows 4 KB for all environment variables.
func TestMoreIssuersFitIntoTheEnvironment(t *testing.T) {
	var entries []string
	for i := range 40 {
		entries = append(entries, fmt.Sprintf(`{"issuer": "https://i%d.example", "jwks": "https://i%d.example/jwks", "requiredAudience": "datastore"}`, i, i))
	}
	accepts(t, map[string]any{"moreIssuers": "[" + strings.Join(entries[:30], ",") + "]"})
	_, problems := Parse(with(map[string]any{"moreIssuers": "[" + strings.Join(entries, ",") + "]"}))
	if len(problems) != 1 || !strings.Contains(problems[0].String(), "want at most 3646 bytes") {
		t.Errorf("got %v", problems)
	}
}
