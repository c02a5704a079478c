// Package provider checks a configuration against the identity provider that it names. It connects as the function and SMART
// apps do: by TLS 1.2 or later, without proxies, without following redirects.
package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
)

// The names of the checks; those of single endpoints and keys are made of the key's name.
const (
	checkDiscovery   = "discovery document"
	checkJWKS        = "JWKS authEndpointJwks"
	checkCredentials = "introspection credentials"
	checkMadeUp      = "introspection of a made-up token"
	checkLatency     = "introspection time"
	checkToken       = "token"
)

var introspectionChecks = []string{checkCredentials, checkMadeUp, checkLatency}

// requestTimeout is how long one request may take. It is far above what HealthLake allows, to tell slow from unreachable.
const requestTimeout = 10 * time.Second

// Provider is the identity provider of one configuration. It keeps its connections open, as the function does.
type Provider struct {
	cfg config.Config
	Options
	transport *httpclient.Transport
	client    *introspect.Client
}

// Options are what a provider's checks need beside the configuration.
type Options struct {
	Secrets Secrets
	Roots   *x509.CertPool // certificate authorities that are trusted; nil: the system's
	Calls   int            // introspection calls that are timed

	// Withhold, if it is not empty, is the reason why no credential and no token may be sent to the provider.
	Withhold string

	Reach func(netip.Addr) Reach // nil: ReachOf
}

// New returns a provider.
func New(cfg config.Config, o Options) *Provider {
	if o.Reach == nil {
		o.Reach = ReachOf
	}
	transport := httpclient.NewTransport(o.Roots)
	return &Provider{cfg: cfg, Options: o, transport: transport, client: introspect.New(transport)}
}

// Check makes every check that needs no token.
func (p *Provider) Check(ctx context.Context, l *checklist.List) {
	document, err := p.Discover(ctx, p.issuer())
	usable := p.endpoints(ctx, document, l)
	if err != nil {
		l.Fail(checkDiscovery, err.Error(), "correct authIssuer (or authEndpoint): clients find the provider by it")
	} else {
		l.OK(checkDiscovery, document.URL)
		p.compare(document, l)
	}
	p.jwks(ctx, document, l)
	p.issuers(ctx, l)
	switch {
	case p.cfg.TokenValidation == config.TokenValidationJWT:
		skip(l, introspectionChecks, "tokenValidation is jwt: the provider is not asked about tokens")
	case p.Withhold != "":
		skip(l, introspectionChecks, p.Withhold)
	case !usable:
		skip(l, introspectionChecks, "authEndpointIntrospect is not usable, see above")
	default:
		p.introspection(ctx, l)
	}
}

// Offline lists what Check would check, as skipped.
func Offline(l *checklist.List, reason string) {
	skip(l, append([]string{"endpoints", checkDiscovery, checkJWKS}, introspectionChecks...), reason)
}

func skip(l *checklist.List, checks []string, reason string) {
	for _, check := range checks {
		l.Skip(check, reason)
	}
}

func (p *Provider) issuer() string {
	if p.cfg.AuthIssuer != "" {
		return p.cfg.AuthIssuer
	}
	return p.cfg.AuthEndpoint
}

// fixFor says how to correct a key, given what the provider's own document has for it.
func (d Document) fixFor(key, value string) string {
	if theirs := d.Value(key); theirs != "" && theirs != value {
		return "set " + key + " to " + theirs + ", as the provider's discovery document has it"
	}
	return "correct " + key
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
