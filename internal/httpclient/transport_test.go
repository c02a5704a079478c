//go:build unix

package httpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted starts a plain peer that sends text for each request and then does what follows.
func scripted(t *testing.T, text string, then func(net.Conn)) *peer {
	t.Helper()
	return newPeer(t, func(p *peer) {
		p.respond = func(s *served) {
			_, _ = io.WriteString(s, text)
			if then != nil {
				then(s)
			}
		}
	})
}

// hangUp closes the connection; stall waits until the client does.
func hangUp(c net.Conn) { _ = c.Close() }
func stall(c net.Conn)  { _, _ = io.Copy(io.Discard, c) }

// get sends a request and reads its response. The time limit is there to end a test that hangs.
func get(t *testing.T, transport *Transport, target string) (response *http.Response, text string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err = transport.RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if ctx.Err() != nil {
		t.Error("the request hangs")
	}
	return response, string(all), err
}

func TestResponses(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, test := range map[string]struct {
		text string
		then func(net.Conn)
		want string // the body
		kept bool   // the connection is used again
	}{
		"a length":             {ok + "Content-Length: 4\r\n\r\nbody", nil, "body", true},
		"chunks":               {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", nil, "body", true},
		"chunks and a trailer": {ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nA: b\r\n\r\n", nil, "body", true},
		"no body":              {ok + "Content-Length: 0\r\n\r\n", nil, "", true},
		"204":                  {"HTTP/1.1 204 No Content\r\n\r\n", nil, "", true},
		"interim responses":    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody", nil, "body", true},
		"the connection's end": {ok + "\r\nbody", hangUp, "body", false},
		"Connection: close":    {ok + "Connection: close\r\nContent-Length: 4\r\n\r\nbody", nil, "body", false},
		"HTTP/1.0":             {"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", nil, "body", false},
		"another protocol":     {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", hangUp, "", false},
		"more than its length": {ok + "Content-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n\r\n", nil, "body", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, transport := scripted(t, test.text, test.then), NewTransport(nil)
			const times = 10
			for range times {
				if _, text, err := get(t, transport, p.url); err != nil || text != test.want {
					t.Fatalf("got %q, %v, want %q", text, err, test.want)
				}
			}
			want := int32(times)
			if test.kept {
				want = 1
			}
			if got := p.connections.Load(); got != want {
				t.Errorf("%d connections for %d requests, want %d", got, times, want)
			}
		})
	}
}

func TestErrorsSayWhatIsWrongAndQuoteNothing(t *testing.T) {
	oldTLS := newTLSPeer(t, &tls.Config{MaxVersion: tls.VersionTLS11}, nil)
	stranger := newTLSPeer(t, &tls.Config{}, nil)
	plain := newPeer(t, func(p *peer) {
		p.wrap = func(conn net.Conn) net.Conn {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 leak\r\n\r\n")
			stall(conn)
			return conn
		}
	})
	wantsCertificate := newTLSPeer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, nil)
	for name, test := range map[string]struct {
		peer *peer
		url  string // in place of the peer's
		want string
	}{
		"not HTTP":            {scripted(t, "leak leak\r\n\r\n", nil), "", "not HTTP"},
		"a malformed status":  {scripted(t, "HTTP/1.1 leak\r\n\r\n", nil), "", "not HTTP"},
		"a malformed header":  {scripted(t, "HTTP/1.1 200 OK\r\nleak\r\n\r\n", nil), "", "not HTTP"},
		"two lengths":         {scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nleak", nil), "", "not HTTP"},
		"a malformed chunk":   {scripted(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nleak\r\n", nil), "", "not HTTP"},
		"a header of 33 KiB":  {scripted(t, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("leak", 33<<8)+"\r\n\r\n", nil), "", "over 32 KiB"},
		"interims of 33 KiB":  {scripted(t, strings.Repeat("HTTP/1.1 103 leak\r\n\r\n", 33<<10/21), nil), "", "over 32 KiB"},
		"the end at once":     {scripted(t, "", hangUp), "", "the server closed the connection"},
		"half of a header":    {scripted(t, "HTTP/1.1 200 OK\r\nleak", hangUp), "", "the server closed the connection"},
		"half of a body":      {scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nleak", hangUp), "", "the server closed the connection"},
		"half of the chunks":  {scripted(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nleak", hangUp), "", "the server closed the connection"},
		"nothing listens":     {nil, "http://127.0.0.1:1/", "nothing listens there"},
		"no such host":        {nil, "https://idp.invalid/", "the host idp.invalid"},
		"no URL of ours":      {nil, "http://192.0.2.1/leak", "not an absolute https URL"},
		"no TLS":              {nil, strings.Replace(plain.url, "http:", "https:", 1), "the response is not TLS"},
		"TLS 1.1":             {oldTLS, "", "the server refuses the TLS handshake"},
		"an unknown issuer":   {stranger, "", "signed by an authority that is not trusted"},
		"a client is unknown": {wantsCertificate, "", "the server refuses the TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := NewTransport(nil)
			if test.peer != nil {
				test.url = test.peer.url
				if test.peer != stranger {
					transport = NewTransport(test.peer.roots)
				}
			}
			_, _, err := get(t, transport, test.url)
			known := new(Error)
			if !errors.As(err, &known) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), "leak") || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("it quotes too much: %v", err)
			}
		})
	}
}

// A body that nobody reads is dropped, unless the rest of it is there already.
func TestCloseNeverWaits(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		kept bool
	}{
		"a length, all there":  {"HTTP/1.1 503 Unavailable\r\nContent-Length: 4\r\n\r\nbody", true},
		"chunks, all there":    {"HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", true},
		"a length, half there": {"HTTP/1.1 503 Unavailable\r\nContent-Length: 8\r\n\r\nbody", false},
		"chunks, half there":   {"HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", false},
		"none there":           {"HTTP/1.1 503 Unavailable\r\nContent-Length: 8\r\n\r\n", false},
		"a long one":           {"HTTP/1.1 503 Unavailable\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000), false},
		"one without an end":   {"HTTP/1.1 503 Unavailable\r\n\r\nbody", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, transport := scripted(t, test.text, nil), NewTransport(nil)
			const times = 10
			for range times {
				// No deadline: a Close that waits never ends.
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := transport.RoundTrip(request)
				if err != nil || response.StatusCode != http.StatusServiceUnavailable {
					t.Fatalf("got %v", err)
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}
				if n, err := response.Body.Read(make([]byte, 10)); n > 0 || err == nil {
					t.Errorf("read %d bytes of a closed body, %v", n, err)
				}
			}
			want := int32(times)
			if test.kept {
				want = 1
			}
			if got := p.connections.Load(); got != want {
				t.Errorf("%d connections for %d requests, want %d", got, times, want)
			}
		})
	}
}

func TestTheContextEndsTheRequest(t *testing.T) {
	for name, p := range map[string]*peer{
		"no response":      scripted(t, "", stall),
		"half of a header": scripted(t, "HTTP/1.1 200 OK\r\nA", stall),
		"half of a body":   scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", stall),
	} {
		for _, kind := range []string{"deadline", "cancel"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				want := context.Canceled
				if kind == "deadline" {
					ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
					want = context.DeadlineExceeded
				} else {
					time.AfterFunc(50*time.Millisecond, cancel)
				}
				defer cancel()
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := NewTransport(nil).RoundTrip(request)
				if err == nil {
					_, err = io.ReadAll(response.Body)
				}
				var timeout net.Error
				if !errors.Is(err, want) && !(kind == "deadline" && errors.As(err, &timeout) && timeout.Timeout()) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		}
	}
}

// An ended context must not reach into the connection's next request.
func TestTheContextEndsWithTheResponse(t *testing.T) {
	p, transport := newPeer(t, nil), NewTransport(nil)
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(response.Body); err != nil {
			t.Fatal(err)
		}
		<-p.serving
		cancel()
	}
	if got := p.connections.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

func TestConcurrentRequestsGetTheirOwnResponses(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	p := newTLSPeer(t, &tls.Config{}, nil)
	p.roots.AddCert(server.Certificate())
	transport := NewTransport(p.roots)
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				token := fmt.Sprint(i, " ", j)
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(token))
				if err != nil {
					t.Error(err)
					return
				}
				response, err := transport.RoundTrip(request)
				if err != nil {
					t.Errorf("%s: %v", token, err)
					return
				}
				text, err := io.ReadAll(response.Body)
				if _ = response.Body.Close(); err != nil || string(text) != token {
					t.Errorf("%s: got %s, %v", token, text, err)
				}
			}
		})
	}
	wg.Wait()
}

