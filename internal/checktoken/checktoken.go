// Package checktoken goes the way from a bearer token to HealthLake's response: token, claims, decision, response. The
// function and the preflight check both use it, so that preflight shows what HealthLake would get.
package checktoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"healthlake-smart-on-fhir/internal/authorize"
	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// Checker checks tokens for one deployment. It is safe for concurrent use and keeps connections, keys and, where the
// deployment asks for it, claims; so a process needs one.
type Checker struct {
	main way
	more []way // each for one other issuer
	now  func() time.Time
}

// source is where the claims about a token come from. What follows from them is the same for each source.
type source interface {
	// find returns what the provider states about a token. The error is a *jwt.Refusal where the token must be denied, and
	// otherwise an *Error.
	find(ctx context.Context, token string, document contract.Document) (found, error)
	// connect does ahead of the first token what would make it wait, as far as that needs no document.
	connect(ctx context.Context) error
	// tryCredentials shows the document's credentials to the provider, which may refuse them.
	tryCredentials(ctx context.Context, document contract.Document) error
	// parseDocument reads the secret's value and checks that it has what the source needs.
	parseDocument(value []byte) (contract.Document, error)
}

// found is what a source returns, with an error too: the claims, and what it took to get them.
type found struct {
	claims   claims.Set
	requests int
	cacheHit bool
}

// New returns a checker for a deployment's environment. It sends its requests to the provider through transport. Its
// clock is now. The error names the variable at fault.
func New(e contract.Environment, transport *httpclient.Transport, now func() time.Time) (*Checker, error) {
	rules := authorize.Rules{
		RequiredAudience: e.RequiredAudience,
		TrustedIssuers:   e.TrustedIssuers,
		RequiredScopes:   e.RequiredScope,
		ClaimNames:       e.ClaimNames,
		MaxLifetime:      e.MaxTokenLifetime,

		AcceptSenderConstrained: e.SenderConstrainedTokens == contract.SenderConstrainedAccept,
	}
	if err := checkEndpoints(e); err != nil {
		return nil, err
	}
	main, err := mainSource(e, transport, now)
	if err != nil {
		return nil, err
	}
	c := &Checker{main: way{source: main, rules: rules}, now: now}
	c.addIssuers(e.MoreIssuers, rules, transport, now)
	return c, nil
}

// checkEndpoints checks where tokens go to and keys come from, so that a function that must not call them does not start.
func checkEndpoints(e contract.Environment) error {
	variable := "INTROSPECTION_ORIGIN"
	if e.TokenValidation == contract.TokenValidationJWT {
		variable = "AUTH_ENDPOINT_JWKS"
	}
	for _, endpoint := range e.Endpoints() { // the main provider's comes first
		if _, err := httpclient.ParseURL(endpoint); err != nil {
			return fmt.Errorf("%s: %w", variable, err)
		}
		variable = "MORE_ISSUERS"
	}
	return nil
}

// maxCached bounds, in bytes, what is kept of the provider's responses.
const maxCached = 8 << 20

// mainSource is where the claims come from about tokens that are not one of the other issuers'.
func mainSource(e contract.Environment, transport *httpclient.Transport, now func() time.Time) (source, error) {
	if e.TokenValidation == contract.TokenValidationJWT {
		return &verification{jwt.New(e.AuthIssuer, e.AuthEndpointJwks, transport, now)}, nil
	}
	method, err := clientauth.Parse(e.IntrospectionAuth)
	if err != nil {
		return nil, fmt.Errorf("INTROSPECTION_AUTH: %w", err)
	}
	if method == clientauth.PrivateKeyJWT && e.ClientAssertionAudience == "" {
		return nil, errors.New("CLIENT_ASSERTION_AUDIENCE: needed where INTROSPECTION_AUTH is private_key_jwt")
	}
	return &introspection{
		transport: transport,
		client:    introspect.New(transport),
		method:    method,
		audience:  e.ClientAssertionAudience,
		origin:    e.IntrospectionOrigin,
		cache:     tokencache.New(e.IntrospectionCache, maxCached, now),
		now:       now,
	}, nil
}

// Result is what came of checking one token.
type Result struct {
	Response authorize.Response
	Decision authorize.Decision
	Provider Usage
}

// Usage is what a check took at the provider. It is set with an error too.
type Usage struct {
	// Issuer is whose keys and rules decided, where there are several: contract.MainIssuer, or one of the others.
	Issuer   string
	Time     time.Duration
	Requests int
	CacheHit bool // the claims were kept from an earlier check
}

// Error is every error of Check. Its text holds neither the token nor a credential nor anything of a
// provider's response.
type Error struct {
	Reason reason.Reason
	cause  error
}

func (e *Error) Error() string { return e.cause.Error() }

// Unwrap gives the error of the package that failed.
func (e *Error) Unwrap() error { return e.cause }

// ParseDocument reads the secret's value and checks that it has what every check of a token needs. The error names fields and
// contains no value.
func (c *Checker) ParseDocument(value []byte) (contract.Document, error) {
	return c.main.source.parseDocument(value)
}

// Check returns HealthLake's response about a token for the datastore at endpoint. The settings that may change without a
// deployment come from document. A token that the provider does not call good is no error: the response denies it. An error,
// always an *Error, means that there is no decision; the result then has nothing but its Provider. The context's deadline
// bounds the whole check.
func (c *Checker) Check(ctx context.Context, token, endpoint string, document contract.Document) (Result, error) {
	decision, usage, err := c.decide(ctx, token, endpoint, document)
	if err != nil {
		return Result{Provider: usage}, err
	}
	return Result{
		Response: authorize.NewResponse(decision, document.AuthEndpointToken, endpoint, document.RoleARN(decision.Access)),
		Decision: decision,
		Provider: usage,
	}, nil
}

// decide gets the claims of a token and judges them.
func (c *Checker) decide(
	ctx context.Context, token, endpoint string, document contract.Document,
) (authorize.Decision, Usage, error) {
	if !authorize.WellFormed(token) {
		return authorize.Deny(reason.MalformedToken, c.now()), Usage{}, nil
	}
	w := c.way(token)
	begin := time.Now()
	found, err := w.source.find(ctx, token, document)
	usage := Usage{Issuer: w.issuer, Time: time.Since(begin), Requests: found.requests, CacheHit: found.cacheHit}
	if refusal := new(jwt.Refusal); errors.As(err, &refusal) {
		denied := authorize.Deny(refusal.Reason, c.now())
		denied.Claims, denied.Mismatch = refusal.Claims, refusal.Mismatch
		return denied, usage, nil
	}
	if err != nil {
		return authorize.Decision{}, usage, err
	}
	return authorize.Decide(found.claims, endpoint, c.now(), w.rules), usage, nil
}
