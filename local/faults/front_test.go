package faults

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// fault says what a front does instead of passing requests on. The zero value is no fault.
type fault struct {
	refuse  bool           // connections are refused
	drop    bool           // connections get no response, not even a refusal
	conn    func(net.Conn) // has every new connection to itself, before TLS; it is closed afterwards
	config  *tls.Config    // instead of the good one
	respond responder
}

// responder responds to the n-th request since the fault began, counted from 1. With false the request is passed on.
type responder func(n int, w http.ResponseWriter, r *http.Request) bool

// front terminates TLS before the identity provider, as a load balancer does, and brings about the faults.
type front struct {
	url     string
	trusted string // the path of a file with the one certificate authority that the function trusts
	server  *http.Server

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused or dropped
	deaf     *deaf        // while they are dropped
	fault    fault
	requests int
	conns    map[*conn]bool
}

// newFront starts a front before target, until the test ends.
func newFront(t *testing.T, target string) *front {
	backend := must(url.Parse(target))
	silent := log.New(io.Discard, "", 0) // connections break all the time
	proxy := httputil.NewSingleHostReverseProxy(backend)
	proxy.Transport, proxy.ErrorLog = &http.Transport{}, silent // no proxy of the environment's for loopback
	f := &front{url: "https://127.0.0.1:0", trusted: filepath.Join(t.TempDir(), "trusted.pem"), conns: map[*conn]bool{}}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority().Certificate[0]})
	if err := os.WriteFile(f.trusted, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	f.server = &http.Server{ErrorLog: silent, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests++
		n, respond := f.requests, f.fault.respond
		f.mu.Unlock()
		if respond == nil || !respond(n, w, r) {
			proxy.ServeHTTP(w, r)
		}
	})}
	f.strike(fault{})
	t.Cleanup(func() { _ = f.server.Close() })
	return f
}

// strike begins a fault and ends the one before. Faults of connections and of TLS close the open connections, so that the
// function must make new ones.
func (f *front) strike(x fault) {
	f.mu.Lock()
	f.fault, f.requests = x, 0
	away := x.refuse || x.drop
	if away && f.listener != nil {
		_ = f.listener.Close()
		f.listener = nil
	}
	if f.deaf != nil {
		f.deaf.close()
		f.deaf = nil
	}
	if x.drop {
		f.deaf = listenDeaf(must(url.Parse(f.url)).Host)
	}
	if !away && f.listener == nil {
		f.listener = must(net.Listen("tcp", must(url.Parse(f.url)).Host)) // after the first time, the same port
		f.url = "https://" + f.listener.Addr().String()
		go func(l net.Listener) { _ = f.server.Serve(&faulty{l, f}) }(f.listener) // ends when the listener is closed
	}
	f.mu.Unlock()
	if away || x.conn != nil || x.config != nil {
		f.closeConnections()
	}
}

func (f *front) open() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.conns))
}

// closeConnections closes every open connection in good order.
func (f *front) closeConnections() {
	for _, c := range f.open() {
		_ = c.Close()
	}
}

// mute keeps the open connections open, but nothing comes through them any more.
func (f *front) mute() {
	for _, c := range f.open() {
		c.mute()
	}
}

// faulty is the listener that brings about the faults of connections and TLS.
type faulty struct {
	net.Listener
	front *front
}

func (l *faulty) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: inner, front: l.front}
		c.muted, c.mute = context.WithCancel(context.Background())
		c.closed, c.shut = context.WithCancel(context.Background())
		l.front.mu.Lock()
		l.front.conns[c] = true
		x := l.front.fault
		l.front.mu.Unlock()
		switch {
		case x.conn != nil:
			go func() { x.conn(c); _ = c.Close() }()
		case x.config != nil:
			return tls.Server(c, x.config), nil
		default:
			return tls.Server(c, goodTLS()), nil
		}
	}
}

// conn is a TCP connection that can fall silent.
type conn struct {
	net.Conn
	front         *front
	muted, closed context.Context
	mute, shut    context.CancelFunc
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.muted.Err() != nil {
		<-c.closed.Done()
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *conn) Close() error {
	c.shut()
	c.front.mu.Lock()
	delete(c.front.conns, c)
	c.front.mu.Unlock()
	return c.Conn.Close()
}

// reset closes a connection so that the other end sees a reset.
func reset(c net.Conn) {
	if inner, ok := c.(*tls.Conn); ok {
		c = inner.NetConn()
	}
	if inner, ok := c.(*conn); ok {
		c = inner.Conn
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// raw responds to a request by writing to the connection itself, which is closed afterwards.
func raw(do func(net.Conn)) fault {
	return fault{respond: func(_ int, w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // HTTP/1.1 connections can be hijacked
		}
		defer c.Close()
		do(c)
		return true
	}}
}

// says responds with a status and a body.
func says(status int, contentType, body string, headers ...string) fault {
	return fault{respond: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}}
}

// late passes every request on, but only after d.
func late(d time.Duration) fault {
	return fault{respond: func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		return false
	}}
}

// first meets the first request alone.
func first(x fault) fault {
	return fault{respond: func(n int, w http.ResponseWriter, r *http.Request) bool { return n == 1 && x.respond(n, w, r) }}
}

// hold keeps a connection open until the other end closes it.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// drip writes text, a byte a second, until all of it is written or the other end is gone.
func drip(text string) func(net.Conn) {
	return func(c net.Conn) {
		gone := make(chan struct{})
		go func() { hold(c); close(gone) }()
		for i := range len(text) {
			_, err := io.WriteString(c, text[i:i+1])
			select {
			case <-time.After(time.Second):
			case <-gone:
				return
			}
			if err != nil {
				return
			}
		}
	}
}

// flood writes text over and over, until limit bytes are written or the other end is gone.
func flood(text string, limit int) func(net.Conn) {
	return func(c net.Conn) {
		go hold(c)
		for written := 0; written < limit; written += len(text) {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

var (
	here      = []net.IP{net.IPv4(127, 0, 0, 1)}
	authority = sync.OnceValue(newAuthority)
	goodTLS   = sync.OnceValue(func() *tls.Config { return serving(authority(), x509.Certificate{IPAddresses: here}) })
)

func newAuthority() tls.Certificate {
	return issue(nil, x509.Certificate{Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign})
}

// serving is the configuration of a server with a certificate by this authority.
func serving(by tls.Certificate, template x509.Certificate) *tls.Config {
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return &tls.Config{Certificates: []tls.Certificate{issue(&by, template)}}
}

// issue makes a certificate by an authority, or by itself; without times it is valid for a day.
func issue(by *tls.Certificate, template x509.Certificate) tls.Certificate {
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	if by == nil {
		by = &tls.Certificate{Leaf: &template, PrivateKey: key}
	}
	der := must(x509.CreateCertificate(rand.Reader, &template, by.Leaf, key.Public(), by.PrivateKey))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}

// trap is a host that the function trusts as it does the provider, and that it must not call.
func (s *scene) trap(body string) (url string) {
	other := newFront(s.t, s.IDP.URL)
	other.strike(fault{respond: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		s.t.Error("another host than the provider was called")
		_, _ = io.WriteString(w, body)
		return true
	}})
	return other.url
}

// must is for what fails only where the test itself is wrong, or the machine.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
