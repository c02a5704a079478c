// Command datastoresettings is the Lambda function behind the custom resource that keeps a datastore's settings: where a
// deploy changes one, it changes the datastore in place.
package main

import (
	"context"
	"io"
	stdlog "log"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/datastoresettings"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	stdlog.SetOutput(io.Discard) // package cfn would write lines that are no JSON
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Error("start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(cfn.LambdaWrap(datastoresettings.NewHandler(cfg, os.Getenv(contract.IdpLambdaARN), log).Handle))
}
