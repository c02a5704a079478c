// Package tlstest is the server's end of a TLS 1.3 connection that can send session tickets at any time (RFC 8446 section
// 4.6.1). crypto/tls sends them in the handshake alone. It is for tests.
package tlstest

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
	"net"
	"strings"
	"sync"
)

// Conn writes its records itself. Write and Ticket may be called from several goroutines, once the handshake is complete.
type Conn struct {
	*tls.Conn
	raw net.Conn

	mu       sync.Mutex
	secret   []byte
	aead     cipher.AEAD
	iv       []byte
	sequence uint64
}

// Server returns the server's end of a connection, with the certificates of config.
func Server(raw net.Conn, config *tls.Config) *Conn {
	c := &Conn{raw: raw}
	config = config.Clone()
	config.MinVersion, config.SessionTicketsDisabled, config.KeyLogWriter = tls.VersionTLS13, true, (*keyLog)(c)
	c.Conn = tls.Server(raw, config)
	return c
}

// keyLog keeps the connection's secret.
type keyLog Conn

func (l *keyLog) Write(line []byte) (n int, err error) {
	if fields := strings.Fields(string(line)); fields[0] == "SERVER_TRAFFIC_SECRET_0" {
		l.secret, err = hex.DecodeString(fields[2])
	}
	return len(line), err
}

// Write writes one record. The handshake must be complete.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	record, err := c.seal(23, p)
	if err == nil {
		_, err = c.raw.Write(record)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// ticket is a NewSessionTicket: lifetime, age_add, nonce, ticket, no extensions.
var ticket = append([]byte{4, 0, 0, 4 + 4 + 2 + 2 + 16 + 2, 0, 0, 14, 16, 1, 2, 3, 4, 1, 0, 0, 16}, make([]byte, 16+2)...)

// Ticket returns the record of a session ticket. Nothing may be written before it has been sent.
func (c *Conn) Ticket() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seal(22, ticket)
}

// deriveKeys does what RFC 8446 section 7.3 says for TLS_AES_128_GCM_SHA256.
func (c *Conn) deriveKeys() error {
	if suite := c.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		return fmt.Errorf("tlstest: cipher suite %s", tls.CipherSuiteName(suite))
	}
	expand := func(label string, length int) ([]byte, error) {
		label = "tls13 " + label
		info := append([]byte{0, byte(length), byte(len(label))}, label...)
		return hkdf.Expand(sha256.New, c.secret, string(append(info, 0)), length)
	}
	key, err := expand("key", 16)
	if err != nil {
		return err
	}
	if c.iv, err = expand("iv", 12); err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	c.aead, err = cipher.NewGCM(block)
	return err
}

// seal is RFC 8446 sections 5.2 and 5.3, for a record that holds data of this type.
func (c *Conn) seal(kind byte, p []byte) ([]byte, error) {
	if c.aead == nil {
		if err := c.deriveKeys(); err != nil {
			return nil, err
		}
	}
	plain := append(bytes.Clone(p), kind)
	header := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(plain)+c.aead.Overhead()))
	nonce := bytes.Clone(c.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(c.sequence >> (56 - 8*i))
	}
	c.sequence++
	return c.aead.Seal(header, nonce, plain, header), nil
}

// Listen returns a listener whose connections are by Server.
func Listen(inner net.Listener, config *tls.Config) net.Listener { return &listener{inner, config} }

type listener struct {
	net.Listener
	config *tls.Config
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Server(c, l.config), nil
}
