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

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.Put("SOF-HL", `{"api_key":"k"}`)
	return s
}

// get asks with AWS's own client.
func get(s *Server, keys aws.Credentials, id string) (*secretsmanager.GetSecretValueOutput, error) {
	client := secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: aws.String(s.URL()),
		Region:       region,
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   &http.Client{Transport: &http.Transport{}},
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
}

func TestGet(t *testing.T) {
	s := start(t)
	for _, id := range []string{"SOF-HL", ARN("SOF-HL")} {
		out, err := get(s, credentials, id)
		if err != nil {
			t.Fatal(err)
		}
		if *out.SecretString != `{"api_key":"k"}` || *out.Name != "SOF-HL" || *out.ARN != ARN("SOF-HL") {
			t.Errorf("%s: value %s, name %s, ARN %s", id, *out.SecretString, *out.Name, *out.ARN)
		}
	}
	s.Put("SOF-HL", `{"api_key":"l"}`)
	if out, err := get(s, credentials, "SOF-HL"); err != nil || *out.SecretString != `{"api_key":"l"}` {
		t.Errorf("a changed secret: %v, %v", out, err)
	}
	if s.Requests() != 3 {
		t.Errorf("%d requests counted, want 3", s.Requests())
	}
}

func TestRefusals(t *testing.T) {
	wrongKey, noSession := credentials, credentials
	wrongKey.SecretAccessKey = "another"
	noSession.SessionToken = ""
	tests := []struct {
		name  string
		keys  aws.Credentials
		id    string
		fault Fault
		want  string
	}{
		{"unknown name", credentials, "SOF-HL2", nil, "ResourceNotFoundException"},
		{"wrong key", wrongKey, "SOF-HL", nil, "InvalidSignatureException"},
		{"without session token", noSession, "SOF-HL", nil, "InvalidSignatureException"},
		{"throttled", credentials, "SOF-HL", Throttled, "ThrottlingException"},
		{"denied", credentials, "SOF-HL", Denied, "AccessDeniedException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t)
			s.SetFault(test.fault)
			_, err := get(s, test.keys, test.id)
			var refused smithy.APIError
			if !errors.As(err, &refused) || refused.ErrorCode() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestUnsigned(t *testing.T) {
	s := start(t)
	response, err := http.Post(s.URL(), "application/x-amz-json-1.1", strings.NewReader(`{"SecretId":"SOF-HL"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %s, want 400", response.Status)
	}
}

func TestSlowAndGone(t *testing.T) {
	s := start(t)
	s.SetFault(Slow(time.Minute))
	if _, err := get(s, credentials, "SOF-HL"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow server: %v", err)
	}
	s.SetFault(nil)
	if _, err := get(s, credentials, "SOF-HL"); err != nil {
		t.Errorf("after the fault: %v", err)
	}
	s.Delete("SOF-HL")
	if _, err := get(s, credentials, "SOF-HL"); err == nil {
		t.Error("a deleted secret was found")
	}
}
