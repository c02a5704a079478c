package checktoken

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/authorize"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/jwt"
)

// way is how the tokens of one issuer are checked: where what is known about them comes from, and what they must have.
type way struct {
	issuer string // as the log line has it
	source source
	rules  authorize.Rules
}

// addIssuers adds a way for each issuer beside the main one. rules are those of the deployment.
func (c *Checker) addIssuers(issuers []contract.Issuer, rules authorize.Rules, transport *httpclient.Transport, now func() time.Time) {
	if len(issuers) > 0 {
		c.main.issuer = contract.MainIssuer
	}
	for _, issuer := range issuers {
		own := rules
		own.RequiredAudience, own.RequiredScopes, own.ClaimNames = issuer.RequiredAudience, issuer.RequiredScope, issuer.ClaimNames
		own.TrustedIssuers = nil // the verifier takes this issuer's tokens alone
		c.more = append(c.more, way{issuer.Issuer, &verification{jwt.New(issuer.Issuer, issuer.JWKS, transport, now)}, own})
	}
}

// way chooses who decides about a token. A token that states an issuer falsely is refused there, since that issuer has not signed
// it. Whatever is not a JWT of one of the others is the main provider's.
func (c *Checker) way(token string) way {
	if len(c.more) == 0 {
		return c.main
	}
	if issuer, ok := jwt.UnverifiedIssuer(token); ok {
		for _, w := range c.more {
			if w.issuer == issuer {
				return w
			}
		}
	}
	return c.main
}

// Connect opens the ways to the providers, side by side, so that the first token finds them open. It needs no secret. Its
// error may be that of several providers.
func (c *Checker) Connect(ctx context.Context) error {
	ways := append([]way{c.main}, c.more...)
	errs := make([]error, len(ways))
	var wait sync.WaitGroup
	for i, w := range ways {
		wait.Go(func() {
			err := w.source.connect(ctx)
			if err != nil && w.issuer != "" {
				err = fmt.Errorf("issuer %s: %w", w.issuer, err)
			}
			errs[i] = err
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// TryCredentials shows the document's credentials to the main provider, where the deployment has any for it, so that an endpoint
// or a credential that cannot work is noticed before anybody waits for it. Its error is an *Error.
func (c *Checker) TryCredentials(ctx context.Context, document contract.Document) error {
	return c.main.source.tryCredentials(ctx, document)
}
