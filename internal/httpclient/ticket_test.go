//go:build unix

package httpclient

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"

	"healthlake-smart-on-fhir/internal/tlstest"
)

// A session ticket that comes late is no stray response: the connection is used again.
func TestLateTicketsDoNoHarm(t *testing.T) {
	config := new(tls.Config)
	p := newTLSPeer(t, config, func(p *peer) {
		p.wrap = func(conn net.Conn) net.Conn { return tlstest.Server(conn, config) }
	})
	transport := NewTransport(p.roots)
	const times = 1000
	for i := range times {
		s := p.ask(t, transport, fmt.Sprint(i))
		sendTicket(t, s, 1)
		if i%2 == 0 {
			arrival(t, transport) // else it comes with the next response
		}
	}
	if got := p.connections.Load(); got != 1 {
		t.Errorf("%d connections for %d calls, want 1", got, times)
	}

	// A ticket of which half has come may as well be a response.
	s := p.ask(t, transport, "before half a ticket")
	sendTicket(t, s, 2)
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

// sendTicket sends a session ticket, or the first part of one: a whole one divided by part.
func sendTicket(t *testing.T, s *served, part int) {
	t.Helper()
	record, err := s.Conn.(*tlstest.Conn).Ticket()
	if err == nil {
		_, err = s.tcp.Write(record[:len(record)/part])
	}
	if err != nil {
		t.Fatal(err)
	}
}
