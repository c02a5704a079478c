package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// maxDocument is far above what discovery documents and key sets hold.
const maxDocument = 256 << 10

// reply is a response, as far as the checks need it.
type reply struct {
	status   int
	location string // of a redirect, without query
	body     []byte
	reach    Reach     // of the host's address
	notAfter time.Time // when the certificate ends; zero without TLS
}

// send makes one request without credentials and follows no redirect.
func (p *Provider) send(ctx context.Context, method, target string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var r reply
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if a, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
			r.reach = p.Reach(a.AddrPort().Addr())
		}
	}})
	request, err := http.NewRequestWithContext(ctx, method, target, http.NoBody)
	if err != nil {
		return reply{}, errors.New("it is not a URL")
	}
	request.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := p.transport.RoundTrip(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	r.status = response.StatusCode
	if location, err := response.Location(); err == nil {
		location.RawQuery, location.Fragment, location.User = "", "", nil
		if r.location = location.String(); location.Host == "" {
			r.location = location.Path // without a host it is on the same one
		}
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		r.notAfter = response.TLS.PeerCertificates[0].NotAfter
	}
	r.body, err = io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return reply{}, err
	}
	if len(r.body) > maxDocument {
		return reply{}, fmt.Errorf("the response is over %d KiB", maxDocument>>10)
	}
	return r, nil
}

// connectionFix says what to do about a key whose endpoint cannot be reached.
func connectionFix(key string, err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "authority"):
		return "install the complete certificate chain on the server, or put your own authority into authCaBundle"
	case strings.Contains(text, "certificate"):
		return "renew the server's certificate, or correct the host in " + key
	case strings.Contains(text, "TLS"):
		return "correct the port in " + key + ", or turn on TLS 1.2 or later on the server"
	}
	return "correct " + key + ", or make sure that the provider runs and this machine can reach it"
}

// host is the host and port of a URL, for a message.
func host(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return u.Host
	}
	return target
}
