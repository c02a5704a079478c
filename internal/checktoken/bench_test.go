package checktoken_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
)

// BenchmarkClientAuthentication is a warm call with each way of client authentication, with a provider on this machine that does
// not check the credentials: what differs is the function's own part.
func BenchmarkClientAuthentication(b *testing.B) {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"active": true, "scope": "system/*.rs"}`)
	}))
	b.Cleanup(provider.Close)
	encoded := func(key any) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}))
	}
	for _, way := range []struct{ name, method, key string }{
		{"basic", "basic", ""},
		{"private_key_jwt ES256", "private_key_jwt", encoded(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))},
		{"private_key_jwt RS256", "private_key_jwt", encoded(must(rsa.GenerateKey(rand.Reader, 2048)))},
	} {
		checker := must(checktoken.New(contract.Environment{
			TokenValidation: contract.TokenValidationIntrospection, IntrospectionAuth: way.method, IntrospectionOrigin: provider.URL,
			ClientAssertionAudience: provider.URL,
		}, httpclient.NewTransport(nil), time.Now))
		document := contract.Document{ClientID: "me", ClientSecret: "secret", ClientPrivateKey: way.key, AuthEndpointIntrospect: provider.URL}
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := checker.Check(b.Context(), "a-token", endpoint, document); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
