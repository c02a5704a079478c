package jwt_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/jwt"
)

// The documented tokens of real providers, signed as their headers say: each is verified and its claims handed out
// unchanged, or it is refused here already. What the decision makes of the others is tested with the decision.
func TestProviders(t *testing.T) {
	paths, err := filepath.Glob("../authorize/testdata/providers/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		var file struct {
			Cases []struct {
				Name, Validation, Issuer string
				Header                   map[string]any
				Claims                   map[string]json.RawMessage
				Want                     struct{ Verifier string }
			}
		}
		if err := json.Unmarshal(must(os.ReadFile(path)), &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, test := range file.Cases {
			if test.Validation != "jwt" {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(path), ".json")+"/"+test.Name, func(t *testing.T) {
				keyID, _ := test.Header["kid"].(string)
				p := newProvider(t)
				p.publish(http.StatusOK, jose.JSONWebKey{KeyID: keyID, Key: rsaKey.Public(), Use: "sig", Algorithm: "RS256"})
				algorithm, _ := test.Header["alg"].(string)
				// The signer writes alg itself.
				headers := map[string]any{}
				for name, value := range test.Header {
					if name != "alg" {
						headers[name] = value
					}
				}
				token := sign(jose.SignatureAlgorithm(algorithm), rsaKey, headers, test.Claims)

				set, err := jwt.New(test.Issuer, p.URL, httpclient.NewTransport(nil), time.Now).Claims(t.Context(), token)
				if want := test.Want.Verifier; want != "" {
					var refusal *jwt.Refusal
					if !errors.As(err, &refusal) || refusal.Reason.Word != want {
						t.Fatalf("got %v, want a refusal because %s", err, want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if !set.True("active") || len(set) != len(test.Claims)+1 {
					t.Errorf("got %s, want the token's %d claims and active", set, len(test.Claims))
				}
				for name, want := range test.Claims {
					if got := string(set[name]); got != string(must(json.Marshal(want))) {
						t.Errorf("%s: got %s, want %s", name, got, want)
					}
				}
			})
		}
	}
}
