//go:build unix

package httpclient

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// sealing is a server's TLS 1.3 connection that writes its records itself, since crypto/tls sends session tickets in the
// handshake alone. A server may send them at any time (RFC 8446 section 4.6.1).
type sealing struct {
	*tls.Conn
	raw    net.Conn
	secret func() []byte

	aead     cipher.AEAD
	iv       []byte
	sequence uint64
}

func (s *sealing) Write(p []byte) (int, error) {
	if s.aead == nil {
		if err := s.deriveKeys(); err != nil {
			return 0, err
		}
	}
	if _, err := s.raw.Write(s.seal(applicationData, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

const applicationData, handshake = 23, 22 // types of records

// ticket is a NewSessionTicket: lifetime, age_add, nonce, ticket, no extensions.
var ticket = append([]byte{4, 0, 0, 4 + 4 + 2 + 2 + 16 + 2, 0, 0, 14, 16, 1, 2, 3, 4, 1, 0, 0, 16}, make([]byte, 16+2)...)

// deriveKeys does what RFC 8446 section 7.3 says for TLS_AES_128_GCM_SHA256.
func (s *sealing) deriveKeys() error {
	if suite := s.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		return fmt.Errorf("cipher suite %s", tls.CipherSuiteName(suite))
	}
	expand := func(label string, length int) ([]byte, error) {
		label = "tls13 " + label
		info := append([]byte{0, byte(length), byte(len(label))}, label...)
		return hkdf.Expand(sha256.New, s.secret(), string(append(info, 0)), length)
	}
	key, err := expand("key", 16)
	if err != nil {
		return err
	}
	if s.iv, err = expand("iv", 12); err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	s.aead, err = cipher.NewGCM(block)
	return err
}

// seal is RFC 8446 sections 5.2 and 5.3.
func (s *sealing) seal(kind byte, p []byte) []byte {
	plain := append(bytes.Clone(p), kind)
	header := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(plain)+s.aead.Overhead()))
	nonce := bytes.Clone(s.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(s.sequence >> (56 - 8*i))
	}
	s.sequence++
	return s.aead.Seal(header, nonce, plain, header)
}

// secrets is a key log that hands out the latest secret of the server.
type secrets struct {
	mu     sync.Mutex
	latest []byte
}

func (s *secrets) Write(line []byte) (int, error) {
	if fields := strings.Fields(string(line)); fields[0] == "SERVER_TRAFFIC_SECRET_0" {
		secret, err := hex.DecodeString(fields[2])
		if err != nil {
			return 0, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.latest = secret
	}
	return len(line), nil
}

func (s *secrets) get() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// A session ticket that comes late is no stray response: the connection is used again.
func TestLateTicketsDoNoHarm(t *testing.T) {
	log := new(secrets)
	config := &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, KeyLogWriter: log}
	p := newTLSPeer(t, config, func(p *peer) {
		p.wrap = func(conn net.Conn) net.Conn {
			return &sealing{Conn: tls.Server(conn, config), raw: conn, secret: log.get}
		}
	})
	transport := NewTransport(p.roots)
	const times = 1000
	for i := range times {
		s := p.ask(t, transport, fmt.Sprint(i))
		if _, err := s.tcp.Write(s.Conn.(*sealing).seal(handshake, ticket)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			arrival(t, transport) // else it comes with the next response
		}
	}
	if got := p.connections.Load(); got != 1 {
		t.Errorf("%d connections for %d calls, want 1", got, times)
	}

	// A ticket of which half has come may as well be a response.
	s := p.ask(t, transport, "before half a ticket")
	half := s.Conn.(*sealing).seal(handshake, ticket)[:20]
	if _, err := s.tcp.Write(half); err != nil {
		t.Fatal(err)
	}
	arrival(t, transport)
	p.ask(t, transport, "after half a ticket")
	if got := p.connections.Load(); got != 2 {
		t.Errorf("%d connections, want a second one", got)
	}

	// And a response after a ticket is no ticket.
	s = p.ask(t, transport, "before a stray")
	if _, err := io.WriteString(s, authorizing); err != nil {
		t.Fatal(err)
	}
	arrival(t, transport)
	p.ask(t, transport, "after a stray")
	if got := p.connections.Load(); got != 3 {
		t.Errorf("%d connections, want a third one", got)
	}
}
