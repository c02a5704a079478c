package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"time"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

// functions are the environments of the function, each of which works on one event at a time, and the part of Lambda's Invoke
// API that HealthLake uses.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
type functions struct {
	url     string
	secrets *secretsmanager.Server
	api     *httptest.Server
	all     []*runtimeapi.Function
	idle    chan *runtimeapi.Function
}

// secretOf is the secret's value: what the context says, and the credentials, by their fields.
func secretOf(cfg config.Config, credentials map[string]string) (string, error) {
	text, err := json.Marshal(cfg.Document())
	if err != nil {
		return "", err
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return "", err
	}
	for field, value := range credentials {
		document[field] = value
	}
	text, err = json.Marshal(document)
	return string(text), err
}

// startFunctions starts as many as the deployment provides for, with what it gives them.
func startFunctions(
	ctx context.Context, bootstrap string, cfg config.Config, credentials map[string]string,
) (*functions, error) {
	document, err := secretOf(cfg, credentials)
	if err != nil {
		return nil, err
	}
	f := &functions{secrets: secretsmanager.Start(), idle: make(chan *runtimeapi.Function, cfg.LambdaConcurrentExecutions)}
	f.secrets.Put(cfg.SecretName, document)
	environment := cfg.Environment()
	environment.SecretID = secretsmanager.ARN(cfg.SecretName)
	variables := f.secrets.Environment()
	maps.Copy(variables, environment.Variables())
	for range cfg.LambdaConcurrentExecutions {
		function, err := runtimeapi.Start(ctx, runtimeapi.Config{
			Bootstrap: bootstrap, Name: cfg.Names().Function, MemorySize: cfg.LambdaMemorySize, Env: variables,
		})
		if err != nil {
			return nil, errors.Join(err, f.stop())
		}
		f.all = append(f.all, function)
		f.idle <- function
	}
	path := invocations(cfg.Names().Function + ":" + contract.AliasName)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", f.invoke)
	f.api = httptest.NewServer(mux)
	f.url = f.api.URL + path
	return f, nil
}

func (f *functions) invoke(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var function *runtimeapi.Function
	select {
	case function = <-f.idle:
		defer func() { f.idle <- function }()
	case <-r.Context().Done():
		return
	}
	// Not the request's context: Lambda does not interrupt a function whose caller has gone.
	result, err := function.Invoke(context.WithoutCancel(r.Context()), event)
	if err != nil {
		http.Error(w, `{"errorType":"Unavailable"}`, http.StatusServiceUnavailable)
		return
	}
	if result.FunctionError != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if line, err := function.AwaitLog(ctx, result.RequestID); err == nil {
		w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(line)))
	}
	_, _ = w.Write(result.Payload) // a caller that has gone needs none
}

func (f *functions) stop() (err error) {
	if f.api != nil {
		f.api.CloseClientConnections()
		f.api.Close()
	}
	for _, function := range f.all {
		err = errors.Join(err, function.Stop())
	}
	f.secrets.Close()
	return err
}
