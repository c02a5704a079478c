package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"healthlake-smart-on-fhir/internal/authorize"
	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/secret"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// budget is what a call may take: HealthLake gives up after 1,000 ms. An error that names its cause is worth more than the
// last 100, and 20 of the 900 are kept for writing the answer.
const budget = 880 * time.Millisecond

// Reasons for an error, as the log line and the error's type have them. Those of introspection are "idp_" and the kind.
const (
	reasonEvent  = "event_invalid"
	reasonSecret = "secret_unavailable"
	reasonAnswer = "answer_unwritable"
	reasonIdP    = "idp_"
)

// documents is where the settings come from that may change while the function runs.
type documents interface {
	Document(context.Context) (secret.Document, error)
	// Renew returns another document than one whose credentials the provider has refused, if there is one.
	Renew(ctx context.Context, refused secret.Document) (secret.Document, bool)
}

// handler turns HealthLake's event into the answer. It is safe for concurrent use.
type handler struct {
	settings     settings
	documents    documents
	introspector *introspect.Client
	cache        *tokencache.Cache
	now          func() time.Time
	log          *slog.Logger
}

// Invoke implements lambda.Handler.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()

	c := call{arrived: time.Now()}
	response, err := h.answer(ctx, payload, &c)
	c.write(ctx, h.log)
	if err != nil {
		return nil, messages.InvokeResponse_Error{Message: err.Error(), Type: c.reason}
	}
	return response, nil
}

// answer takes the event through the function: token, claims, decision, answer. It notes in c what the log line says.
func (h *handler) answer(ctx context.Context, payload []byte, c *call) ([]byte, error) {
	event, err := parseEvent(payload)
	if err != nil {
		return nil, c.fail(reasonEvent, err)
	}
	c.event = event

	begin := time.Now()
	document, err := h.readSecret(ctx)
	c.secretTime = time.Since(begin)
	if err != nil {
		return nil, c.fail(reasonSecret, err)
	}
	c.enhanced = bool(document.LambdaEnhancedLogging)

	d, err := h.decide(ctx, event, document, c)
	if kindOfFailure(err) == introspect.KindUnauthorized {
		// The credentials may have been rotated since the secret was read.
		if renewed, ok := h.documents.Renew(ctx, document); ok {
			document = renewed
			d, err = h.decide(ctx, event, document, c)
		}
	}
	if err != nil {
		return nil, c.fail(reasonIdP+string(kindOfFailure(err)), err)
	}
	c.decide(d)

	a, err := authorize.NewAnswer(d, document.AuthEndpointToken, event.DatastoreEndpoint, document.HLRoleARN)
	if err != nil {
		return nil, c.fail(reasonAnswer, err)
	}
	c.answer = a
	response, err := a.JSON()
	if err != nil {
		return nil, c.fail(reasonAnswer, err)
	}
	return response, nil
}

// decide asks the identity provider about the event's token and judges what it says. Its errors are introspection's.
func (h *handler) decide(ctx context.Context, e event, document secret.Document, c *call) (authorize.Decision, error) {
	if !wellFormed(e.BearerToken) {
		return authorize.Deny(authorize.ReasonMalformedToken, h.now()), nil
	}
	begin := time.Now()
	set, kept, err := h.cache.Claims(ctx, document.AuthEndpointIntrospect+" "+document.ClientID, e.BearerToken,
		func(ctx context.Context) (claims.Set, error) {
			asked, err := h.introspect(ctx, e.BearerToken, document)
			c.requests += asked.Requests
			return asked.Claims, err
		})
	c.idpTime += time.Since(begin)
	c.cacheHit = kept
	if err != nil {
		return authorize.Decision{}, err
	}
	return authorize.Decide(set, e.DatastoreEndpoint, h.now(), h.settings.rules), nil
}

// kindOfFailure is introspection's word for an error, "" where there is none. An error of another type can only be that
// of a call that gave up waiting for another's introspection of the same token.
func kindOfFailure(err error) introspect.Kind {
	if err == nil {
		return ""
	}
	var failure *introspect.Error
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return introspect.KindTimeout
}

func (h *handler) readSecret(ctx context.Context) (secret.Document, error) {
	document, err := h.documents.Document(ctx)
	if err != nil {
		return secret.Document{}, fmt.Errorf("reading the secret %s: %w", h.settings.secretID, err)
	}
	return document, nil
}

func (h *handler) introspect(ctx context.Context, token string, document secret.Document) (introspect.Answer, error) {
	return h.introspector.Introspect(ctx, document.AuthEndpointIntrospect, introspect.Auth{
		Method:       h.settings.introspectionAuth,
		ClientID:     document.ClientID,
		ClientSecret: document.ClientSecret,
		APIKey:       document.APIKey,
	}, token)
}
