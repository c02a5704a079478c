package main

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"healthlake-smart-on-fhir/internal/tlstest"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// attackFrozen sends on the kept connection what nobody asked for, while Lambda has the process frozen.
func attackFrozen(scheme string) func(*group) {
	return func(g *group) {
		dir := must(os.MkdirTemp("", "attack"))
		defer os.RemoveAll(dir)
		var latest atomic.Pointer[net.Conn] // the connection of the latest request
		provider := httptest.NewUnstartedServer(nil)
		provider.Config.ConnState = func(c net.Conn, state http.ConnState) {
			if state == http.StateActive {
				latest.Store(&c)
			}
		}
		s := start(func(s *sandbox.Sandbox) {
			provider.Config.Handler = s.IDP.Server.Config.Handler
			if scheme == "https://" {
				model := httptest.NewTLSServer(nil) // has a certificate
				model.Close()
				s.Variables["SSL_CERT_FILE"] = filepath.Join(dir, "trusted.pem")
				certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: model.Certificate().Raw})
				_ = must(0, os.WriteFile(s.Variables["SSL_CERT_FILE"], certificate, 0o600))
				provider.Listener = tlstest.Listen(provider.Listener, model.TLS)
			}
			provider.Start()
			s.Document.AuthEndpointIntrospect = scheme + provider.Listener.Addr().String() + idp.IntrospectPath
		})
		defer s.Stop()
		g.good = func() (bool, bool) { return send(s, must(s.Token(context.Background(), "valid"))) }
		try := func(attack string, times int, then func(net.Conn) error, text string) {
			g.call = func(text string) (bool, bool) {
				for err := net.ErrClosed; err != nil; {
					send(s, "made-up") // so that there is a connection that is kept
					c := *latest.Load()
					frozen := s.Function.Freeze()
					_, err = io.WriteString(c, text)
					err = errors.Join(err, then(c))
					_ = must(0, errors.Join(frozen, s.Function.Thaw()))
				}
				return send(s, "made-up")
			}
			g.try(attack, "", slices.Repeat([]string{text}, times)...)
		}
		nothing, stray := func(net.Conn) error { return nil }, answer("200 OK", sandbox.Active())
		try("a response that authorizes", 1000, nothing, stray)
		try("half of it", 100, nothing, stray[:len(stray)/2])
		try("the end of a header, and a body that authorizes", 100, nothing, "\r\n\r\n"+sandbox.Active())
		try("an interim response, and one that authorizes", 100, nothing, "HTTP/1.1 103 Early Hints\r\n\r\n"+stray)
		try("a response that authorizes, and the end", 100, net.Conn.Close, stray)
		try("408 and the end", 500, net.Conn.Close, answer("408 Request Timeout", "", "Connection: close"))
		if scheme == "https://" {
			try("a session ticket", 500, sendTicket, "")
			try("a session ticket after a response that authorizes", 100, sendTicket, stray)
		}
	}
}

func sendTicket(c net.Conn) error {
	record, err := c.(*tlstest.Conn).Ticket()
	if err == nil {
		_, err = c.(*tlstest.Conn).NetConn().Write(record)
	}
	return err
}
