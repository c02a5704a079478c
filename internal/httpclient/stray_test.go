//go:build unix

package httpclient

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// authorizing is a response that nobody asked for.
const authorizing = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + `{"active":true}`

// peer is a provider that answers each request with its own token, and whose connection a test can write to.
type peer struct {
	url         string
	roots       *x509.CertPool
	wrap        func(net.Conn) net.Conn // makes what HTTP is spoken on
	respond     func(*served)           // in place of the response with the token
	closeAfter  int                     // requests of a connection, of which the next one ends it; 0: it stays
	connections atomic.Int32
	serving     chan *served // a response's connection, after it was written
	cork        atomic.Int32 // so many bytes of what follows each response go out with it, in one segment; 0: nothing follows
}

// served is a connection of a peer.
type served struct {
	net.Conn          // what HTTP is spoken on
	tcp      *corking // beneath it
}

// corking is a TCP connection whose writes can be held back, to go out together.
type corking struct {
	*net.TCPConn
	corked bool
	held   []byte
}

func (c *corking) Write(p []byte) (int, error) {
	if c.corked {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// uncork writes what is held back, up to so many bytes.
func (c *corking) uncork(most int) {
	_, _ = c.TCPConn.Write(c.held[:min(len(c.held), most)])
	c.corked, c.held = false, nil
}

// newPeer starts a peer that speaks plain HTTP, after change has changed it.
func newPeer(t *testing.T, change func(*peer)) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &peer{url: "http://" + listener.Addr().String(), serving: make(chan *served, 1)}
	p.wrap = func(conn net.Conn) net.Conn { return conn }
	if change != nil {
		change(p)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.connections.Add(1)
			s := &served{tcp: &corking{TCPConn: conn.(*net.TCPConn)}}
			s.Conn = p.wrap(s.tcp)
			go p.serve(s)
		}
	}()
	return p
}

// newTLSPeer starts a peer that speaks TLS, after change has changed it.
func newTLSPeer(t *testing.T, config *tls.Config, change func(*peer)) *peer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	p := newPeer(t, func(p *peer) {
		p.wrap = func(conn net.Conn) net.Conn { return tls.Server(conn, config) }
		if change != nil {
			change(p)
		}
	})
	p.url = strings.Replace(p.url, "http:", "https:", 1)
	p.roots = x509.NewCertPool()
	p.roots.AddCert(leaf)
	return p
}

// newPeers starts a peer for each way of talking.
func newPeers(t *testing.T) map[string]*peer {
	return map[string]*peer{
		"plain HTTP": newPeer(t, nil),
		"TLS 1.2":    newTLSPeer(t, &tls.Config{MaxVersion: tls.VersionTLS12}, nil),
		"TLS 1.3":    newTLSPeer(t, &tls.Config{MinVersion: tls.VersionTLS13}, nil),
	}
}

func (p *peer) serve(s *served) {
	defer s.Close()
	reader := bufio.NewReader(s)
	for n := 0; ; n++ {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		token, err := io.ReadAll(request.Body)
		if err != nil || p.closeAfter > 0 && n == p.closeAfter {
			return
		}
		if p.respond != nil {
			p.respond(s)
			continue
		}
		most := int(p.cork.Load())
		s.tcp.corked = most > 0
		body := fmt.Sprintf(`{"active":false,"token":%q}`, token)
		fmt.Fprintf(s, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if s.tcp.corked {
			most += len(s.tcp.held)
			_, _ = io.WriteString(s, authorizing)
			s.tcp.uncork(most)
		}
		p.serving <- s
	}
}

// ask sends a token and checks that the response is about it. It returns the connection that the peer used.
func (p *peer) ask(t *testing.T, transport *Transport, token string) *served {
	t.Helper()
	// Who believes half of a stray response waits for the rest of it.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(token))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if want := fmt.Sprintf(`{"active":false,"token":%q}`, token); err != nil || response.StatusCode != 200 || string(text) != want {
		t.Fatalf("%s: got HTTP %d, %s, %v, want %s", token, response.StatusCode, text, err, want)
	}
	return <-p.serving
}

