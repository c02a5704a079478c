package introspect_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
)

// theToken would show up in any text that leaks it.
const theToken = "the-token"

// parse is for a test server's URL.
func parse(t *testing.T, endpoint string) *url.URL {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func ask(t *testing.T, endpoint string, auth introspect.Auth) (claims.Set, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	transport := httpclient.NewTransport(nil)
	defer transport.CloseIdleConnections()
	answer, err := introspect.Patient(introspect.New(transport)).Introspect(ctx, parse(t, endpoint), auth, theToken)
	return answer.Claims, err
}

var none reason.Reason // no error

func wantReason(t *testing.T, err error, want reason.Reason) *introspect.Error {
	t.Helper()
	var failure *introspect.Error
	if !errors.As(err, &failure) || failure.Reason != want {
		t.Fatalf("got error %v, want %s", err, want.Word)
	}
	for _, private := range []string{theToken, "s3cret", "k3y", "leak"} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("the error holds %q: %v", private, err)
		}
	}
	return failure
}

func TestRequest(t *testing.T) {
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	all := introspect.Auth{ClientID: "a:b c", ClientSecret: "s3cret/+%&é", APIKey: "k3y"}
	with := func(method clientauth.Method, change func(*introspect.Auth)) introspect.Auth {
		auth := all
		auth.Method = method
		if change != nil {
			change(&auth)
		}
		return auth
	}
	for name, test := range map[string]struct {
		auth          introspect.Auth
		authorization string
		form          url.Values // beside token and token_type_hint
	}{
		"bearer": {auth: with(clientauth.Bearer, nil), authorization: "Bearer k3y"},
		// RFC 6749 section 2.3.1 and appendix B: a space is a plus sign, a colon and all beyond ASCII are percent-encoded.
		"basic": {auth: with(clientauth.Basic, nil), authorization: basic("a%3Ab+c:s3cret%2F%2B%25%26%C3%A9")},
		"post": {auth: with(clientauth.Post, nil),
			form: url.Values{"client_id": {"a:b c"}, "client_secret": {"s3cret/+%&é"}}},
		"none": {auth: with(clientauth.None, nil)},
		"private_key_jwt": {auth: with(clientauth.PrivateKeyJWT, func(a *introspect.Auth) {
			a.Assertion = func() (string, error) { return "header.claims.signature", nil }
		}), form: url.Values{"client_id": {"a:b c"}, "client_assertion": {"header.claims.signature"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}},
		"auto with an API key":  {auth: with(clientauth.Auto, nil), authorization: "Bearer k3y"},
		"auto without":          {auth: with(clientauth.Auto, func(a *introspect.Auth) { a.APIKey = "" }), authorization: basic("a%3Ab+c:s3cret%2F%2B%25%26%C3%A9")},
		"auto with an id alone": {auth: introspect.Auth{Method: clientauth.Auto, ClientID: "a:b c"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.String() != "/introspect?x=1" {
					t.Errorf("got %s %s", r.Method, r.URL)
				}
				if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
					t.Errorf("Content-Type %q", got)
				}
				if got := r.Header.Get("Accept"); got != "application/json" {
					t.Errorf("Accept %q", got)
				}
				if got := r.Header.Get("Authorization"); got != test.authorization {
					t.Errorf("Authorization %q, want %q", got, test.authorization)
				}
				if _, ok := r.Header["Idempotency-Key"]; ok {
					t.Error("Idempotency-Key is sent")
				}
				want := url.Values{"token": {theToken}, "token_type_hint": {"access_token"}}
				for key, values := range test.form {
					want[key] = values
				}
				body, _ := io.ReadAll(r.Body)
				if got := string(body); got != want.Encode() {
					t.Errorf("form %s, want %s", got, want.Encode())
				}
				fmt.Fprint(w, `{"active": true, "scope": "a b"}`)
			}))
			defer server.Close()
			set, err := ask(t, server.URL+"/introspect?x=1", test.auth)
			if err != nil || !set.True("active") || string(set["scope"]) != `"a b"` {
				t.Errorf("got %s, %v", set, err)
			}
		})
	}
}

