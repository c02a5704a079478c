package secretsmanager

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// get asks with AWS's own client, and returns the value or the error's code.
func get(t *testing.T, s *Server, keys aws.Credentials, id string) string {
	t.Helper()
	client := secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: &s.URL,
		Region:       region,
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   &http.Client{Transport: &http.Transport{}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused):
		return refused.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil:
		t.Fatal(err)
	}
	return *out.SecretString
}

func TestGet(t *testing.T) {
	s := Start()
	defer s.Close()
	wrongKey, noSession := credentials, credentials
	wrongKey.SecretAccessKey, noSession.SessionToken = "another", ""
	s.Put("SOF-HL", "{}")
	for _, test := range []struct {
		name  string
		keys  aws.Credentials
		id    string
		fault http.HandlerFunc
		want  string
	}{
		{"name", credentials, "SOF-HL", nil, "{}"},
		{"ARN", credentials, ARN("SOF-HL"), nil, "{}"},
		{"unknown name", credentials, "SOF-HL2", nil, "ResourceNotFoundException"},
		{"wrong key", wrongKey, "SOF-HL", nil, "InvalidSignatureException"},
		{"without session token", noSession, "SOF-HL", nil, "InvalidSignatureException"},
		{"throttled", credentials, "SOF-HL", Throttled, "ThrottlingException"},
		{"denied", credentials, "SOF-HL", Denied, "AccessDeniedException"},
		{"another value", credentials, "SOF-HL", Value("[]"), "[]"},
		{"silent", credentials, "SOF-HL", Silent, "timeout"},
		{"after the fault", credentials, "SOF-HL", nil, "{}"},
	} {
		s.SetFault(test.fault)
		if got := get(t, s, test.keys, test.id); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	if s.Requests() != 10 {
		t.Errorf("%d requests counted, want 10", s.Requests())
	}
}

func TestUnsigned(t *testing.T) {
	s := Start()
	defer s.Close()
	s.Put("SOF-HL", "{}")
	response, err := http.Post(s.URL, "application/x-amz-json-1.1", strings.NewReader(`{"SecretId":"SOF-HL"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %s, want 400", response.Status)
	}
}
