package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"healthlake-smart-on-fhir/internal/authorize"
	"healthlake-smart-on-fhir/internal/claims"
)

// Outcomes of a call, as the log line has them.
const (
	outcomeAuthorized = "authorized"
	outcomeDenied     = "denied"
	outcomeError      = "error"
)

// redacted stands in a log line for a credential or a personal claim.
const redacted = "[redacted]"

// call collects what the one log line of a call says.
type call struct {
	arrived    time.Time
	event      event
	outcome    string
	reason     string
	err        error
	secretTime time.Duration
	idpTime    time.Duration
	requests   int  // to the identity provider
	cacheHit   bool // the claims were kept from an earlier call
	enhanced   bool
	answer     authorize.Answer
}

// fail notes an error and hands it on.
func (c *call) fail(reason string, err error) error {
	c.outcome, c.reason, c.err = outcomeError, reason, err
	return err
}

func (c *call) decide(d authorize.Decision) {
	c.outcome, c.reason = outcomeDenied, d.Reason
	if d.Authorized {
		c.outcome = outcomeAuthorized
	}
}

// write writes the line. Its level is INFO for an answer and ERROR for none.
func (c *call) write(ctx context.Context, log *slog.Logger) {
	attributes := []slog.Attr{
		slog.String("request_id", requestID(ctx)),
		slog.String("operation", clip(c.event.OperationName)),
		slog.String("outcome", c.outcome),
		slog.String("reason", c.reason),
		milliseconds("secret_ms", c.secretTime),
		milliseconds("idp_ms", c.idpTime),
		slog.Int("idp_requests", c.requests),
		slog.Bool("cache_hit", c.cacheHit),
		milliseconds("total_ms", time.Since(c.arrived)),
	}
	level := slog.LevelInfo
	if c.err != nil {
		level = slog.LevelError
		attributes = append(attributes, slog.String("error", c.err.Error()))
	}
	if c.enhanced {
		attributes = append(attributes, slog.Group("request",
			slog.String("datastoreEndpoint", clip(c.event.DatastoreEndpoint)),
			slog.String("operationName", clip(c.event.OperationName)),
			slog.String("bearerToken", redacted),
		))
		if c.answer.AuthPayload != nil {
			attributes = append(attributes, slog.Group("answer",
				slog.Any("authPayload", shown(c.answer.AuthPayload)),
				slog.String("iamRoleARN", c.answer.IAMRoleARN),
			))
		}
	}
	log.LogAttrs(ctx, level, "checkToken", attributes...)
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