func TestSettingsThatCannotWorkMakeNoRequest(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	for name, auth := range map[string]introspect.Auth{
		"bearer without a key":          {Method: clientauth.Bearer, ClientID: "id", ClientSecret: "s3cret"},
		"a key with a line break":       {Method: clientauth.Bearer, APIKey: "k3y\n"},
		"basic without a secret":        {Method: clientauth.Basic, ClientID: "id", APIKey: "k3y"},
		"basic without an id":           {Method: clientauth.Basic, ClientSecret: "s3cret"},
		"post without a secret":         {Method: clientauth.Post, ClientID: "id"},
		"private_key_jwt without a key": {Method: clientauth.PrivateKeyJWT, ClientID: "id"},
		"a key that cannot sign": {Method: clientauth.PrivateKeyJWT,
			Assertion: func() (string, error) { return "", errors.New("no audience") }},
		"no method": {APIKey: "k3y"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, server.URL, auth)
			wantReason(t, err, reason.ProviderSettings)
		})
	}
	if got := requests.Load(); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

func TestStatus(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		fmt.Fprint(w, `{"active": true}`)
	}))
	defer other.Close()
	for status, want := range map[int]reason.Reason{
		201: reason.ProviderStatus, 204: reason.ProviderStatus,
		301: reason.ProviderRedirect, 302: reason.ProviderRedirect, 303: reason.ProviderRedirect,
		307: reason.ProviderRedirect, 308: reason.ProviderRedirect,
		400: reason.ProviderStatus, 404: reason.ProviderStatus, 429: reason.ProviderStatus,
		401: reason.ProviderUnauthorized, 403: reason.ProviderUnauthorized,
		500: reason.ProviderStatus, 502: reason.ProviderStatus, 503: reason.ProviderStatus,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL+"/leak")
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				fmt.Fprint(w, `{"active": true, "leak": 1}`)
			}
		}))
		set, err := ask(t, server.URL, introspect.Auth{Method: clientauth.None})
		server.Close()
		if set != nil {
			t.Errorf("status %d: got claims %s", status, set)
		}
		if failure := wantReason(t, err, want); failure.Status != status {
			t.Errorf("got status %d, want %d", failure.Status, status)
		}
	}
	if got := elsewhere.Load(); got != 0 {
		t.Errorf("%d requests followed a redirect", got)
	}
}

func TestBody(t *testing.T) {
	pad := func(size int) string {
		const frame = `{"active": true, "pad": ""}`
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1)
	}
	for name, test := range map[string]struct {
		body string
		want reason.Reason // none: accepted
	}{
		"64 KiB":                 {pad(64 << 10), none},
		"a byte more":            {pad(64<<10 + 1), reason.ProviderTooLarge},
		"10 MB":                  {pad(10 << 20), reason.ProviderTooLarge},
		"nothing":                {"", reason.ProviderMalformed},
		"HTML":                   {"<html>leak</html>", reason.ProviderMalformed},
		"null":                   {"null", reason.ProviderMalformed},
		"an array":               {`[{"active": true}]`, reason.ProviderMalformed},
		"a name twice":           {`{"active": false, "active": true}`, reason.ProviderMalformed},
		"text behind the object": {`{"active": true}leak`, reason.ProviderMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, test.body) // fails where the client has hung up, which is what it should do
			}))
			defer server.Close()
			set, err := ask(t, server.URL, introspect.Auth{Method: clientauth.None})
			if test.want != none {
				wantReason(t, err, test.want)
			} else if err != nil || !set.True("active") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// rawServer answers every connection by hand.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// readRequest reads up to the end of the form, which is the whole request.
func readRequest(conn net.Conn) {
	buffer := make([]byte, 4096)
	for read := ""; !strings.Contains(read, "token_type_hint=access_token"); {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		read += string(buffer[:n])
	}
}

