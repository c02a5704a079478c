package introspect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
)

// scripted is a provider that treats its first request one way and the others another.
func scripted(t *testing.T, first, others http.HandlerFunc) (endpoint string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) == 1 {
			first(w, r)
		} else {
			others(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// stall answers when the client has hung up, which is never in time.
func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// breakOff closes the connection without an answer.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestHedge(t *testing.T) {
	good, bad := reply(200, `{"active": true}`), reply(503, ``)
	for name, test := range map[string]struct {
		first, others http.HandlerFunc
		want          reason.Reason // none: a good answer
		requests      int
	}{
		"a good answer needs none":         {good, stall, none, 1},
		"after a stall":                    {stall, good, none, 2},
		"after a broken connection":        {breakOff, good, none, 2},
		"after 408":                        {reply(408, ``), good, none, 2},
		"after 502":                        {reply(502, ``), good, none, 2},
		"after 503":                        {reply(503, ``), good, none, 2},
		"after 504":                        {reply(504, ``), good, none, 2},
		"not after 500":                    {reply(500, ``), good, reason.ProviderStatus, 1},
		"not after 401":                    {reply(401, ``), good, reason.ProviderUnauthorized, 1},
		"not after 429":                    {reply(429, ``), good, reason.ProviderStatus, 1},
		"not after a redirect":             {reply(302, ``), good, reason.ProviderRedirect, 1},
		"not after a malformed answer":     {reply(200, `null`), good, reason.ProviderMalformed, 1},
		"no fourth after three 503":        {bad, bad, reason.ProviderStatus, 3},
		"no fourth after three broken":     {breakOff, breakOff, reason.ProviderUnreachable, 3},
		"a stall and bad answers: ends":    {stall, reply(500, ``), reason.ProviderTimeout, 3},
		"all stalls end with the deadline": {stall, stall, reason.ProviderTimeout, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, requests := scripted(t, test.first, test.others)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			client := introspect.New(httpclient.NewTransport(nil))
			if !strings.Contains(name, "stall") {
				introspect.Patient(client)
			}
			answer, err := client.Introspect(ctx, parse(t, endpoint), introspect.Auth{Method: clientauth.None}, theToken)
			if test.want != none {
				wantReason(t, err, test.want)
			} else if err != nil || !answer.Claims.True("active") {
				t.Errorf("got %v", err)
			}
			if got := int(requests.Load()); got != test.requests || answer.Requests != test.requests {
				t.Errorf("the provider got %d requests, the answer says %d, want %d", got, answer.Requests, test.requests)
			}
		})
	}
}

// Each of the first two requests meets something that another one may not meet.
func TestThirdRequest(t *testing.T) {
	good := reply(200, `{"active": true}`)
	for name, bad := range map[string][2]http.HandlerFunc{
		"two stalls":           {stall, stall},
		"two 503":              {reply(503, ``), reply(503, ``)},
		"a stall, then broken": {stall, breakOff},
		"a 502, then a stall":  {reply(502, ``), stall},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			endpoint, _ := scripted(t, bad[0], func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == 1 {
					bad[1](w, r)
				} else {
					good(w, r)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			answer, err := introspect.New(httpclient.NewTransport(nil)).Introspect(ctx, parse(t, endpoint),
				introspect.Auth{Method: clientauth.None}, theToken)
			if err != nil || !answer.Claims.True("active") || answer.Requests != 3 {
				t.Errorf("got %v after %d requests", err, answer.Requests)
			}
		})
	}
}

// A provider may refuse an assertion that it has seen, so each HTTP request has one of its own: a hedged one, a repeated one,
// and one that the transport sends again because the kept connection has broken.
func TestEachRequestHasItsOwnAssertion(t *testing.T) {
	good := reply(200, `{"active": true}`)
	for name, test := range map[string]struct {
		first func(http.ResponseWriter, *http.Request)
		calls int // before the first one
	}{
		"hedged":                         {first: stall},
		"repeated after 503":             {first: reply(503, ``)},
		"repeated, broken connection":    {first: breakOff},
		"sent again, kept connection":    {first: breakOff, calls: 1},
		"sent again, several calls over": {first: breakOff, calls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var seen []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assertion := r.PostFormValue("client_assertion")
				mu.Lock()
				seen = append(seen, assertion)
				n := len(seen)
				mu.Unlock()
				if n == test.calls+1 {
					test.first(w, r)
				} else {
					good(w, r)
				}
			}))
			t.Cleanup(server.Close)
			var made atomic.Int32
			auth := introspect.Auth{Method: clientauth.PrivateKeyJWT, ClientID: "me", Assertion: func() (string, error) {
				return fmt.Sprintf("assertion-%03d", made.Add(1)), nil
			}}
			client := introspect.New(httpclient.NewTransport(nil))
			if name != "hedged" {
				introspect.Patient(client)
			}
			for range test.calls + 1 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				_, err := client.Introspect(ctx, parse(t, server.URL), auth, theToken)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(seen)
			if len(seen) != test.calls+2 || seen[0] == "" || len(slices.Compact(slices.Clone(seen))) != len(seen) {
				t.Errorf("assertions %q, want %d different ones", seen, test.calls+2)
			}
		})
	}
}

