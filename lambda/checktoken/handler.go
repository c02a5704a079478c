package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"healthlake-smart-on-fhir/internal/authorize"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/secret"
)

// budget is what a call may take: HealthLake gives up after 1,000 ms. An error that names its cause is worth more than the
// last 100, and 20 of the 900 are kept for writing the answer.
const budget = 880 * time.Millisecond

// Reasons for an error, as the log line and the error's type have them. Those of introspection are "idp_" and its kind.
const (
	reasonEvent  = "event_invalid"
	reasonSecret = "secret_unavailable"
	reasonAnswer = "answer_unwritable"
	reasonIdP    = "idp_"
	reasonKeys   = "keys_unavailable"
)

// documents is where the settings come from that may change while the function runs.
type documents interface {
	Document(context.Context) (secret.Document, error)
	// Renew returns another document than one whose credentials the provider has refused, if there is one.
	Renew(ctx context.Context, refused secret.Document) (secret.Document, bool)
}

// handler turns HealthLake's event into the answer. It is safe for concurrent use.
type handler struct {
	settings  settings
	documents documents
	source    source
	now       func() time.Time
	log       *slog.Logger
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
	if refused := new(introspect.Error); errors.As(err, &refused) && refused.Kind == introspect.KindUnauthorized {
		// Our credentials may have been rotated since the secret was read.
		if renewed, ok := h.documents.Renew(ctx, document); ok {
			document = renewed
			d, err = h.decide(ctx, event, document, c)
		}
	}
	if err != nil {
		return nil, c.fail(h.source.reason(err), err)
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

// decide gets the claims of the event's token and judges them. Its errors are the source's.
func (h *handler) decide(ctx context.Context, e event, document secret.Document, c *call) (authorize.Decision, error) {
	if !authorize.WellFormed(e.BearerToken) {
		return authorize.Deny(authorize.ReasonMalformedToken, h.now()), nil
	}
	begin := time.Now()
	set, err := h.source.claims(ctx, e.BearerToken, document, c)
	c.idpTime += time.Since(begin)
	var refusal *jwt.Refusal
	switch {
	case errors.As(err, &refusal):
		return authorize.Deny(refusal.Reason, h.now()), nil
	case err != nil:
		return authorize.Decision{}, err
	}
	return authorize.Decide(set, e.DatastoreEndpoint, h.now(), h.settings.rules), nil
}

func (h *handler) readSecret(ctx context.Context) (secret.Document, error) {
	document, err := h.documents.Document(ctx)
	if err != nil {
		return secret.Document{}, fmt.Errorf("reading the secret %s: %w", h.settings.secretID, err)
	}
	return document, nil
}