func TestTransportFaults(t *testing.T) {
	closed := rawServer(t, func(net.Conn) {})
	for name, test := range map[string]struct {
		endpoint string
		want     reason.Reason
	}{
		"refused":               {"http://127.0.0.1:1", reason.ProviderUnreachable},
		"closed at once":        {closed, reason.ProviderUnreachable},
		"no such host":          {"https://idp.invalid/", reason.ProviderUnreachable},
		"not TLS":               {strings.Replace(rawServer(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 leak\r\n\r\n") }), "http:", "https:", 1), reason.ProviderUnreachable},
		"not HTTP":              {rawServer(t, func(c net.Conn) { readRequest(c); fmt.Fprint(c, "leak leak leak\r\n\r\n") }), reason.ProviderUnreachable},
		"a header that is none": {rawServer(t, func(c net.Conn) { readRequest(c); fmt.Fprint(c, "HTTP/1.1 200 OK\r\nleak\r\n\r\n") }), reason.ProviderUnreachable},
		"half a body": {rawServer(t, func(c net.Conn) {
			readRequest(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"active\": true")
		}), reason.ProviderUnreachable},
		"headers without end": {rawServer(t, func(c net.Conn) {
			readRequest(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for range 2000 {
				if _, err := fmt.Fprint(c, "X-Leak: ", strings.Repeat("leak", 20), "\r\n"); err != nil {
					return
				}
			}
		}), reason.ProviderUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, test.endpoint, introspect.Auth{Method: clientauth.Bearer, APIKey: "k3y"})
			wantReason(t, err, test.want)
		})
	}
}

func TestDeadlineBoundsTheBodyToo(t *testing.T) {
	for name, send := range map[string]string{
		"no answer":       "",
		"headers only":    "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n",
		"half of a body":  "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"active\"",
		"half of headers": "HTTP/1.1 200 OK\r\nContent-Le",
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := rawServer(t, func(c net.Conn) {
				readRequest(c)
				fmt.Fprint(c, send)
				_, _ = io.Copy(io.Discard, c) // until the client hangs up
			})
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			_, err := introspect.New(httpclient.NewTransport(nil)).Introspect(ctx, parse(t, endpoint), introspect.Auth{Method: clientauth.None}, theToken)
			wantReason(t, err, reason.ProviderTimeout)
		})
	}
}

func TestConnectionIsReused(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"active": false}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := introspect.Patient(introspect.New(httpclient.NewTransport(nil)))
	for range 20 {
		if _, err := client.Introspect(t.Context(), parse(t, server.URL), introspect.Auth{Method: clientauth.None}, theToken); err != nil {
			t.Fatal(err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections for 20 calls, want 1", got)
	}
}

// A server that closes an idle connection just as the next request goes out must not cost that call.
func TestDeadKeepAliveConnectionIsReplaced(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"active\": true}"
	endpoint := rawServer(t, func(c net.Conn) {
		readRequest(c)
		fmt.Fprint(c, answer)
		readRequest(c) // the second request on this connection gets no answer, only the end
	})
	client := introspect.Patient(introspect.New(httpclient.NewTransport(nil)))
	for range 10 {
		answer, err := client.Introspect(t.Context(), parse(t, endpoint), introspect.Auth{Method: clientauth.None}, theToken)
		if err != nil || !answer.Claims.True("active") || answer.Requests != 1 {
			t.Fatalf("got %v", err)
		}
	}
}

func TestTLS(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"active": true}`) })
	modern := httptest.NewTLSServer(handler)
	defer modern.Close()
	old := httptest.NewUnstartedServer(handler)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()

	_, err := ask(t, modern.URL, introspect.Auth{Method: clientauth.None})
	wantReason(t, err, reason.ProviderUnreachable)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v, want an unknown authority", err)
	}

	trusting := func(endpoint string) error {
		roots := x509.NewCertPool()
		roots.AddCert(modern.Certificate())
		_, err := introspect.New(httpclient.NewTransport(roots)).Introspect(t.Context(), parse(t, endpoint), introspect.Auth{Method: clientauth.None}, theToken)
		return err
	}
	if err := trusting(modern.URL); err != nil {
		t.Errorf("a trusted certificate: %v", err)
	}
	wantReason(t, trusting(old.URL), reason.ProviderUnreachable)
	wantReason(t, trusting(strings.Replace(modern.URL, "127.0.0.1", "localhost", 1)), reason.ProviderUnreachable)
}
