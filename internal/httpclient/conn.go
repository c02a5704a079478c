package httpclient

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"time"
)

// conn is a connection that has one request at a time. While it is idle, nobody reads from it.
type conn struct {
	net.Conn         // what HTTP is spoken on: TLS, or the socket itself
	socket   *socket // beneath it
	tls      *tls.ConnectionState
	owner    *Transport // keeps it when it is idle
	scheme   string
	host     string // with the port

	input  input
	reader *bufio.Reader // of input
	writer *bufio.Writer

	idleSince time.Time
	reused    bool
	responded bool // at least one byte has come since the request was sent
}

func newConn(owner *Transport, u *url.URL, spoken net.Conn, s *socket, state *tls.ConnectionState) *conn {
	c := &conn{Conn: spoken, socket: s, tls: state, owner: owner, scheme: u.Scheme, host: u.Host}
	c.input = input{from: spoken, left: math.MaxInt64}
	c.reader = bufio.NewReader(&c.input)
	c.writer = bufio.NewWriter(spoken)
	return c
}

func (c *conn) leadsTo(u *url.URL) bool { return c.scheme == u.Scheme && c.host == u.Host }

// isUsable tells whether the next request may go out on this idle connection: nothing has arrived since the last response,
// neither a byte nor an end. Late session tickets of TLS are no bytes of HTTP and do no harm.
func (c *conn) isUsable(now time.Time) bool {
	// Round drops the monotonic reading, which may stand still while Lambda has the process frozen.
	if idle := now.Round(0).Sub(c.idleSince); idle < 0 || idle > maxIdle {
		return false
	}
	c.socket.noWait = true
	defer func() { c.socket.noWait = false }()
	_, err := c.reader.Peek(1)
	// The beginning of a TLS record cannot be decrypted yet, so nobody knows what it will be.
	return errors.Is(err, os.ErrDeadlineExceeded) && c.socket.records.betweenTwo()
}

// exchange sends the request and reads the response's header. The response's body gives the connection back, or closes it.
// With an error the connection is closed.
func (c *conn) exchange(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.Conn, Reused: c.reused, WasIdle: c.reused})
	}
	deadline, _ := ctx.Deadline() // without one it is zero, and so is the connection's
	_ = c.SetDeadline(deadline)   // fails on a closed connection alone, as the write does that follows
	release := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	response, err := c.send(request)
	if err != nil {
		release()
		c.Close()
		return nil, err
	}
	response.TLS = c.tls
	response.Body = &body{
		reader:  response.Body,
		conn:    c,
		ctx:     ctx,
		release: release,
		keep:    !request.Close && !response.Close && response.StatusCode != http.StatusSwitchingProtocols,
	}
	return response, nil
}

func (c *conn) send(request *http.Request) (*http.Response, error) {
	c.responded = false
	if err := request.Write(c.writer); err != nil {
		return nil, err
	}
	if err := c.writer.Flush(); err != nil {
		return nil, err
	}
	c.input.left = maxHeader
	defer func() { c.input.left = math.MaxInt64 }()
	if _, err := c.reader.Peek(1); err != nil {
		return nil, err
	}
	c.responded = true
	for {
		response, err := http.ReadResponse(c.reader, request)
		switch {
		case err != nil:
			return nil, cmp.Or(c.input.err, err)
		case response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols:
			return response, nil
		}
		// An interim response (RFC 9110 section 15.2). They share the header's bound.
	}
}

// input is what is read of a connection. It remembers the error, since net/http takes half of a line for a whole one and
// complains about that.
type input struct {
	from io.Reader
	left int64 // bytes that may still be read
	err  error
}

func (i *input) Read(p []byte) (n int, err error) {
	if i.left <= 0 {
		i.err = errHeaderTooLarge
		return 0, i.err
	}
	n, i.err = i.from.Read(p[:min(int64(len(p)), i.left)])
	i.left -= int64(n)
	return n, i.err
}

// giveBack keeps the connection for the next request.
func (c *conn) giveBack() {
	c.reused = true
	c.idleSince = time.Now().Round(0)
	c.owner.keep(c)
}

// body is a response's body. At its end the connection is given back.
type body struct {
	reader  io.Reader // knows where the body ends
	conn    *conn
	ctx     context.Context
	release func() bool // ends the context's hold on the connection; false if it was used
	keep    bool
	err     error // why reading has ended; nil while it may go on
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.reader.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, b.err
}

// maxRest bounds what Close reads.
const maxRest = 4 << 10

// Close reads the rest of the body if it has arrived, so that the connection can be used again. It never waits.
func (b *body) Close() error {
	if b.err == nil {
		b.conn.socket.noWait = true
		_, err := io.CopyN(io.Discard, b.reader, maxRest)
		b.conn.socket.noWait = false
		b.end(err)
		b.err = &Error{text: "the body is closed"}
	}
	return nil
}

// end is called once, with the reason why reading ends: io.EOF if the body was complete.
func (b *body) end(err error) {
	if b.release() && err == io.EOF && b.keep {
		b.conn.giveBack()
	} else {
		b.conn.Close()
	}
	b.err = err
	if err != io.EOF {
		b.err = explain(b.ctx, cmp.Or(b.conn.input.err, err))
	}
}
