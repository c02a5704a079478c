// Package awslocal starts the local AWS and reads from it what was deployed. It speaks AWS's wire protocols without the
// SDK: the local AWS reads the service and the region from a request's signature and does not check it.
package awslocal

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/process"
)

// What the local AWS has.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// Server is a running local AWS.
type Server struct {
	URL string
}

// Start starts the server in the project whose directory is root, with the Python interpreter given. It runs the functions
// that are deployed to it.
func Start(ctx context.Context, group *process.Group, root, python string, env []string) (*Server, error) {
	p, err := group.Start(process.Command{
		Name: "aws",
		Path: python,
		Args: []string{filepath.Join(root, "local", "aws", "server.py"), "--end-with-stdin"},
		Env:  slices.Concat(env, []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore"}),
	})
	if err != nil {
		return nil, err
	}
	line, err := p.FirstLine(ctx)
	if err != nil {
		return nil, err
	}
	address, ok := strings.CutPrefix(line, "export AWS_ENDPOINT_URL=")
	if !ok {
		return nil, fmt.Errorf("local AWS: it says %q, not its address", line)
	}
	return &Server{URL: address}, nil
}

// Environment is what the AWS command line, the CDK and a function need to use this AWS and no other.
func (s *Server) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL":            s.URL, // an IP address, which makes clients of S3 use path-style URLs
		"AWS_ACCESS_KEY_ID":           "local",
		"AWS_SECRET_ACCESS_KEY":       "local",
		"AWS_REGION":                  Region,
		"AWS_DEFAULT_REGION":          Region,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_CONFIG_FILE":             "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	}
}

// Error is a service's refusal.
type Error struct {
	Status  int
	Code    string // without the namespace that some services put before it
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Is tells whether the error is a service's, with this code.
func Is(err error, code string) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Code == code
}

// JSON calls an operation of a service with a JSON protocol, such as secretsmanager.GetSecretValue.
func (s *Server) JSON(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.1"}}
	answer, err := s.call(ctx, http.MethodPost, service, "/", header, body)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// Query calls an action of a service with the query protocol, such as CloudFormation and IAM. The answer is XML.
func (s *Server) Query(
	ctx context.Context, service, version, action string, parameters map[string]string, out any,
) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	for name, value := range parameters {
		form.Set(name, value)
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	answer, err := s.call(ctx, http.MethodPost, service, "/", header, []byte(form.Encode()))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return xml.Unmarshal(answer, out)
}

// Get reads a path of a service with a REST protocol that answers in JSON, such as Lambda.
func (s *Server) Get(ctx context.Context, service, path string, out any) error {
	answer, err := s.call(ctx, http.MethodGet, service, path, nil, nil)
	if err != nil {
		return fmt.Errorf("%s %s: %w", service, path, err)
	}
	return json.Unmarshal(answer, out)
}

// Object reads an object of S3.
func (s *Server) Object(ctx context.Context, bucket, key string) ([]byte, error) {
	return s.call(ctx, http.MethodGet, "s3", "/"+bucket+"/"+key, nil, nil)
}

func (s *Server) call(
	ctx context.Context, method, service, path string, header http.Header, body []byte,
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=local/%s/%s/%s/aws4_request, "+
		"SignedHeaders=host, Signature=none", time.Now().UTC().Format("20060102"), Region, service))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, refusal(response, answer)
	}
	return answer, nil
}

// refusal reads the error of whichever protocol it is.
func refusal(response *http.Response, answer []byte) error {
	e := &Error{Status: response.StatusCode, Code: response.Header.Get("X-Amzn-Errortype")}
	var inJSON struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Other   string `json:"Message"`
	}
	var inXML struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	switch {
	case json.Unmarshal(answer, &inJSON) == nil:
		if e.Code == "" {
			e.Code = inJSON.Type
		}
		e.Message = inJSON.Message + inJSON.Other
	case xml.Unmarshal(answer, &inXML) == nil:
		e.Code, e.Message = inXML.Code, inXML.Message
	}
	e.Code = e.Code[strings.LastIndex(e.Code, "#")+1:]
	return e
}
