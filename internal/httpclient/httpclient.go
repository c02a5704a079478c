// Package httpclient is the way to the identity provider: for introspection, for its keys, and for preflight's checks.
//
// It has a connection of its own in place of http.Transport's, because Lambda freezes the process between two events. While it
// is frozen, bytes may arrive on the kept connection that belong to no request: a second response, a 408, an end.
// http.Transport has a goroutine that would notice them, but after the freeze that goroutine and the next request run at the
// same time, and now and then such a response was taken for the next request's. Here nobody reads while the connection is
// idle, and before it is used again it is checked. Requests are written and responses are read by net/http.
package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	// maxHeader bounds a response's header, interim responses included.
	maxHeader = 32 << 10
	// maxIdle is how long an idle connection is kept. AWS's NAT gateways drop a connection after 350 idle seconds without
	// telling either end.
	maxIdle = 4 * time.Minute
)

// Transport is an http.RoundTripper for the few hosts that this process talks to: HTTP/1.1 with one connection kept open, TLS
// 1.2 or later, no proxy whatever the environment says, and no compression, so that a small response cannot unfold into a
// large one. Like every RoundTripper it follows no redirect. It sends requests only where ParseURL allows. If the server
// closes the kept connection as a request is sent, the request is sent again on a new one, whatever its method: it must be one
// that changes nothing. The context ends the request and the reading of the body, whose Close never waits. All errors, those
// of the body included, are *Error. A Transport is safe for concurrent use.
type Transport struct {
	dialer net.Dialer
	tls    *tls.Config

	mu sync.Mutex
	// idle is the kept connection, nil if there is none. There is one, so that a hedged request opens a new one.
	idle *conn
}

// NewTransport returns a transport that checks certificates against roots (nil: the system's).
func NewTransport(roots *x509.CertPool) *Transport {
	return &Transport{
		dialer: net.Dialer{KeepAlive: 15 * time.Second},
		tls:    &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.send(request)
	if err != nil {
		return nil, explain(request.Context(), err)
	}
	return response, nil
}

func (t *Transport) send(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if c := t.take(request); c != nil {
		response, err := c.exchange(request)
		if err == nil || c.responded || ctx.Err() != nil || !rewindable(request) {
			return response, err
		}
		if request, err = rewind(request); err != nil {
			return nil, err
		}
	}
	c, err := t.dial(ctx, request.URL)
	if err != nil {
		closeBody(request)
		return nil, err
	}
	return c.exchange(request)
}

// Open opens the connection that the next request to the host of a URL will use.
func (t *Transport) Open(ctx context.Context, u *url.URL) error {
	c, err := t.dial(ctx, u)
	if err != nil {
		return explain(ctx, err)
	}
	c.giveBack()
	return nil
}

// CloseIdleConnections closes the kept connection, unless it is in use.
func (t *Transport) CloseIdleConnections() { t.keep(nil) }

// take returns the kept connection if it can be used for the request, else nil.
func (t *Transport) take(request *http.Request) *conn {
	if request.Close {
		return nil
	}
	t.mu.Lock()
	c := t.idle
	if c == nil || !c.leadsTo(request.URL) {
		t.mu.Unlock()
		return nil
	}
	t.idle = nil
	t.mu.Unlock()
	if !c.isUsable(time.Now()) {
		c.Close()
		return nil
	}
	return c
}

// keep keeps c for the next request and closes the connection that was kept before.
func (t *Transport) keep(c *conn) {
	t.mu.Lock()
	before := t.idle
	t.idle = c
	t.mu.Unlock()
	if before != nil {
		before.Close()
	}
}

// dial opens a connection to the host of a URL, if the URL may be used at all. A kept connection was dialled for one that may.
func (t *Transport) dial(ctx context.Context, u *url.URL) (*conn, error) {
	if err := checkURL(u); err != nil {
		return nil, &Error{text: "the URL is " + err.Error()}
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	tcp, err := t.dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	s, err := newSocket(tcp)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	if u.Scheme != "https" {
		return newConn(t, u, s, s, nil), nil
	}
	s.records = new(records)
	config := t.tls.Clone()
	config.ServerName = u.Hostname()
	encrypted := tls.Client(s, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	state := encrypted.ConnectionState()
	return newConn(t, u, encrypted, s, &state), nil
}

func rewindable(request *http.Request) bool {
	return request.Body == nil || request.Body == http.NoBody || request.GetBody != nil
}

// rewind returns the request with its body as it was before it was sent.
func rewind(request *http.Request) (*http.Request, error) {
	again := *request
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		again.Body = body
	}
	return &again, nil
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

// ReadRoots reads the certificates of authorities that are trusted in place of the system's, from a PEM file; nil for "".
func ReadRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return roots, nil
}
