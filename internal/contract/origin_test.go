package contract_test

import (
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://idp.example/oauth2/introspect?a=b": "https://idp.example",
		"HTTPS://IDP.Example:443/x":                 "https://idp.example",
		"https://idp.example:8443/x":                "https://idp.example:8443",
		"http://127.0.0.1:80/x":                     "http://127.0.0.1",
		"https://idp.example:80/x":                  "https://idp.example:80",
		"https://idp.example:/x":                    "https://idp.example",
		"https://[::1]:443/x":                       "https://[::1]",
		"https://user@idp.example/x":                "https://idp.example",
		"https://idp.example.evil.example/x":        "https://idp.example.evil.example",
		"https://idp.example@evil.example/x":        "https://evil.example",
		"idp.example/x":                             "", "": "", "https:///x": "", "https://%zz/": "",
	} {
		if got := contract.Origin(address); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestHostPort(t *testing.T) {
	for address, want := range map[string]string{
		"https://idp.example/oauth2/introspect": "idp.example:443", "https://idp.example:8443/x": "idp.example:8443",
		"http://localhost/x": "localhost:80", "https://[fd00::1]/x": "[fd00::1]:443", "idp.example/x": "", "": "", "https://%zz/": "",
	} {
		if got := contract.HostPort(address); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}
