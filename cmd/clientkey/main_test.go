package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/clientauth"
)

func TestKeyPair(t *testing.T) {
	for _, algorithm := range []string{"ES256", "ES384", "RS256", "PS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var out strings.Builder
			if err := run([]string{"-alg", algorithm}, &out, &out); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat("client-private-key.json")
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the file's mode is %v, %v", info.Mode(), err)
			}
			text, err := os.ReadFile("client-private-key.json")
			if err != nil {
				t.Fatal(err)
			}
			key, err := clientauth.ParseKey(string(text))
			if err != nil || key.Algorithm() != algorithm {
				t.Fatalf("the file holds a key for %v, %v", key, err)
			}
			var private struct{ D string }
			if err := json.Unmarshal(text, &private); err != nil || private.D == "" || strings.Contains(out.String(), private.D) {
				t.Errorf("the private key is printed, or not there: %v", err)
			}
			// The printed key set verifies what the file's key signs.
			_, rest, _ := strings.Cut(out.String(), "(clientId):\n\n")
			printed, _, _ := strings.Cut(rest, "\n")
			var set jose.JSONWebKeySet
			if err := json.Unmarshal([]byte(printed), &set); err != nil || len(set.Key(key.ID())) != 1 {
				t.Fatalf("key set %s: %v", printed, err)
			}
			assertion, err := key.Assertion("me", "https://idp.example", info.ModTime())
			if err != nil {
				t.Fatal(err)
			}
			signed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signed.Verify(set.Key(key.ID())[0]); err != nil {
				t.Error(err)
			}

			before := string(text)
			if err := run(nil, &out, &out); err == nil || !strings.Contains(err.Error(), "exists already") {
				t.Errorf("a second key: %v", err)
			}
			if text, _ := os.ReadFile("client-private-key.json"); string(text) != before {
				t.Error("the first key is overwritten")
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	for want, args := range map[string][]string{
		"want ES256, ES384, RS256 or PS256": {"-alg", "HS256"},
		"is not an option":                  {"ES256"},
		"flag provided but not defined":     {"-key"},
		"no such file":                      {"-out", filepath.Join("missing", "key.json")},
	} {
		var out strings.Builder
		if err := run(args, &out, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", args, err, want)
		}
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("files are left: %v, %v", files, err)
	}
}
