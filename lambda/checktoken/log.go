package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/reason"
)

// redacted stands in a log line for a credential or a personal claim.
const redacted = "[redacted]"

// tooLong stands in a log line for a claim that is too long for it.
const tooLong = "[too long to show]"

// record collects what the one log line of a call says.
type record struct {
	arrived     time.Time
	auditClaims []string
	event       event
	reason      reason.Reason
	err         error
	secretTime  time.Duration
	provider    checktoken.Usage
	enhanced    bool
	result      checktoken.Result
}

// add adds what one check took at the provider.
func (r *record) add(u checktoken.Usage) {
	r.provider.Time += u.Time
	r.provider.Requests += u.Requests
	r.provider.CacheHit = u.CacheHit
	r.provider.Issuer = u.Issuer
}

// fail notes an error and its reason.
func (r *record) fail(err error) {
	r.err = err
	var own failure
	var checked *checktoken.Error
	switch {
	case errors.As(err, &own):
		r.reason = own.reason
	case errors.As(err, &checked):
		r.reason = checked.Reason
	}
}

// message is the error as Lambda's caller gets it. The details are in the log line alone: they may name hosts, accounts and
// roles. The caller gets the detail of an event, which it sent itself.
func (r *record) message() string {
	if r.reason == reason.Event {
		return r.err.Error()
	}
	return r.reason.Plain()
}

// write writes the line. Its level is INFO for a response and ERROR for none.
func (r *record) write(ctx context.Context, log *slog.Logger) {
	attributes := []slog.Attr{
		slog.String(contract.FieldRequestID, requestID(ctx)),
		slog.String(contract.FieldOperation, clip(r.event.OperationName)),
		slog.String(contract.FieldOutcome, string(r.reason.Outcome)),
		slog.String(contract.FieldReason, r.reason.Word),
		milliseconds(contract.FieldSecretMS, r.secretTime),
		milliseconds(contract.FieldIdPMS, r.provider.Time),
		slog.Int(contract.FieldIdPRequests, r.provider.Requests),
		slog.Bool(contract.FieldCacheHit, r.provider.CacheHit),
		milliseconds(contract.FieldTotalMS, time.Since(r.arrived)),
	}
	if r.provider.Issuer != "" {
		attributes = append(attributes, slog.String(contract.FieldIssuer, r.provider.Issuer))
	}
	attributes = append(attributes, r.audit()...)
	level := slog.LevelInfo
	if r.err != nil {
		level = slog.LevelError
		attributes = append(attributes, slog.String(contract.FieldError, r.err.Error()))
	}
	if r.enhanced {
		attributes = append(attributes, r.detail()...)
	}
	log.LogAttrs(ctx, level, contract.LogMessage, attributes...)
}

// audit is what the line says about the token: whose it is, as far as the deployment wants that logged, and why it was denied.
func (r *record) audit() []slog.Attr {
	var attributes []slog.Attr
	decision := r.result.Decision
	for _, name := range r.auditClaims {
		if value, ok := auditValue(decision.Claims, name); ok {
			attributes = append(attributes, slog.Any(name, value))
		}
	}
	if decision.Authorized() {
		attributes = append(attributes, slog.Int(contract.FieldFHIRScopes, decision.FHIRScopes))
	}
	if decision.Mismatch != (reason.Mismatch{}) {
		attributes = append(attributes, slog.String(contract.FieldGot, clip(decision.Mismatch.Got)),
			slog.String(contract.FieldWant, clip(decision.Mismatch.Want)))
	}
	return attributes
}

// auditValue is a claim as the log line has it; ok is false where the token has none.
func auditValue(set claims.Set, name string) (value any, ok bool) {
	names := []string{name}
	if name == contract.ClientIDClaims[0] {
		names = contract.ClientIDClaims
	}
	for _, name := range names {
		if !set.Has(name) {
			continue
		}
		if value, ok := impersonal(set, name); ok {
			return value, true
		}
		switch text, err := set.Text(name); {
		case err == nil:
			return clip(text), true
		case len(set[name]) > maxClip:
			return tooLong, true
		default:
			return set[name], true
		}
	}
	return nil, false
}

// detail is what enhanced logging adds.
func (r *record) detail() []slog.Attr {
	attributes := []slog.Attr{slog.Group(contract.FieldRequest,
		slog.String("datastoreEndpoint", clip(r.event.DatastoreEndpoint)),
		slog.String("operationName", clip(r.event.OperationName)),
		slog.String("bearerToken", redacted),
	)}
	if response := r.result.Response; response.AuthPayload != nil {
		attributes = append(attributes, slog.Group(contract.FieldResponse,
			slog.Any("authPayload", shown(response.AuthPayload)),
			slog.String("iamRoleARN", response.IAMRoleARN),
		))
	}
	return attributes
}

// impersonalClaims are the only claims whose values a line has without the deployment's asking for them by name, each with how
// it is shown. It is a list of what is known to be harmless, not of what is known to be personal, because every provider
// has claims of its own.
var impersonalClaims = map[string]func(claims.Set, string) any{
	"isAuthorized": unchanged, "iss": unchanged, "aud": unchanged, "iat": unchanged, "nbf": unchanged, "exp": unchanged,
	"scope": scopeList, "scp": scopeList,
	"client_id": shortText, "azp": shortText, "cid": shortText, "appid": shortText, "jti": shortText, "token_type": shortText, "token_use": shortText, "typ": shortText,
}

// maxShown bounds, in bytes of JSON, the value of an impersonal claim.
const maxShown = 4096

// impersonal is a claim as every line may have it; ok is false for one that may be personal.
func impersonal(set claims.Set, name string) (value any, ok bool) {
	show, ok := impersonalClaims[name]
	if ok && len(set[name]) > maxShown {
		return tooLong, true
	}
	if ok {
		value = show(set, name)
	}
	return value, ok
}

// shown returns the claims as the enhanced log has them.
func shown(set claims.Set) map[string]any {
	out := make(map[string]any, len(set))
	for name := range set {
		out[name] = redacted
		if value, ok := impersonal(set, name); ok {
			out[name] = value
		}
	}
	return out
}

// unchanged is for what the function itself sets.
func unchanged(set claims.Set, name string) any { return set[name] }

// shortText is for identifiers of software and kinds of tokens. An object or a long text may be anything.
func shortText(set claims.Set, name string) any {
	const most = 128
	text, err := set.Text(name)
	if err != nil || len(text) > most {
		return redacted
	}
	return text
}

// scopeList leaves out the search parameters of SMART v2.2 scopes, in which a patient may be named.
func scopeList(set claims.Set, name string) any {
	words, err := set.List(name)
	if err != nil {
		return redacted
	}
	return showScope(strings.Join(words, " "))
}

func showScope(scope string) string {
	words := strings.Split(scope, " ")
	for i, word := range words {
		if resource, _, found := strings.Cut(word, "?"); found {
			words[i] = resource + "?" + redacted
		}
	}
	return strings.Join(words, " ")
}

func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// maxClip bounds, in bytes, a text that others put into the log line.
const maxClip = 256

// clip bounds what an event or a token can write into a log line.
func clip(s string) string {
	if len(s) > maxClip {
		return s[:maxClip]
	}
	return s
}

// milliseconds has three decimals, which is microseconds.
func milliseconds(key string, d time.Duration) slog.Attr {
	return slog.Float64(key, float64(d.Microseconds())/1000)
}
