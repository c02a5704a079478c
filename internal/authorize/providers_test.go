package authorize

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/reason"
)

// providerFile is what a provider's tokens look like, as its documentation has it, with made-up values.
type providerFile struct {
	TokenEndpoint string         `json:"tokenEndpoint"`
	Cases         []providerCase `json:"cases"`
}

type providerCase struct {
	Name       string          `json:"name"`
	Source     string          `json:"source"`     // title and address of the page that documents the shape
	Validation string          `json:"validation"` // jwt or introspection
	Issuer     string          `json:"issuer"`     // jwt: whose tokens the deployment verifies
	Header     json.RawMessage `json:"header"`     // jwt: the token's header
	Claims     json.RawMessage `json:"claims"`     // the token's claims, or the introspection answer
	Rules      Rules           `json:"rules"`
	Want       struct {
		Verifier    string          `json:"verifier"`    // not "": the verifier refuses the token, for this reason
		Decision    string          `json:"decision"`    // not "": the decision denies it, for this reason
		AuthPayload json.RawMessage `json:"authPayload"` // neither: what HealthLake gets
	} `json:"want"`
}

func providerFiles(t *testing.T) map[string]providerFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/providers/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	files := map[string]providerFile{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields() // a misspelled rule would be no rule
		var file providerFile
		if err := decoder.Decode(&file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = file
	}
	return files
}

// The tokens and introspection answers of real providers, with what HealthLake gets for each. Those that the verifier
// refuses are tested in package jwt.
func TestProviders(t *testing.T) {
	for provider, file := range providerFiles(t) {
		for _, test := range file.Cases {
			if test.Want.Verifier != "" {
				continue
			}
			t.Run(provider+"/"+test.Name, func(t *testing.T) {
				if !strings.Contains(test.Source, "https://") {
					t.Errorf("source %q has no address", test.Source)
				}
				d := Decide(test.decidable(t), endpoint, now, test.Rules)
				if want := test.Want.Decision; want != "" {
					d.Claims, d.Mismatch = nil, reason.Mismatch{} // for the log
					if !reflect.DeepEqual(d, Deny(named(t, want), now)) {
						t.Fatalf("got %t because %s, want a denial because %s", d.Authorized(), d.Reason.Word, want)
					}
					return
				}
				if !d.Authorized() {
					t.Fatalf("denied because %s", d.Reason.Word)
				}
				answer := NewResponse(d, file.TokenEndpoint, endpoint, roleARN)
				text, err := answer.JSON()
				if err != nil {
					t.Fatal(err)
				}
				want := `{"authPayload":` + string(test.Want.AuthPayload) + `,"iamRoleARN":"` + roleARN + `"}`
				if !reflect.DeepEqual(value(t, string(text)), value(t, want)) {
					t.Errorf("got  %s\nwant %s", text, want)
				}
			})
		}
	}
}

// decidable is the claims as the decision gets them: a verified token is active.
func (c providerCase) decidable(t *testing.T) claims.Set {
	t.Helper()
	set := parse(t, string(c.Claims))
	switch c.Validation {
	case "introspection":
	case "jwt":
		set["active"] = json.RawMessage("true")
	default:
		t.Fatalf("validation %q", c.Validation)
	}
	return set
}

// value is JSON text without its spaces and its order, with numbers as they are written.
func value(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// named is the reason with a word.
func named(t *testing.T, word string) reason.Reason {
	t.Helper()
	for _, r := range reason.All() {
		if r.Word == word {
			return r
		}
	}
	t.Fatalf("there is no reason %s", word)
	return reason.Reason{}
}