// RFC 6749 section 5.2: invalid_client may be 400 where the credentials are in the form. Any other 400 is about something else.
func TestRefusedCredentials(t *testing.T) {
	const refused = `{"error": "invalid_client", "error_description": "leak"}`
	for _, test := range []struct {
		status int
		body   string
		want   reason.Reason
	}{
		{400, refused, reason.ProviderUnauthorized},
		{401, ``, reason.ProviderUnauthorized},
		{403, ``, reason.ProviderUnauthorized},
		{400, ``, reason.ProviderStatus},
		{400, `{"error": "invalid_request"}`, reason.ProviderStatus},
		{400, `{"error": ["invalid_client"]}`, reason.ProviderStatus},
		{400, `{"error": "invalid_request", "error": "invalid_client"}`, reason.ProviderStatus},
		{400, `invalid_client`, reason.ProviderStatus},
		{404, refused, reason.ProviderStatus},
		{429, refused, reason.ProviderStatus},
	} {
		endpoint, _ := scripted(t, reply(test.status, test.body), reply(test.status, test.body))
		_, err := ask(t, endpoint, introspect.Auth{Method: clientauth.None})
		wantReason(t, err, test.want)
	}
}

// A denial that comes first is an answer: the second request is not there to find a better one.
func TestFirstAnswerCountsEvenIfItDenies(t *testing.T) {
	endpoint, requests := scripted(t, reply(200, `{"active": false}`), reply(200, `{"active": true}`))
	answer, err := introspect.Patient(introspect.New(httpclient.NewTransport(nil))).Introspect(t.Context(), parse(t, endpoint),
		introspect.Auth{Method: clientauth.None}, theToken)
	if err != nil || answer.Claims.True("active") || requests.Load() != 1 {
		t.Errorf("got %s, %v after %d requests", answer.Claims, err, requests.Load())
	}
}

func TestSecondRequestGoesOnAnotherConnection(t *testing.T) {
	var connections atomic.Int32
	endpoint := rawServer(t, func(c net.Conn) {
		mine := connections.Add(1)
		for {
			readRequest(c)
			if mine == 1 && connections.Load() == 1 {
				connections.Add(100) // the first connection answers once and is dead from then on
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"active\": true}")
				_, _ = io.Copy(io.Discard, c)
				return
			}
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"active\": false}")
		}
	})
	client := introspect.New(httpclient.NewTransport(nil))
	for i, want := range []bool{true, false, false} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		answer, err := client.Introspect(ctx, parse(t, endpoint), introspect.Auth{Method: clientauth.None}, theToken)
		cancel()
		if err != nil || answer.Claims.True("active") != want {
			t.Fatalf("call %d: got %s, %v", i, answer.Claims, err)
		}
	}
}

// A provider that is down gets one request a call, but for the first call, and requests are repeated again once it is back.
func TestNoMoreRequestsWhileTheProviderIsDown(t *testing.T) {
	for name, down := range map[string]http.HandlerFunc{"503": reply(503, ``), "broken connections": breakOff} {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Int32 // requests that are still to fail
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				if bad.Add(-1) >= 0 {
					down(w, r)
				} else {
					reply(200, `{"active": true}`)(w, r)
				}
			}))
			defer server.Close()
			client := introspect.Patient(introspect.New(httpclient.NewTransport(nil)))
			ask := func() (introspect.Response, error) {
				return client.Introspect(t.Context(), parse(t, server.URL), introspect.Auth{Method: clientauth.None}, theToken)
			}
			bad.Store(1000)
			for range 100 {
				if _, err := ask(); err == nil {
					t.Fatal("a provider that is down authorizes")
				}
			}
			if got := requests.Load(); got != 102 {
				t.Errorf("%d requests for 100 calls, want 102", got)
			}
			bad.Store(0)
			if answer, err := ask(); err != nil || answer.Requests != 1 {
				t.Errorf("it is back: %v after %d requests", err, answer.Requests)
			}
			bad.Store(2)
			if answer, err := ask(); err != nil || answer.Requests < 2 { // one more is the transport's, where a kept connection breaks
				t.Errorf("two requests fail: %v after %d requests", err, answer.Requests)
			}
		})
	}
}

// An error's body may stall. The call must not wait for it.
func TestBodiesOfErrorsAreNotWaitedFor(t *testing.T) {
	for name, send := range map[string]func(http.ResponseWriter, int){
		"none of the body": func(w http.ResponseWriter, status int) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
		},
		"half of the body": func(w http.ResponseWriter, status int) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
			fmt.Fprint(w, "half")
		},
		"half, in chunks": func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			fmt.Fprint(w, "half")
		},
	} {
		for _, status := range []int{401, 404, 500, 503} {
			t.Run(fmt.Sprintf("%d, %s", status, name), func(t *testing.T) {
				t.Parallel()
				stalling := func(w http.ResponseWriter, r *http.Request) {
					send(w, status)
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done() // until the client hangs up
				}
				endpoint, _ := scripted(t, stalling, stalling)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := introspect.New(httpclient.NewTransport(nil)).Introspect(ctx, parse(t, endpoint),
					introspect.Auth{Method: clientauth.None}, theToken)
				if failure := new(introspect.Error); !errors.As(err, &failure) || failure.Status != status || ctx.Err() != nil {
					t.Errorf("got %v, and the context's %v", err, ctx.Err())
				}
			})
		}
	}
}
