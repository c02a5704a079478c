package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/reason"
)

// timeLimit is what a call may take: HealthLake gives up after 1,000 ms. An error that names its cause is worth more than
// the last 100, and 20 of the 900 are kept for writing the response.
const timeLimit = 880 * time.Millisecond

// documents is where the settings come from that may change while the function runs.
type documents interface {
	Document(context.Context) (contract.Document, error)
	// Renew returns another document than one whose credentials the provider has refused, if there is one.
	Renew(ctx context.Context, refused contract.Document) (contract.Document, bool)
}

// handler turns HealthLake's event into the response. It is safe for concurrent use.
type handler struct {
	secretID    string
	auditClaims []string
	documents   documents
	checker     *checktoken.Checker
	log         *slog.Logger
	// provisioned tells that Lambda started the process ahead of any event.
	provisioned bool
}

// Invoke implements lambda.Handler.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()

	r := record{arrived: time.Now(), auditClaims: h.auditClaims}
	response, err := h.respond(ctx, payload, &r)
	if err != nil {
		r.fail(err)
	}
	r.write(ctx, h.log)
	if err != nil {
		return nil, messages.InvokeResponse_Error{Message: r.message(), Type: r.reason.Word}
	}
	return response, nil
}

// respond takes the event through the function: settings, check, response. It notes in r what the log line says. Its errors
// are failures or *checktoken.Error.
func (h *handler) respond(ctx context.Context, payload []byte, r *record) ([]byte, error) {
	event, err := parseEvent(payload)
	if err != nil {
		return nil, failure{reason.Event, err}
	}
	r.event = event

	begin := time.Now()
	document, err := h.readSecret(ctx)
	r.secretTime = time.Since(begin)
	if err != nil {
		return nil, failure{reason.Secret, err}
	}
	r.enhanced = bool(document.LambdaEnhancedLogging)

	result, err := h.check(ctx, event, document, r)
	if err != nil {
		return nil, err
	}
	response, err := result.Response.JSON()
	if err != nil {
		return nil, failure{reason.Response, err}
	}
	r.result = result
	r.reason = result.Decision.Reason
	return response, nil
}

// check checks the event's token. Where the provider refuses the function's credentials, they may have been rotated since
// the secret was read: it then reads the secret and checks once more.
func (h *handler) check(
	ctx context.Context, e event, document contract.Document, r *record,
) (checktoken.Result, error) {
	result, err := h.checker.Check(ctx, e.BearerToken, e.DatastoreEndpoint, document)
	r.add(result.Provider)
	if failed := new(checktoken.Error); !errors.As(err, &failed) || failed.Reason != reason.ProviderUnauthorized {
		return result, err
	}
	renewed, ok := h.documents.Renew(ctx, document)
	if !ok {
		return result, err
	}
	result, err = h.checker.Check(ctx, e.BearerToken, e.DatastoreEndpoint, renewed)
	r.add(result.Provider)
	return result, err
}

// warmUp reads the secret and opens the way to the provider, at the same time, so that the first call finds both ready. Where
// no event waits for the start, it also tries the credentials.
func (h *handler) warmUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	connected := make(chan error, 1)
	go func() { connected <- h.checker.Connect(ctx) }()
	document, err := h.readSecret(ctx)
	if err := errors.Join(err, <-connected); err != nil || !h.provisioned {
		return err
	}
	return h.checker.TryCredentials(ctx, document)
}

func (h *handler) readSecret(ctx context.Context) (contract.Document, error) {
	document, err := h.documents.Document(ctx)
	if err != nil {
		return contract.Document{}, fmt.Errorf("reading the secret %s: %w", h.secretID, err)
	}
	return document, nil
}

// failure is an error with its reason.
type failure struct {
	reason reason.Reason
	error
}
