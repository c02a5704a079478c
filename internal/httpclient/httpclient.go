// Package httpclient is the way to the identity provider: for introspection, for its keys, and for preflight's checks.
package httpclient

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"time"
)

// Transport is an http.RoundTripper for the one host that this process talks to: HTTP/1.1 with one connection kept open, TLS
// 1.2 or later, no proxy whatever the environment says, and no compression, so that a small response cannot unfold into a
// large one. Like every RoundTripper it follows no redirect. It sends requests only where ParseURL allows. Its errors, and
// those of the bodies that it returns, are *Error. It is safe for concurrent use.
type Transport struct {
	inner *http.Transport
}

// NewTransport returns a transport that checks certificates against roots (nil: the system's).
func NewTransport(roots *x509.CertPool) *Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Transport{&http.Transport{
		Protocols:       protocols,
		DialContext:     (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		// One idle connection, so that a hedged request opens a new one.
		MaxIdleConnsPerHost: 1,
		// AWS's NAT gateways drop a connection after 350 idle seconds without telling either end.
		IdleConnTimeout:        4 * time.Minute,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 32 << 10,
	}}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := checkURL(request.URL); err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, &Error{text: "the URL is " + err.Error()}
	}
	response, err := t.inner.RoundTrip(request)
	if err != nil {
		return nil, explain(err)
	}
	response.Body = body{response.Body}
	return response, nil
}

// CloseIdleConnections closes the connection that is kept open, unless it is in use.
func (t *Transport) CloseIdleConnections() { t.inner.CloseIdleConnections() }

// body is a response's body without the peer's words in its errors.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, explain(err)
}