// A connection that the server closes just as the next request arrives must not cost that request.
func TestRequestsAreSentAgain(t *testing.T) {
	p, transport := newPeer(t, func(p *peer) { p.closeAfter = 1 }), NewTransport(nil)
	for i := range 100 {
		p.ask(t, transport, fmt.Sprint(i))
	}
	// One whose body cannot be read twice is not.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url, io.MultiReader(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := transport.RoundTrip(request); err == nil {
		t.Errorf("got HTTP %d", response.StatusCode)
	}
}

func TestIdleConnectionsAgeByTheWallClock(t *testing.T) {
	p, transport := newPeer(t, nil), NewTransport(nil)
	for name, test := range map[string]struct {
		idle time.Duration
		kept bool
	}{
		"just now": {0, true}, "4 minutes": {maxIdle, true}, "more": {maxIdle + time.Second, false},
		"the clock was set back": {-time.Minute, false},
	} {
		p.ask(t, transport, name)
		c := transport.idle
		if got := c.isUsable(c.idleSince.Add(test.idle)); got != test.kept {
			t.Errorf("%s: usable %t, want %t", name, got, test.kept)
		}
	}
}

func TestOneConnectionIsKeptForTheHost(t *testing.T) {
	p, other, transport := newPeer(t, nil), newPeer(t, nil), NewTransport(nil)
	for range 3 {
		p.ask(t, transport, "a")
	}
	other.ask(t, transport, "b")
	other.ask(t, transport, "b")
	p.ask(t, transport, "a")
	if got, others := p.connections.Load(), other.connections.Load(); got != 2 || others != 1 {
		t.Errorf("%d and %d connections, want 2 and 1", got, others)
	}
	transport.CloseIdleConnections()
	p.ask(t, transport, "a")
	if got := p.connections.Load(); got != 3 {
		t.Errorf("%d connections after all were closed, want 3", got)
	}
}

// Preflight looks at the address and at the certificate.
func TestWhatPreflightLooksAt(t *testing.T) {
	p := newTLSPeer(t, &tls.Config{}, func(p *peer) {
		p.respond = func(s *served) { _, _ = io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
	})
	var address net.Addr
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { address = info.Conn.RemoteAddr() },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := NewTransport(p.roots).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if tcp, ok := address.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		t.Errorf("got address %v", address)
	}
	if response.TLS == nil || len(response.TLS.PeerCertificates) != 1 {
		t.Errorf("got %+v, want the certificate", response.TLS)
	}
}