// arrival waits until something waits on the transport's idle connection, or its end.
func arrival(t *testing.T, transport *Transport) {
	t.Helper()
	err := transport.idle.socket.raw.Read(func(descriptor uintptr) bool {
		_, _, err := syscall.Recvfrom(int(descriptor), make([]byte, 1), syscall.MSG_PEEK)
		return !errors.Is(err, syscall.EAGAIN)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What arrives on the kept connection while the process is frozen is nobody's response, and no reason for an error either.
func TestStrayBytesAreNotBelieved(t *testing.T) {
	type stray struct {
		name string
		send func(*served)
	}
	write := func(text string) func(*served) { return func(s *served) { _, _ = io.WriteString(s, text) } }
	strays := []stray{
		{"a response that authorizes", write(authorizing)},
		{"the first byte of a response", write(authorizing[:1])},
		{"half of a response", write(authorizing[:len(authorizing)/2])},
		{"two responses", write(authorizing + authorizing)},
		{"16 KB of responses", write(strings.Repeat(authorizing, 300))},
		{"an interim response", write("HTTP/1.1 103 Early Hints\r\n\r\n")},
		{"408 and the end", func(s *served) {
			_, _ = io.WriteString(s, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			_ = s.Close()
		}},
		{"the end", func(s *served) { _ = s.Close() }},
		{"a reset", func(s *served) { _ = s.tcp.SetLinger(0); _ = s.tcp.Close() }},
	}
	records := []stray{
		{"half of a TLS record", func(s *served) {
			s.tcp.corked = true
			_, _ = io.WriteString(s, authorizing)
			_, _ = s.tcp.TCPConn.Write(s.tcp.held[:20])
		}},
		{"half of a TLS record's header", func(s *served) { _, _ = s.tcp.TCPConn.Write([]byte{23, 3}) }},
		{"the end without TLS's own", func(s *served) { _ = s.tcp.Close() }},
		{"rubbish", func(s *served) { _, _ = s.tcp.TCPConn.Write([]byte("rubbish")) }},
	}
	for name, p := range newPeers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := strays
			if p.roots != nil {
				all = append(records, strays...)
			}
			transport := NewTransport(p.roots)
			const times = 1000
			for i := range times {
				s := p.ask(t, transport, fmt.Sprint("before stray ", i))
				all[i%len(all)].send(s)
				arrival(t, transport)
				if t.Failed() {
					t.Fatal(all[i%len(all)].name)
				}
			}
			p.ask(t, transport, "last")
			if got := p.connections.Load(); got != times+1 {
				t.Errorf("%d connections, want a new one after each of %d strays", got, times)
			}
		})
	}
}

// The stray response may come with the good one, so that it has been read from the socket already.
func TestStrayBytesInTheSameSegmentAreNotBelieved(t *testing.T) {
	for name, p := range newPeers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := NewTransport(p.roots)
			const times = 200
			for i := range times {
				p.cork.Store([]int32{1, 5, 30, 1000}[i%4]) // in part, with TLS of a record's header or of a record, or as a whole
				p.ask(t, transport, fmt.Sprint(i))
			}
			if got := p.connections.Load(); got != times {
				t.Errorf("%d connections for %d calls, want as many", got, times)
			}
		})
	}
}

// Where nothing is wrong, one connection is enough, and it may be opened before the first request.
func TestTheConnectionIsKept(t *testing.T) {
	for name, p := range newPeers(t) {
		t.Run(name, func(t *testing.T) {
			transport := NewTransport(p.roots)
			u, err := url.Parse(p.url)
			if err := cmp.Or(err, transport.Open(t.Context(), u)); err != nil {
				t.Fatal(err)
			}
			for i := range 1000 {
				p.ask(t, transport, fmt.Sprint(i))
			}
			if got := p.connections.Load(); got != 1 {
				t.Errorf("%d connections, want 1", got)
			}
		})
	}
}
