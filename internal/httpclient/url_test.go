package httpclient_test

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/httpclient"
)

func TestParseURL(t *testing.T) {
	for _, text := range []string{
		"https://idp.example", "https://idp.example:8443/a?b", "https://192.0.2.1/", "https://[2001:db8::1]/", "HTTPS://idp.example/",
		"http://localhost/", "http://LOCALHOST:8080/", "http://127.0.0.1:1/", "http://127.8.9.10/", "http://[::1]:8080/",
	} {
		if u, err := httpclient.ParseURL(text); err != nil || u.Host == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "/leak", "leak", "//idp.example/leak", "https://", "https:///leak", "https:leak", "https://%zz leak", "file:///leak",
		"ftp://127.0.0.1/leak", "http://idp.example/leak", "http://192.0.2.1/leak", "http://10.0.0.1/leak",
		"http://localhost.example/leak", "http://127.0.0.1.example/leak", "http://2130706433/leak", "http://[2001:db8::1]/leak",
		"http://localhost@idp.example/leak", "javascript:leak", "https://idp.example\nleak/",
	} {
		if u, err := httpclient.ParseURL(text); err == nil || strings.Contains(err.Error(), "leak") {
			t.Errorf("%q: got %v, %v, want an error that does not quote it", text, u, err)
		}
	}
}
