// Command checktoken is the Lambda function that HealthLake calls for every FHIR request of a SMART-enabled datastore: it
// asks the identity provider whether the bearer token is good and answers within HealthLake's one second.
package main

import (
	"context"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/secret"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// startWait bounds what a start waits for before it takes the first event.
const startWait = 600 * time.Millisecond

// version and revision are set by the linker: the project's version, and the last commit that changed the function.
var version, revision = "unknown", "unknown"

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	// net/http's transport prints bytes that the provider sent unasked, and they may be anybody's claims.
	stdlog.SetOutput(io.Discard)
	settings, err := readSettings(os.Getenv)
	if err != nil {
		log.Error("start", "error", err.Error())
		os.Exit(1)
	}
	h := &handler{
		settings:  settings,
		documents: secret.NewReader(fetchSecret(settings.secretID, os.Getenv), settings.validation == validationIntrospection, time.Now),
		source:    newSource(settings),
		now:       time.Now,
		log:       log,
	}
	// A start without the secret or the provider succeeds too: each call tries again.
	if err := h.warmUp(); err != nil {
		log.Warn("start", "version", version, "revision", revision, "error", err.Error())
	} else {
		log.Info("start", "version", version, "revision", revision)
	}
	lambda.Start(h)
}

// newSource returns where the deployment wants its claims from.
func newSource(s settings) source {
	transport := introspect.NewTransport(s.roots)
	if s.validation == validationJWT {
		return &verification{jwt.New(s.issuer, s.keysURL, transport, time.Now)}
	}
	return &introspection{
		client: introspect.New(transport),
		method: s.introspectionAuth,
		cache:  tokencache.New(s.cacheTime, time.Now),
	}
}

// warmUp reads the secret and opens the way to the provider, so that the first call finds both ready, and so that an
// endpoint or a credential that cannot work shows in the log before anybody waits for it.
func (h *handler) warmUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	document, err := h.readSecret(ctx)
	if err != nil {
		return err
	}
	return h.source.warmUp(ctx, document)
}
