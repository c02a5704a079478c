package jwt_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/jwt"
)

// load has a verifier fetch what a server sends.
func load(t *testing.T, send http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(send)
	defer server.Close()
	return jwt.New(issuer, server.URL, httpclient.NewTransport(nil), time.Now).Load(t.Context())
}

func TestKeyErrorsDoNotQuoteTheServer(t *testing.T) {
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}
		}
	}
	for name, send := range map[string]http.HandlerFunc{
		"not HTTP":           raw("leak\r\n\r\n"),
		"a malformed status": raw("HTTP/1.1 leak leak\r\n\r\n"),
		"a malformed header": raw("HTTP/1.1 200 OK\r\nleak\r\n\r\n"),
		"a malformed chunk":  raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nleak\r\n"),
		"a wrong length":     raw("HTTP/1.1 200 OK\r\nContent-Length: leak\r\n\r\n"),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://leak.example/", http.StatusFound)
		},
		"not JSON":          func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "leak") },
		"keys of a string":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys": "leak"}`) },
		"a key of a string": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys": ["leak"]}`) },
	} {
		if err := load(t, send); err == nil || strings.Contains(err.Error(), "leak") || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestKeysComeBySecureURLsAlone(t *testing.T) {
	for _, endpoint := range []string{"http://idp.example/keys", "http://192.0.2.1/keys", "/keys", "", "file:///etc/keys", "https://%zz"} {
		err := jwt.New(issuer, endpoint, httpclient.NewTransport(nil), time.Now).Load(t.Context())
		if err == nil || !strings.Contains(err.Error(), "URL") {
			t.Errorf("%q: got %v", endpoint, err)
		}
	}
}

func TestKeySets(t *testing.T) {
	good := string(must(json.Marshal(jose.JSONWebKey{KeyID: "1", Key: rsaKey.Public()})))
	with := func(member string) string { return strings.TrimSuffix(good, "}") + "," + member + "}" }
	for name, test := range map[string]struct {
		body string
		ok   bool
	}{
		"a key":                        {`{"keys":[` + good + `]}`, true},
		"a key to verify with":         {`{"keys":[` + with(`"key_ops":["verify"]`) + `]}`, true},
		"a key to verify and more":     {`{"keys":[` + with(`"key_ops":["sign","verify"]`) + `]}`, true},
		"a key to encrypt with":        {`{"keys":[` + with(`"key_ops":["encrypt"]`) + `]}`, false},
		"a key to sign with":           {`{"keys":[` + with(`"key_ops":["sign"]`) + `]}`, false},
		"a key for nothing":            {`{"keys":[` + with(`"key_ops":[]`) + `]}`, false},
		"key_ops of a number":          {`{"keys":[` + with(`"key_ops":7`) + `]}`, false},
		"one for nothing and a good":   {`{"keys":[` + with(`"key_ops":[]`) + `,` + good + `]}`, true},
		"keys twice":                   {`{"keys":[],"keys":[` + good + `]}`, false},
		"keys twice, the other way":    {`{"keys":[` + good + `],"keys":[]}`, false},
		"keys twice, by an escape":     {`{"keys":[` + good + `],"\u006beys":[]}`, false},
		"keys by another case":         {`{"Keys":[` + good + `]}`, false},
		"keys by another case as well": {`{"keys":[],"KEYS":[` + good + `]}`, false},
	} {
		err := load(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.body) })
		if (err == nil) != test.ok {
			t.Errorf("%s: got %v, want good %t", name, err, test.ok)
		}
	}
}
