package main

import (
	"context"
	"encoding/json"
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

// record collects what the one log line of a call says.
type record struct {
	arrived    time.Time
	event      event
	reason     reason.Reason
	err        error
	secretTime time.Duration
	provider   checktoken.Usage
	enhanced   bool
	result     checktoken.Result
}

// add adds what one check took at the provider.
func (r *record) add(u checktoken.Usage) {
	r.provider.Time += u.Time
	r.provider.Requests += u.Requests
	r.provider.CacheHit = u.CacheHit
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

// impersonal are the only claims whose values the enhanced log shows. It is a list of what is known to be harmless, not of
// what is known to be personal, because every provider has claims of its own.
var impersonal = map[string]bool{
	"isAuthorized": true, "iss": true, "aud": true, "iat": true, "nbf": true, "exp": true, "scope": true,
	"scp": true, "client_id": true, "azp": true, "cid": true, "token_type": true, "token_use": true, "typ": true,
}

// maxShown bounds, in bytes of JSON, a claim's value in the enhanced log.
const maxShown = 4096

// shown returns the claims as the enhanced log has them.
func shown(set claims.Set) map[string]any {
	out := make(map[string]any, len(set))
	for name, value := range set {
		switch text, err := set.Text(name); {
		case !impersonal[name]:
			out[name] = redacted
		case len(value) > maxShown:
			out[name] = "[too long to show]"
		case name == "scope" && err == nil:
			out[name] = showScope(text)
		default:
			out[name] = json.RawMessage(value)
		}
	}
	return out
}

// showScope leaves out the search parameters of SMART v2.2 scopes, in which a patient may be named.
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

// clip bounds what an event can write into a log line.
func clip(s string) string {
	const most = 256
	if len(s) > most {
		return s[:most]
	}
	return s
}

// milliseconds has three decimals, which is microseconds.
func milliseconds(key string, d time.Duration) slog.Attr {
	return slog.Float64(key, float64(d.Microseconds())/1000)
}
