package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
)

// introspection asks about made-up tokens.
func (p *Provider) introspection(ctx context.Context, l *checklist.List) {
	auth, missing := p.Secrets.auth(p.cfg)
	if missing != "" {
		skip(l, introspectionChecks, missing)
		return
	}
	response, err := p.ask(ctx, auth, requestTimeout)
	if err != nil {
		reason, fix := introspectionError(err, auth)
		l.Fail(checkCredentials, reason, fix)
		skip(l, introspectionChecks[1:], "introspection failed")
		return
	}
	p.credentials(ctx, auth, l)
	const unusable = "the responses are not usable"
	switch {
	case response.True("active"):
		l.Fail(checkMadeUp, "active: true, so every token would be authorized",
			"authEndpointIntrospect is not an introspection endpoint (RFC 7662), or the provider is broken")
		l.Skip(checkLatency, unusable)
		return
	case string(response["active"]) != "false":
		l.Fail(checkMadeUp, "the response has no boolean active, so no token would be authorized",
			"authEndpointIntrospect is not an introspection endpoint (RFC 7662)")
		l.Skip(checkLatency, unusable)
		return
	}
	l.OK(checkMadeUp, "active: false")
	p.latency(ctx, auth, l)
}

// credentials tells whether the provider checks the credentials that it has just accepted.
func (p *Provider) credentials(ctx context.Context, auth introspect.Auth, l *checklist.List) {
	if auth.Method == clientauth.None {
		l.OK(checkCredentials, "none are needed")
		return
	}
	_, err := p.ask(ctx, introspect.Auth{Method: clientauth.None}, requestTimeout)
	if err == nil {
		l.Warn(checkCredentials, "the provider accepts requests without credentials too, so it did not check these",
			"make sure that only your network reaches the endpoint, and set introspectionAuth to none")
		return
	}
	l.OK(checkCredentials, "accepted: "+describe(auth))
}

// ask introspects a token that nobody has.
func (p *Provider) ask(ctx context.Context, auth introspect.Auth, timeout time.Duration) (claims.Set, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	endpoint, err := httpclient.ParseURL(p.cfg.AuthEndpointIntrospect)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Introspect(ctx, endpoint, auth, "preflight-"+rand.Text())
	return answer.Claims, err
}

// introspectionError explains an introspection's error, and how to fix it.
func introspectionError(err error, auth introspect.Auth) (cause, fix string) {
	var e *introspect.Error
	if !errors.As(err, &e) {
		return "no response", "make sure that the provider runs"
	}
	const maybePage = "correct authEndpointIntrospect: this may be a web page"
	switch e.Reason {
	case reason.ProviderUnauthorized:
		return fmt.Sprintf("HTTP %d: the provider refuses %s", e.Status, describe(auth)), credentialsFix(auth)
	case reason.ProviderRedirect:
		return fmt.Sprintf("HTTP %d, a redirect, which the function does not follow", e.Status), "correct authEndpointIntrospect"
	case reason.ProviderStatus:
		if e.Status == http.StatusBadRequest { // RFC 6749 section 5.2: invalid_client may come as 400 too
			return fmt.Sprintf("HTTP 400 to %s", describe(auth)), credentialsFix(auth) + "; or correct authEndpointIntrospect"
		}
		return fmt.Sprintf("HTTP %d", e.Status), "correct authEndpointIntrospect, or look at the provider's log"
	case reason.ProviderMalformed:
		return "the response is not one JSON object", maybePage
	case reason.ProviderTooLarge:
		return "the response is over 64 KiB", maybePage
	case reason.ProviderTimeout:
		return "no response in time", "find out why the provider is slow; the function waits for less than a second"
	case reason.ProviderUnreachable:
		failed := e.Unwrap()
		return failed.Error(), connectionFix("authEndpointIntrospect", failed)
	}
	return "the credentials or the endpoint cannot be used", "correct authEndpointIntrospect and introspectionAuth"
}
