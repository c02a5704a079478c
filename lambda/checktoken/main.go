// Command checktoken is the Lambda function that HealthLake calls for every FHIR request of a SMART-enabled datastore: it
// asks the identity provider whether the bearer token is good and answers within HealthLake's one second.
package main

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/secret"
)

// startWait bounds how long a start waits for the secret. A start without it succeeds too: the first call asks again.
const startWait = 800 * time.Millisecond

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	// net/http's transport prints bytes that the provider sent unasked, and they may be anybody's claims.
	stdlog.SetOutput(io.Discard)
	settings, err := readSettings(os.Getenv)
	if err != nil {
		log.Error("start", "error", err.Error())
		os.Exit(1)
	}
	reader := secret.NewReader(fetchSecret(settings.secretID, os.Getenv), time.Now)
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	if _, err := reader.Document(ctx); err != nil {
		log.Warn("start", "error", fmt.Sprintf("reading the secret %s: %v", settings.secretID, err))
	}
	cancel()

	lambda.Start(&handler{
		settings:     settings,
		document:     reader.Document,
		introspector: introspect.New(introspect.NewTransport()),
		now:          time.Now,
		log:          log,
	})
}
