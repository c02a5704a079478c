// Package secretsmanager is AWS Secrets Manager's GetSecretValue for one machine: secrets that can be set, a check of each
// request's signature, AWS's responses and errors, and faults on demand.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
package secretsmanager

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	region = "us-east-1"
	target = "secretsmanager.GetSecretValue"
)

// credentials are the only ones that the server accepts.
var credentials = aws.Credentials{
	AccessKeyID:     "ASIALOCALLOCALLOCAL1",
	SecretAccessKey: "local-secret-access-key",
	SessionToken:    "local-session-token",
}

// Server is a running endpoint. Its methods may be called from several goroutines. Close ends it.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	values   map[string]string // by the secret's name
	fault    http.HandlerFunc
	requests int
}

// Faults for SetFault: AWS's own refusals.
var (
	Throttled = refuse("ThrottlingException", "Rate exceeded")
	NotFound  = refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	Denied    = refuse("AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/local/local is not authorized to "+
		"perform: secretsmanager:GetSecretValue because no identity-based policy allows the secretsmanager:GetSecretValue action")
)

// Silent never responds.
func Silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Value responds with another value than the one that was put.
func Value(value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeValue(w, "SOF-HL", value) }
}

// Start starts an endpoint without secrets on a free loopback port.
func Start() *Server {
	s := &Server{values: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// Environment is what an AWS SDK needs in its environment to call this endpoint.
func (s *Server) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": s.URL,
		"AWS_REGION":                       region,
		"AWS_ACCESS_KEY_ID":                credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":            credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":                credentials.SessionToken,
	}
}

// ARN is the ARN of the secret with this name. Requests may use either.
func ARN(name string) string {
	return "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + name + "-LoCaL1"
}

// Put creates the secret or changes its value.
func (s *Server) Put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
}

// SetFault lets fault respond to every request that is well signed, until another one is set; nil ends it.
func (s *Server) SetFault(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Requests returns how many requests have arrived, refused ones included.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	fault := s.fault
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var request struct{ SecretId string } //nolint:revive // AWS's spelling
	switch {
	case !signed(r, body):
		refuse("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method.")(w, r)
	case fault != nil:
		fault(w, r)
	case r.Header.Get("X-Amz-Target") != target || r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		refuse("UnknownOperationException", "only "+target+" is served")(w, r)
	case json.Unmarshal(body, &request) != nil:
		refuse("SerializationException", "the request is not a JSON object")(w, r)
	default:
		s.respond(w, r, request.SecretId)
	}
}

func (s *Server) respond(w http.ResponseWriter, r *http.Request, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range s.values {
		if id == name || id == ARN(name) {
			writeValue(w, name, value)
			return
		}
	}
	NotFound(w, r)
}

// signed signs the request's signed part once more with the known credentials, and compares.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func signed(r *http.Request, body []byte) bool {
	got := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(got, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	at, timeErr := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	again, requestErr := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), nil)
	if cmp.Or(timeErr, requestErr) != nil {
		return false
	}
	for name := range strings.SplitSeq(names, ";") {
		if name == "content-length" {
			again.ContentLength = r.ContentLength
		} else if name != "host" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	hash := sha256.Sum256(body)
	err := v4.NewSigner().SignHTTP(r.Context(), credentials, again, hex.EncodeToString(hash[:]), "secretsmanager", region, at)
	return err == nil && again.Header.Get("Authorization") == got
}

func refuse(kind, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusBadRequest, map[string]string{"__type": kind, "message": message})
	}
}

func writeValue(w http.ResponseWriter, name, value string) {
	write(w, http.StatusOK, map[string]any{
		"ARN": ARN(name), "Name": name, "VersionId": "00000000-0000-4000-8000-000000000000", "SecretString": value,
		"VersionStages": []string{"AWSCURRENT"}, "CreatedDate": 1700000000.5,
	})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
