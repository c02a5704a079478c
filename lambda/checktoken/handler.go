package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

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

// handler turns HealthLake's event into the answer. It is safe for concurrent use.
type handler struct {
	settings     settings
	document     func(context.Context) (secret.Document, error)
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
	if err != nil {
		return nil, err
	}
	c.decide(d)

	a, err := newAnswer(d, document.AuthEndpointToken, event.DatastoreEndpoint, document.HLRoleARN)
	if err != nil {
		return nil, c.fail(reasonAnswer, err)
	}
	c.answer = a
	response, err := encode(a)
	if err != nil {
		return nil, c.fail(reasonAnswer, err)
	}
	return response, nil
}

// decide asks the identity provider about the event's token and judges what it says.
func (h *handler) decide(ctx context.Context, e event, document secret.Document, c *call) (decision, error) {
	if !wellFormed(e.BearerToken) {
		return deny(reasonMalformedToken, h.now()), nil
	}
	begin := time.Now()
	set, kept, err := h.cache.Claims(ctx, document.AuthEndpointIntrospect+" "+document.ClientID, e.BearerToken,
		func(ctx context.Context) (claims.Set, error) {
			asked, err := h.introspect(ctx, e.BearerToken, document)
			c.requests = asked.Requests
			return asked.Claims, err
		})
	c.idpTime, c.cacheHit = time.Since(begin), kept
	if err != nil {
		kind := introspect.KindUnreachable
		var failure *introspect.Error
		if errors.As(err, &failure) {
			kind = failure.Kind
		}
		return decision{}, c.fail(reasonIdP+string(kind), err)
	}
	return authorize(set, e.DatastoreEndpoint, h.now(), h.settings.rules), nil
}

func (h *handler) readSecret(ctx context.Context) (secret.Document, error) {
	document, err := h.document(ctx)
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
