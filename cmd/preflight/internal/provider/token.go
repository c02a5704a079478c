package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
)

// Token checks a real token as the function would and returns the response that HealthLake would get, nil if that would be
// an error. endpoint is the datastore's.
func (p *Provider) Token(ctx context.Context, token, endpoint string, now time.Time, l *checklist.List) []byte {
	environment, document := p.cfg.Environment(), p.cfg.Document()
	auth, missing := p.Secrets.auth(p.cfg)
	hindrance := cmp.Or(p.Withhold, missing)
	sent := environment.TokenValidation != contract.TokenValidationJWT && !p.isOthers(token)
	if hindrance != "" && sent { // a verified token goes nowhere
		l.Skip(checkToken, hindrance)
		return nil
	}
	environment.IntrospectionAuth = string(auth.Method)
	document.ClientSecret, document.APIKey = auth.ClientSecret, auth.APIKey
	document.ClientPrivateKey = p.Secrets.PrivateKey
	checker, err := checktoken.New(environment, p.transport, func() time.Time { return now })
	if err != nil {
		l.Fail(checkToken, err.Error(), "report this")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result, err := checker.Check(ctx, token, endpoint, document)
	if err != nil {
		cause, fix := undecided(err, auth)
		l.Fail(checkToken, cause, fix)
		return nil
	}
	text, err := result.Response.JSON()
	if err != nil {
		l.Fail(checkToken, reason.Response.Plain(), reason.Response.Fix)
		return nil
	}
	tokenRow(result, l)
	return text
}

// tokenRow adds the row about a decision.
func tokenRow(result checktoken.Result, l *checklist.List) {
	d, by := result.Decision, ""
	if issuer := result.Provider.Issuer; issuer != "" && issuer != contract.MainIssuer {
		by = " by the keys and rules of " + issuer
	}
	switch {
	case !d.Authorized():
		text := "denied" + by + ": " + d.Reason.Word + ": " + d.Reason.Plain()
		if d.Mismatch != (reason.Mismatch{}) {
			text += fmt.Sprintf(" Got %q, want %s.", d.Mismatch.Got, d.Mismatch.Want)
		}
		l.Warn(checkToken, text, plain(d.Reason.Fix))
	case d.FHIRScopes == 0:
		l.Warn(checkToken, "authorized"+by+", but none of its scopes is for FHIR resources, so HealthLake has nothing to grant",
			"let the app request scopes such as patient/*.read or user/Observation.rs")
	default:
		l.OK(checkToken, "authorized"+by)
	}
}

// undecided explains an error of checking a token, and how to fix it.
func undecided(err error, auth introspect.Auth) (cause, fix string) {
	var failed *checktoken.Error
	if errors.As(err, &failed) && failed.Reason == reason.Keys {
		return err.Error(), plain(reason.Keys.Fix)
	}
	return introspectionError(err, auth)
}

// plain is a text of the table of reasons without its Markdown.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }
