// Package invocation has the deployed function check a token, as HealthLake would.
package invocation

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/reason"
)

// Result is what came of one call. A call of which no log line came has its outcome and, of an error, its reason.
type Result struct {
	Outcome    reason.Outcome
	Reason     string  // a word of package reason, or one of Lambda's own error types
	Error      string  // the log line's, of an error
	ProviderMS float64 // milliseconds that the call waited for the provider
}

// Check has the function check a token for a datastore that does not exist. operation is what its log line calls it. An error,
// an *awsaccess.Error, means that it could not be called.
func Check(ctx context.Context, connection aws.Config, cfg config.Config, token, operation string) (Result, error) {
	event, err := json.Marshal(map[string]string{
		"datastoreEndpoint": "https://healthlake." + cfg.Region + ".amazonaws.com/datastore/" + operation + "/r4/",
		"bearerToken":       token, "operationName": operation,
	})
	if err != nil {
		return Result{}, err
	}
	got, err := lambda.NewFromConfig(connection).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(cfg.Names().Function), Qualifier: aws.String(contract.AliasName), Payload: event, LogType: types.LogTypeTail,
	})
	if err != nil {
		return Result{}, awsaccess.Explain(err)
	}
	log, _ := base64.StdEncoding.DecodeString(aws.ToString(got.LogResult)) // it is a help, not the result
	result, logged := readLog(log)
	if !logged {
		result = readResponse(got.Payload)
	}
	if got.FunctionError != nil && result.Outcome != reason.OutcomeError {
		result = Result{Outcome: reason.OutcomeError, Reason: result.Reason}
	}
	return result, nil
}

// readLog finds the function's line among the last ones that the call has left.
func readLog(log []byte) (result Result, found bool) {
	for _, text := range bytes.Split(log, []byte("\n")) {
		var line map[string]any
		if json.Unmarshal(text, &line) != nil || line[contract.FieldMessage] != contract.LogMessage {
			continue
		}
		word := func(name string) string { s, _ := line[name].(string); return s }
		result = Result{Outcome: reason.Outcome(word(contract.FieldOutcome)), Reason: word(contract.FieldReason),
			Error: word(contract.FieldError)}
		result.ProviderMS, _ = line[contract.FieldIdPMS].(float64)
		found = true
	}
	return result, found
}

// readResponse says what the response alone tells.
func readResponse(payload []byte) Result {
	var response struct {
		ErrorType   string
		AuthPayload *struct{ IsAuthorized bool }
	}
	switch err := json.Unmarshal(payload, &response); {
	case err != nil || response.AuthPayload == nil:
		return Result{Outcome: reason.OutcomeError, Reason: response.ErrorType}
	case response.AuthPayload.IsAuthorized:
		return Result{Outcome: reason.OutcomeAuthorized}
	}
	return Result{Outcome: reason.OutcomeDenied}
}
