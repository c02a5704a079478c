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
	"healthlake-smart-on-fhir/internal/reason"
)

// maxBody bounds what is read of a response. Real ones are below 2 KiB.
const maxBody = 64 << 10

var errTooLarge = fmt.Errorf("a response of more than %d KiB", maxBody>>10)

// Error is every error that Introspect returns. Its text holds neither the token nor a credential nor anything that the
// server sent.
type Error struct {
	Reason reason.Reason // one of the Provider… reasons
	Status int           // the HTTP status, 0 if there was none
	cause  error
}

func (e *Error) Error() string {
	if e.cause != nil {
		return "introspection: " + e.cause.Error()
	}
	return fmt.Sprintf("introspection: HTTP status %d", e.Status)
}

// Unwrap returns the transport's error, if there was one.
func (e *Error) Unwrap() error { return e.cause }

// Client sends introspection requests. It is safe for concurrent use and keeps connections open between calls, so a
// process needs one.
type Client struct {
	transport *httpclient.Transport
	hedge     *hedge
}

// New returns a client that sends its requests through transport.
func New(transport *httpclient.Transport) *Client {
	return &Client{transport: transport, hedge: newHedge()}
}

// Response is what came of a call.
type Response struct {
	// Claims are what the server sent, active among them; nil with an error.
	Claims claims.Set
	// Requests is how many requests were sent, from none to maxRequests.
	Requests int
}

// Introspect asks the authorization server at endpoint about token. It does not judge the token. Every error is an *Error.
// The context's deadline bounds the whole exchange, bodies included.
//
// If a request meets a connection error or a 408, 502, 503 or 504, or if its response takes longer than usual, another one
// is sent on another connection, up to maxRequests in all, and the first good response counts. The hedge budget limits how
// many calls may do so, and none does after a call that no response came to.
func (c *Client) Introspect(ctx context.Context, endpoint *url.URL, auth Auth, token string) (Response, error) {
	first, failure := newRequest(endpoint, auth, token)
	if failure != nil {
		return Response{}, failure
	}
	ctx, cancel := context.WithCancel(ctx) // ends the request that is no longer needed
	defer cancel()
	results := make(chan result, maxRequests)
	send := func(request *http.Request) { results <- c.exchange(request.WithContext(ctx)) }

	delay := c.hedge.start(time.Now())
	late := time.NewTimer(delay)
	defer late.Stop()
	go send(first)
	sent := 1
	for running := 1; running > 0; {
		again := true
		select {
		case <-late.C:
		case r := <-results:
			if r.err == nil {
				c.hedge.observe(r.took)
				return Response{Claims: r.claims, Requests: sent}, nil
			}
			running--
			failure, again = r.err, r.err.repeatable()
		}
		if again && sent < maxRequests && ctx.Err() == nil && c.hedge.allow() {
			if another, failed := newRequest(endpoint, auth, token); failed == nil {
				go send(another)
				sent++
				running++
				late.Reset(delay)
			}
		}
	}
	c.hedge.giveUp(failure)
	return Response{Requests: sent}, failure
}

// result is what came of one request.
type result struct {
	claims claims.Set
	took   time.Duration
	err    *Error
}

// exchange sends one request and reads its response.
func (c *Client) exchange(request *http.Request) result {
	begin := time.Now()
	text, status, err := c.send(request)
	if err != nil {
		return result{err: transportError(request.Context(), err)}
	}
	if status != http.StatusOK {
		return result{err: &Error{Reason: reasonOfStatus(status, text), Status: status}}
	}
	if len(text) > maxBody {
		return result{err: &Error{Reason: reason.ProviderTooLarge, Status: status, cause: errTooLarge}}
	}
	set, err := claims.Parse(text)
	if err != nil {
		return result{err: &Error{Reason: reason.ProviderMalformed, Status: status, cause: err}}
	}
	return result{claims: set, took: time.Since(begin)}
}

// send returns a response's status, and its body up to one byte more than is allowed. The body of an error is not read, because it
// may stall, apart from that of a 400, which alone says what is wrong.
func (c *Client) send(request *http.Request) (text []byte, status int, err error) {
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		text, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	case http.StatusBadRequest:
		text, _ = io.ReadAll(io.LimitReader(response.Body, maxBody)) // without it, it is a 400 all the same
	}
	return text, response.StatusCode, err
}

func reasonOfStatus(status int, body []byte) reason.Reason {
	switch {
	case status >= 300 && status < 400:
		return reason.ProviderRedirect
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return reason.ProviderUnauthorized
	case status == http.StatusBadRequest && isInvalidClient(body):
		return reason.ProviderUnauthorized
	}
	return reason.ProviderStatus
}

// isInvalidClient tells whether an error is about our own credentials. Where these are in the form, as an assertion is, its status
// may be 400 (RFC 6749 section 5.2, RFC 7521 section 4.2.1).
func isInvalidClient(body []byte) bool {
	set, err := claims.Parse(body)
	if err != nil {
		return false
	}
	code, err := set.Text("error")
	return err == nil && code == "invalid_client"
}

// repeatable tells whether the same request may succeed if it is sent again at once. A server sends 408 on a connection that
// it found idle for too long (RFC 9110 section 15.5.9).
func (e *Error) repeatable() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return e.Reason == reason.ProviderUnreachable
}

// newRequest builds the request of RFC 7662 section 2.1. Each time that it is sent, its credentials are new.
func newRequest(endpoint *url.URL, auth Auth, token string) (*http.Request, *Error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
	}
	if err := auth.apply(form, header); err != nil {
		return nil, &Error{Reason: reason.ProviderSettings, cause: err}
	}
	body := form.Encode()
	return &http.Request{
		Method:        http.MethodPost,
		URL:           endpoint,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		// The transport asks for the body again if the kept connection breaks. The server may have seen the first one.
		GetBody: func() (io.ReadCloser, error) {
			if err := auth.apply(form, header); err != nil {
				return nil, err
			}
			return io.NopCloser(strings.NewReader(form.Encode())), nil // as long as the first: assertions have one length
		},
	}, nil
}

func transportError(ctx context.Context, err error) *Error {
	why := reason.ProviderUnreachable
	var timeout net.Error
	if ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout() {
		why = reason.ProviderTimeout
	}
	return &Error{Reason: why, cause: err}
}
