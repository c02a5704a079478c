package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

// fault says what a front does in place of passing requests on. The zero value is no fault.
type fault struct {
	refuse bool           // connections are refused
	conn   func(net.Conn) // has every new connection to itself, before TLS, and closes it
	config *tls.Config    // in place of the good one
	answer answer
}

// answer answers the n-th request since the fault began, counted from 1. With false the request is passed on.
type answer func(n int, w http.ResponseWriter, r *http.Request) bool

// front terminates TLS before the identity provider, as a load balancer does, and brings about the faults.
type front struct {
	target  *url.URL
	address string
	trusted string // the path of a file with the one certificate authority that the function trusts
	ca      authority
	good    *tls.Config
	server  *http.Server

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	fault    fault
	requests int
	conns    map[*conn]bool
}

func newFront(target string) (*front, error) {
	f := &front{address: "127.0.0.1:0", conns: map[*conn]bool{}}
	var err error
	if f.target, err = url.Parse(target); err != nil {
		return nil, err
	}
	if f.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "trusted-*.pem")
	if err != nil {
		return nil, err
	}
	f.trusted = file.Name()
	if _, err := file.Write(f.ca.pem); err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	certificate, err := f.ca.issue(x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		return nil, err
	}
	f.good = &tls.Config{Certificates: []tls.Certificate{certificate}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: f.target.Scheme, Host: f.target.Host})
	proxy.Transport = &http.Transport{} // no environment proxy for loopback
	proxy.ErrorLog = discard()
	f.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			f.requests++
			n, answer := f.requests, f.fault.answer
			f.mu.Unlock()
			if answer == nil || !answer(n, w, r) {
				proxy.ServeHTTP(w, r)
			}
		}),
		ErrorLog: discard(),
	}
	return f, f.listen()
}

// url is the endpoint behind the front as the function is to know it.
func (f *front) url() string { return "https://" + f.address + f.target.Path }

func (f *front) listen() error {
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return err
	}
	f.address = listener.Addr().String()
	f.listener = listener
	go func() { _ = f.server.Serve(&faulty{listener, f}) }() // ends when the listener is closed
	return nil
}

// strike begins a fault and ends the one before. Faults of connections and of TLS close the connections that are open, so
// that the function must make new ones.
func (f *front) strike(x fault) {
	f.mu.Lock()
	f.fault, f.requests = x, 0
	listener := f.listener
	if x.refuse {
		f.listener = nil
	}
	f.mu.Unlock()
	if x.refuse && listener != nil {
		_ = listener.Close()
	}
	if !x.refuse && listener == nil {
		if err := f.listen(); err != nil {
			panic(err) // the port was ours a moment ago
		}
	}
	if x.refuse || x.conn != nil || x.config != nil {
		f.closeConnections()
	}
}

// closeConnections closes every open connection in good order.
func (f *front) closeConnections() { f.each(func(c *conn) { _ = c.Close() }) }

// mute lets the connections that are open stay open, but nothing comes through them any more.
func (f *front) mute() {
	f.each(func(c *conn) { c.once.Do(func() { close(c.muted) }) })
}

func (f *front) each(do func(*conn)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		do(c)
	}
}

func (f *front) close() {
	_ = f.server.Close()
	_ = os.Remove(f.trusted)
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
		f := l.front
		c := &conn{Conn: inner, front: f, muted: make(chan struct{}), closed: make(chan struct{})}
		f.mu.Lock()
		f.conns[c] = true
		take, config := f.fault.conn, f.fault.config
		f.mu.Unlock()
		if take != nil {
			go take(c)
			continue
		}
		if config == nil {
			config = f.good
		}
		return tls.Server(c, config), nil
	}
}

// conn is a TCP connection that can fall silent.
type conn struct {
	net.Conn
	front  *front
	once   sync.Once
	muted  chan struct{}
	shut   sync.Once
	closed chan struct{}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.muted:
		if err == nil {
			<-c.closed
			return 0, net.ErrClosed
		}
	default:
	}
	return n, err
}

func (c *conn) Close() error {
	err := net.ErrClosed
	c.shut.Do(func() {
		close(c.closed)
		err = c.Conn.Close()
		go func() { // the caller may hold the lock
			c.front.mu.Lock()
			defer c.front.mu.Unlock()
			delete(c.front.conns, c)
		}()
	})
	return err
}

// reset makes the close that follows a reset.
func reset(c net.Conn) {
	for {
		switch inner := c.(type) {
		case *tls.Conn:
			c = inner.NetConn()
		case *conn:
			c = inner.Conn
		case *net.TCPConn:
			_ = inner.SetLinger(0)
			_ = inner.Close()
			return
		default:
			panic("not a connection of the front's")
		}
	}
}

// raw answers a request by writing to the connection itself, which is closed afterwards.
func raw(do func(net.Conn)) answer {
	return func(_ int, w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // HTTP/1.1 connections can be taken over
		}
		defer c.Close()
		do(c)
		return true
	}
}

// hold keeps a connection open until the other end closes it.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// drip writes text a byte a second, until all of it is written or the other end is gone.
func drip(c net.Conn, text string) {
	gone := make(chan struct{})
	go func() { hold(c); close(gone) }()
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-gone:
			return
		}
	}
}

// flood writes text over and over, until limit bytes are written or the other end is gone.
func flood(c net.Conn, text string, limit int) {
	go hold(c)
	for written := 0; written < limit; written += len(text) {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority() (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of a test"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return authority{}, err
	}
	return authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// issue signs a certificate for a server; without times it is valid for a day.
func (a authority) issue(template x509.Certificate) (tls.Certificate, error) {
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
