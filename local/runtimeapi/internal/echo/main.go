// Command echo is a function for the tests of package runtimeapi: the event says what it does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Name string `json:"name"`
}

func main() {
	if os.Getenv("DIE_AT_START") != "" {
		fmt.Fprintln(os.Stderr, "missing setting")
		os.Exit(3)
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, ev event) (map[string]any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	fmt.Println("handling " + lc.AwsRequestID)
	switch ev.Do {
	case "env":
		return map[string]any{"env": os.Environ()}, nil
	case "context":
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "name": lambdacontext.FunctionName,
			"left_ms": time.Until(deadline).Milliseconds(), "trace": os.Getenv("_X_AMZN_TRACE_ID"),
		}, nil
	case "fail":
		return nil, errors.New("no such patient")
	case "exit":
		os.Exit(7)
	case "hang":
		<-time.After(time.Minute)
	case "large":
		return map[string]any{"pad": strings.Repeat("x", 7<<20)}, nil
	}
	return map[string]any{"echo": ev.Name}, nil
}
