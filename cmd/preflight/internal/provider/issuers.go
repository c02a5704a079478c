package provider

import (
	"context"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/jwt"
)

// issuers checks each of the issuers beside the main one: its discovery document, and its keys.
func (p *Provider) issuers(ctx context.Context, l *checklist.List) {
	for _, issuer := range p.cfg.MoreIssuers {
		p.issuerDocument(ctx, issuer, l)
		p.issuerKeys(ctx, issuer, l)
	}
}

// issuerDocument compares an entry with what the issuer says of itself. An issuer that signs tokens need not publish a document.
func (p *Provider) issuerDocument(ctx context.Context, issuer contract.Issuer, l *checklist.List) {
	check := "issuer " + issuer.Issuer
	document, err := p.Discover(ctx, issuer.Issuer)
	if err != nil {
		l.Warn(check, err.Error(), "correct issuer in "+config.KeyMoreIssuers+", unless this issuer has no discovery document")
		return
	}
	name, keys := document.Value("authIssuer"), document.Value("authEndpointJwks")
	switch {
	case name != issuer.Issuer: // its tokens name it as the document does
		l.Fail(check, differs(issuer.Issuer, name), "set issuer in "+config.KeyMoreIssuers+" to "+name)
	case keys != issuer.JWKS:
		l.Warn(check, differs(issuer.JWKS, keys), "set jwks in "+config.KeyMoreIssuers+" to "+keys+" unless the difference is intended")
	default:
		l.OK(check, document.URL)
	}
}

// issuerKeys reads an issuer's keys, for people and then as the function does.
func (p *Provider) issuerKeys(ctx context.Context, issuer contract.Issuer, l *checklist.List) {
	check := "JWKS of " + issuer.Issuer
	var own checklist.List
	p.keys(ctx, check, keySource{"jwks in " + config.KeyMoreIssuers, issuer.JWKS, "correct jwks in " + config.KeyMoreIssuers}, &own)
	if own.Worst() == checklist.OK {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		if err := jwt.New(issuer.Issuer, issuer.JWKS, p.transport, time.Now).Load(ctx); err != nil {
			own = nil
			own.Fail(check, err.Error(), "correct the keys that the issuer publishes: RSA of at least 2048 bits, EC or Ed25519, for signatures")
		}
	}
	*l = append(*l, own...)
}

// isOthers tells whether a token is decided about without the main provider.
func (p *Provider) isOthers(token string) bool {
	stated, ok := jwt.UnverifiedIssuer(token)
	for _, issuer := range p.cfg.MoreIssuers {
		if ok && issuer.Issuer == stated {
			return true
		}
	}
	return false
}
