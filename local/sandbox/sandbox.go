// Package sandbox puts the function among its neighbours on one machine: an identity provider, Secrets Manager and the
// Lambda runtime, all on loopback.
package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

// What a deployment with the sample configuration has.
const (
	SecretName        = "SOF-HL"
	FunctionName      = "sof-hl-checkToken"
	ServiceRole       = "arn:aws:iam::123456789012:role/sof-hl-Role-for-HealthLake"
	DatastoreEndpoint = "https://healthlake.us-east-1.amazonaws.com/datastore/0123456789abcdef0123456789abcdef/r4/"
)

// Budget is how long HealthLake waits for the function.
const Budget = time.Second

// What the provider knows of the user and the app for whom Token gets its tokens.
const (
	Scope        = "patient/Observation.rs?category=laboratory&status=final offline_access"
	BackendScope = "system/*.rs"
	User         = "user-4711"
	FHIRUser     = "Practitioner/dr-4712"
	Patient      = "patient-4713"
)

// Config says what differs from a default deployment, whose provider wants the API key.
type Config struct {
	// Bootstrap is the function's binary; build.Function makes it.
	Bootstrap string
	// Auth is what the provider's introspection endpoint wants; idp.AuthBearer where empty.
	Auth idp.Auth
	// Configure changes the secret's document, which names the provider's endpoints already, and the function's
	// environment before the function starts; nil changes nothing.
	Configure func(*contract.Document, map[string]string)
}

// Sandbox is a running set-up.
type Sandbox struct {
	IDP      *idp.Server
	Secrets  *secretsmanager.Server
	Function *runtimeapi.Function
	// Document is the secret's value; PutDocument stores it once more after a change.
	Document contract.Document
}

// Start starts everything; the function has asked for its first event when it returns.
func Start(ctx context.Context, cfg Config) (*Sandbox, error) {
	if cfg.Auth == "" {
		cfg.Auth = idp.AuthBearer
	}
	s := new(Sandbox)
	if err := s.start(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), s.Stop())
	}
	return s, nil
}

func (s *Sandbox) start(ctx context.Context, cfg Config) (err error) {
	s.Document = contract.Document{
		// Characters that only a correct encoding brings across.
		ClientID:        "resource server:1/ü",
		ClientSecret:    "s+%:&=?é " + rand.Text(),
		APIKey:          "srv_pat_" + rand.Text(),
		HLRoleARN:       ServiceRole,
		HLDatastoreName: "sof-hl-datastorename",
	}
	s.IDP, err = idp.Start(idp.Config{
		Auth: cfg.Auth, APIKey: s.Document.APIKey, ClientID: s.Document.ClientID, ClientSecret: s.Document.ClientSecret,
	})
	if err != nil {
		return err
	}
	s.Document.AuthEndpoint = s.IDP.URL()
	s.Document.AuthEndpointToken = s.IDP.TokenURL()
	s.Document.AuthEndpointIntrospect = s.IDP.IntrospectURL()
	if s.Secrets, err = secretsmanager.Start(); err != nil {
		return err
	}
	env := s.Secrets.Environment()
	env["SECRET_ID"] = secretsmanager.ARN(SecretName)
	env["INTROSPECTION_AUTH"] = "auto"
	env["REQUIRED_AUDIENCE"] = ""
	env["TRUSTED_ISSUERS"] = ""
	if cfg.Configure != nil {
		cfg.Configure(&s.Document, env)
	}
	if _, given := env["INTROSPECTION_ORIGIN"]; !given {
		env["INTROSPECTION_ORIGIN"] = contract.Origin(s.Document.AuthEndpointIntrospect)
	}
	if err := s.PutDocument(); err != nil {
		return err
	}
	s.Function, err = runtimeapi.Start(ctx, runtimeapi.Config{Bootstrap: cfg.Bootstrap, Name: FunctionName, Env: env})
	return err
}

// PutDocument stores Document as the secret's value. The function reads it within a minute.
func (s *Sandbox) PutDocument() error {
	value, err := json.Marshal(s.Document)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.Secrets.Put(SecretName, string(value))
	return nil
}

// Stop ends everything that runs.
func (s *Sandbox) Stop() error {
	var errs []error
	if s.Function != nil {
		errs = append(errs, s.Function.Stop())
	}
	if s.Secrets != nil {
		errs = append(errs, s.Secrets.Stop())
	}
	if s.IDP != nil {
		errs = append(errs, s.IDP.Stop())
	}
	return errors.Join(errs...)
}

// Answer is the function's, as HealthLake reads it.
type Answer struct {
	AuthPayload map[string]any `json:"authPayload"`
	IAMRoleARN  string         `json:"iamRoleARN"`
}

// Authorized tells whether isAuthorized is the boolean true.
func (a Answer) Authorized() bool { return a.AuthPayload["isAuthorized"] == true }

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
