// Command checktoken is the Lambda function that HealthLake calls for every FHIR request of a SMART-enabled datastore: it
// asks the identity provider whether the bearer token is good and responds within HealthLake's one second.
package main

import (
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/secret"
)

// startWait bounds what a start waits for before it takes the first event.
const startWait = 600 * time.Millisecond

func main() {
	// Lambda sends one event at a time and gives less than one core below 1,769 MB, so a second thread would only cost wake-ups.
	runtime.GOMAXPROCS(1)
	readOneBundle(systemBundle)
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	// The AWS SDK's transport is net/http's, which prints bytes that a server sent without a request.
	stdlog.SetOutput(io.Discard)
	h, err := newHandler(os.Getenv, log)
	if err != nil {
		log.Error("start", contract.FieldError, err.Error())
		os.Exit(1)
	}
	version, revision := contract.Build()
	started := log.With("version", version, "revision", revision)
	// A start without the secret or the provider succeeds too: each call tries again.
	if err := h.warmUp(); err != nil {
		started.Warn("start", contract.FieldError, err.Error())
	} else {
		started.Info("start")
	}
	lambda.Start(h)
}

// newHandler sets the function up from its environment. The error names the variable at fault.
func newHandler(getenv func(string) string, log *slog.Logger) (*handler, error) {
	environment, err := contract.ReadEnvironment(getenv)
	if err != nil {
		return nil, err
	}
	roots, err := readRoots(environment.AuthCABundle, getenv("LAMBDA_TASK_ROOT"))
	if err != nil {
		return nil, fmt.Errorf("AUTH_CA_BUNDLE: %w", err)
	}
	checker, err := checktoken.New(environment, httpclient.NewTransport(roots), time.Now)
	if err != nil {
		return nil, err
	}
	return &handler{
		secretID:    environment.SecretID,
		auditClaims: environment.AuditClaims,
		documents:   secret.NewReader(fetchSecret(environment.SecretID, getenv), checker.ParseDocument, time.Now),
		checker:     checker,
		log:         log,
		provisioned: getenv("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency",
	}, nil
}
