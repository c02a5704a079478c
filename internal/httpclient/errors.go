package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Error is every error of the transport and of its responses' bodies. Its text says what a person can do something about; it
// quotes nothing that the peer sent and names no address.
type Error struct {
	text  string
	cause error
}

func (e *Error) Error() string { return e.text }

// Unwrap returns the error of the network, of TLS or of the context, for errors.Is and errors.As; nil if there is none. Its
// text may name addresses and what is in the peer's certificate.
func (e *Error) Unwrap() error { return e.cause }

var errHandshake = errors.New("TLS handshake")

var errHeaderTooLarge = &Error{text: "the response's header is over 32 KiB"}

const notTLS = "the response is not TLS"

// explain turns an error of the context, of the network, of TLS or of net/http into an *Error.
func explain(ctx context.Context, err error) error {
	if known := new(Error); errors.As(err, &known) {
		return known
	}
	// An ended context ends the connection's deadline, so this is what the error comes from.
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if text := cmp.Or(explainTLS(err), explainNetwork(err)); text != "" {
		return &Error{text, err}
	}
	// What is left are net/http's errors about a response that is not HTTP. They quote it, so they are not kept.
	return &Error{text: "the response is not HTTP"}
}

func explainTLS(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		other     *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.NotAfter.Before(time.Now()):
		return "the certificate expired on " + invalid.Cert.NotAfter.UTC().Format(time.DateOnly)
	case errors.As(err, &authority):
		return "the certificate is signed by an authority that is not trusted"
	case errors.As(err, &host):
		return "the certificate is not for " + host.Host
	case errors.As(err, &invalid), errors.As(err, &other):
		return "the certificate is not valid"
	case errors.As(err, &record):
		return notTLS
	case errors.As(err, &alert):
		return "the server refuses the TLS handshake"
	}
	return ""
}

func explainNetwork(err error) string {
	var (
		name      *net.DNSError
		operation *net.OpError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Sprintf("the host %s does not resolve", name.Name)
	case errors.As(err, &name):
		return fmt.Sprintf("the host %s could not be looked up: no name server answers", name.Name)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no response in time"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the network does not reach it"
	case errors.As(err, &operation) && operation.Op == "remote error":
		return "the server refuses the TLS handshake"
	case errors.As(err, &operation):
		return "the connection broke"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection"
	case errors.Is(err, errHandshake):
		return "the TLS handshake failed"
	}
	return ""
}
