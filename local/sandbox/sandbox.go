// Package sandbox runs the function on one machine with what it needs: an identity provider, Secrets Manager and the Lambda
// runtime, all on loopback.
package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/functionbinary"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

// What a deployment with the sample configuration has.
const (
	ServiceRole       = "arn:aws:iam::123456789012:role/sof-hl-Role-for-HealthLake"
	DatastoreEndpoint = "https://healthlake.us-east-1.amazonaws.com/datastore/0123456789abcdef0123456789abcdef/r4/"
)

// TimeLimit is how long HealthLake waits for the function.
const TimeLimit = time.Second

// Sandbox is a running function and what it needs.
type Sandbox struct {
	IDP      *idp.Server
	Secrets  *secretsmanager.Server
	Function *runtimeapi.Function
	// Document is the secret's value. PutDocument stores it again after a change.
	Document contract.Document
	// Environment is the function's, and Variables what it has besides.
	Environment contract.Environment
	Variables   map[string]string
}

// Start builds the function and starts everything, like a default deployment whose provider wants the API key. configure, which
// may be nil, changes that before the function starts. The function has asked for its first event when Start returns.
func Start(ctx context.Context, configure func(*Sandbox)) (*Sandbox, error) {
	bootstrap, err := functionbinary.Build()
	if err != nil {
		return nil, err
	}
	s := new(Sandbox)
	s.Document = contract.Document{
		// Characters that only a correct encoding brings across.
		ClientID:        "resource server:1/ü",
		ClientSecret:    "s+%:&=?é " + rand.Text(),
		APIKey:          "srv_pat_" + rand.Text(),
		HLRoleARN:       ServiceRole,
		HLDatastoreName: "sof-hl-datastorename",
	}
	s.IDP, err = idp.Start(idp.Config{
		Auth: idp.AuthBearer, APIKey: s.Document.APIKey, ClientID: s.Document.ClientID, ClientSecret: s.Document.ClientSecret,
	})
	if err != nil {
		return nil, err
	}
	s.Document.AuthEndpoint = s.IDP.URL + "/"
	s.Document.AuthEndpointToken = s.IDP.URL + idp.TokenPath
	s.Document.AuthEndpointIntrospect = s.IDP.URL + idp.IntrospectPath
	s.Secrets = secretsmanager.Start()
	s.Environment = contract.Environment{
		SecretID: secretsmanager.ARN(contract.DefaultSecretName), TokenValidation: contract.TokenValidationIntrospection,
	}
	s.Variables = s.Secrets.Environment()
	s.PutDocument()
	before := s.Document
	if configure != nil {
		configure(s)
	}
	if s.Document != before {
		s.PutDocument()
	}
	if s.Environment.IntrospectionOrigin == "" { // as the deployment sets it
		s.Environment.IntrospectionOrigin = contract.Origin(s.Document.AuthEndpointIntrospect)
	}
	maps.Copy(s.Variables, s.Environment.Variables())
	s.Function, err = runtimeapi.Start(ctx, runtimeapi.Config{Bootstrap: bootstrap, Name: "sof-hl-checkToken", Env: s.Variables})
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// PutDocument stores Document as the secret's value. The function reads it within a minute.
func (s *Sandbox) PutDocument() {
	value, err := json.Marshal(s.Document)
	if err != nil {
		panic(err) // strings always marshal
	}
	s.Secrets.Put(contract.DefaultSecretName, string(value))
}

// Stop ends everything that runs.
func (s *Sandbox) Stop() error {
	var err error
	if s.Function != nil {
		err = s.Function.Stop()
	}
	s.Secrets.Close()
	s.IDP.Close()
	return err
}

// Response is the function's, as HealthLake reads it.
type Response struct {
	AuthPayload map[string]any `json:"authPayload"`
	IAMRoleARN  string         `json:"iamRoleARN"`
}

// Authorized tells whether isAuthorized is the boolean true.
func (r Response) Authorized() bool { return r.AuthPayload["isAuthorized"] == true }

// Parse reads the response of a call; its numbers are of type json.Number. A function's error is an error, and so is a
// response that lacks the service role.
func Parse(result runtimeapi.Result) (r Response, err error) {
	if result.FunctionError != nil {
		return r, fmt.Errorf("%s: %s", result.FunctionError.Type, result.FunctionError.Message)
	}
	decoder := json.NewDecoder(bytes.NewReader(result.Payload))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		return r, fmt.Errorf("the response is not JSON: %w", err)
	}
	if r.IAMRoleARN != ServiceRole {
		return r, fmt.Errorf("iamRoleARN is %q, not the service role", r.IAMRoleARN)
	}
	return r, nil
}

// LogLine waits for the function's log line about a call, and returns its fields.
func (s *Sandbox) LogLine(ctx context.Context, requestID string) (fields map[string]any, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	line, err := s.Function.AwaitLog(ctx, requestID)
	if err == nil {
		err = json.Unmarshal([]byte(line), &fields)
	}
	return fields, err
}

// Event is HealthLake's event for a search with this token.
func Event(token string) []byte {
	event, err := json.Marshal(map[string]string{
		"datastoreEndpoint":    DatastoreEndpoint,
		"bearerToken":          token,
		"operationName":        "SearchWithGet",
		"datastoreId":          "0123456789abcdef0123456789abcdef",
		"datastoreTypeVersion": "R4",
		"datastoreName":        "sof-hl-datastorename",
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	return event
}
