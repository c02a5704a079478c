// Package introspect is an OAuth 2.0 Token Introspection client (RFC 7662): a token in, the authorization server's claims
// about it out. It decides nothing about the token.
package introspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/httpclient"
)

// maxAnswer bounds what is read of an answer. Real ones are below 2 KiB.
const maxAnswer = 64 << 10

// Kind says what went wrong, in a word that suits a log line and a metric.
type Kind string

// The kinds of Error.
const (
	KindTimeout      Kind = "timeout"      // the context ended before the whole answer was there
	KindUnreachable  Kind = "unreachable"  // no connection, a broken one, or one that could not be trusted (TLS)
	KindRedirect     Kind = "redirect"     // any 3xx; it is never followed, since the token would go with it
	KindUnauthorized Kind = "unauthorized" // 401 or 403: the server refuses our own credentials (RFC 7662 section 2.3)
	KindStatus       Kind = "status"       // any other status but 200
	KindTooLarge     Kind = "too_large"    // an answer over 64 KiB
	KindMalformed    Kind = "malformed"    // an answer that is not one JSON object
	KindSettings     Kind = "settings"     // an endpoint or credential that cannot be used; no request was made
)

// Error is every error that Introspect returns. Its text holds neither the token nor a credential nor anything of the
// answer's body.
type Error struct {
	Kind   Kind
	Status int // the HTTP status where there was one, else 0
	cause  error
}

func (e *Error) Error() string {
	switch {
	case e.cause != nil:
		return fmt.Sprintf("introspection: %s: %v", e.Kind, e.cause)
	case e.Status != 0:
		return fmt.Sprintf("introspection: %s: HTTP status %d", e.Kind, e.Status)
	}
	return "introspection: " + string(e.Kind)
}

// Unwrap gives the transport's error, where there was one.
func (e *Error) Unwrap() error { return e.cause }

// Client sends introspection requests. It is safe for concurrent use and keeps connections open between calls, so a
// process needs one.
type Client struct {
	transport *httpclient.Transport
	pace      pace
}

// New returns a client that sends its requests through transport.
func New(transport *httpclient.Transport) *Client {
	return &Client{transport: transport, pace: newPace()}
}

// Answer is what came of a call.
type Answer struct {
	// Claims are what the server sent, active among them; nil with an error.
	Claims claims.Set
	// Requests is how many were sent: none, one, or two.
	Requests int
}

// Introspect asks the authorization server at endpoint about token. Whether the token is good is for the caller to
// decide. Every error is an *Error. The context's deadline bounds the whole exchange, bodies included.
//
// A request that meets a connection error or a 502, 503 or 504 is sent once more at once, and one that takes longer than
// this process has come to expect is sent once more on another connection; the first good answer counts. No call sends
// more than two requests, and no more than about one call in ten, and one a second besides, sends the second.
func (c *Client) Introspect(ctx context.Context, endpoint string, auth Auth, token string) (Answer, error) {
	request, err := newRequest(endpoint, auth, token)
	if err != nil {
		return Answer{}, &Error{Kind: KindSettings, cause: err}
	}
	ctx, cancel := context.WithCancel(ctx) // ends the request that lost
	defer cancel()

	type result struct {
		claims claims.Set
		took   time.Duration
		err    *Error
	}
	results := make(chan result, 2)
	send := func() {
		begin := time.Now()
		set, err := c.exchange(request.Clone(ctx))
		results <- result{set, time.Since(begin), err}
	}
	c.pace.call(time.Now())
	hedge := time.NewTimer(c.pace.patience())
	defer hedge.Stop()

	go send()
	sent, running := 1, 1
	var failure *Error
	for {
		again := false
		select {
		case <-hedge.C:
			again = true
		case r := <-results:
			if r.err == nil {
				c.pace.observe(r.took)
				return Answer{Claims: r.claims, Requests: sent}, nil
			}
			running--
			failure = r.err
			again = r.err.repeatable()
		}
		if again && sent == 1 && ctx.Err() == nil && c.pace.spend() {
			sent, running = sent+1, running+1
			go send()
		}
		if running == 0 {
			return Answer{Requests: sent}, failure
		}
	}
}

// exchange sends one request and reads its answer.
func (c *Client) exchange(request *http.Request) (claims.Set, *Error) {
	// Each request reads a body of its own; GetBody is there because newRequest's body is a strings.Reader.
	body, err := request.GetBody()
	if err != nil {
		return nil, &Error{Kind: KindSettings, cause: err}
	}
	request.Body = body
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, transportError(request.Context(), err)
	}
	defer response.Body.Close()

	if status := response.StatusCode; status != http.StatusOK {
		// Read a little of a body that does not matter, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
		return nil, &Error{Kind: kindOfStatus(status), Status: status}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, transportError(request.Context(), err)
	}
	if len(text) > maxAnswer {
		return nil, &Error{Kind: KindTooLarge, Status: response.StatusCode}
	}
	set, err := claims.Parse(text)
	if err != nil {
		return nil, &Error{Kind: KindMalformed, Status: response.StatusCode, cause: err}
	}
	return set, nil
}

func kindOfStatus(status int) Kind {
	switch {
	case status >= 300 && status < 400:
		return KindRedirect
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return KindUnauthorized
	}
	return KindStatus
}

// repeatable tells whether the same request may fare better at once.
func (e *Error) repeatable() bool {
	return e.Kind == KindUnreachable || e.Status == http.StatusBadGateway ||
		e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
}

// newRequest builds the request of RFC 7662 section 2.1.
func newRequest(endpoint string, auth Auth, token string) (*http.Request, error) {
	target, err := httpclient.ParseURL(endpoint)
	if err != nil {
		return nil, fmt.Errorf("the endpoint is %w", err)
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
		// A nil value sends no such header and tells the transport that this POST may be repeated: introspection changes
		// nothing, so a request that meets a connection which the server has just closed goes out again on a new one.
		"Idempotency-Key": nil,
	}
	if err := auth.apply(form, header); err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the endpoint is not a URL")
	}
	request.Header = header
	return request, nil
}

func transportError(ctx context.Context, err error) *Error {
	kind := KindUnreachable
	var timeout net.Error
	if ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout() {
		kind = KindTimeout
	}
	return &Error{Kind: kind, cause: err}
}
