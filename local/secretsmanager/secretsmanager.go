// Package secretsmanager is AWS Secrets Manager's GetSecretValue for one machine: secrets that can be set, a check of
// each request's signature, AWS's answers and errors, and faults on demand.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
package secretsmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
)

const (
	region  = "us-east-1"
	account = "123456789012"
)

// credentials are the only ones that the server accepts.
var credentials = aws.Credentials{
	AccessKeyID:     "ASIALOCALLOCALLOCAL1",
	SecretAccessKey: "local-secret-access-key",
	SessionToken:    "local-session-token",
}

// Server is a running endpoint. Its methods may be called from several goroutines.
type Server struct {
	listener net.Listener
	server   *http.Server

	mu       sync.Mutex
	secrets  map[string]version // by name
	fault    Fault
	requests int
}

type version struct {
	id, value string
	created   time.Time
}

// Fault stands between a signed request and its answer: it answers in the server's place and returns true, or returns
// false, and the server answers.
type Fault func(w http.ResponseWriter, r *http.Request) (answered bool)

// Slow lets every answer wait for d.
func Slow(d time.Duration) Fault {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-time.After(d):
			return false
		case <-r.Context().Done():
			return true
		}
	}
}

// Throttled refuses every request as AWS does above the account's quota.
func Throttled(w http.ResponseWriter, _ *http.Request) bool {
	refuse(w, http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
	return true
}

// Denied refuses every request as AWS does where no policy allows it.
func Denied(w http.ResponseWriter, _ *http.Request) bool {
	refuse(w, http.StatusBadRequest, "AccessDeniedException", "User: arn:aws:sts::"+account+":assumed-role/local/local"+
		" is not authorized to perform: secretsmanager:GetSecretValue because no identity-based policy allows the "+
		"secretsmanager:GetSecretValue action")
	return true
}

// Start starts an endpoint without secrets on a free loopback port.
func Start() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("secretsmanager: %w", err)
	}
	s := &Server{listener: listener, secrets: map[string]version{}}
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with Stop
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop() error { return s.server.Close() }

// URL is the endpoint.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Environment is what an AWS SDK needs in its environment to call this endpoint.
func (s *Server) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": s.URL(),
		"AWS_REGION":                       region,
		"AWS_ACCESS_KEY_ID":                credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":            credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":                credentials.SessionToken,
	}
}

// ARN is the ARN of the secret with this name. Requests may use either.
func ARN(name string) string {
	return "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + name + "-LoCaL1"
}

// Put creates the secret or changes its value.
func (s *Server) Put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[name] = version{uuid.NewString(), value, time.Now()}
}

// Delete deletes the secret; from then on it is not found.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, name)
}

// SetFault lets every request meet the fault, until another one is set; nil ends it.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
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

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", "the request's body cannot be read")
		return
	}
	if kind, message := checkSignature(r, body); kind != "" {
		refuse(w, http.StatusBadRequest, kind, message)
		return
	}
	if fault != nil && fault(w, r) {
		return
	}
	if target := r.Header.Get("X-Amz-Target"); r.Method != http.MethodPost ||
		target != "secretsmanager.GetSecretValue" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		refuse(w, http.StatusBadRequest, "UnknownOperationException", "only secretsmanager.GetSecretValue is served")
		return
	}
	var request struct{ SecretId string } //nolint:revive // AWS's spelling
	if err := json.Unmarshal(body, &request); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", "the request is not a JSON object")
		return
	}
	s.mu.Lock()
	name, secret, found := s.find(request.SecretId)
	s.mu.Unlock()
	if !found {
		refuse(w, http.StatusBadRequest, "ResourceNotFoundException",
			"Secrets Manager can't find the specified secret.")
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"ARN": ARN(name), "Name": name, "VersionId": secret.id, "SecretString": secret.value,
		"VersionStages": []string{"AWSCURRENT"}, "CreatedDate": float64(secret.created.UnixMilli()) / 1000,
	})
}

func (s *Server) find(id string) (string, version, bool) {
	for name, secret := range s.secrets {
		if id == name || id == ARN(name) {
			return name, secret, true
		}
	}
	return "", version{}, false
}

// checkSignature signs the request's signed part once more with the known credentials, and compares. The first result
// is the error's type, empty where the signature is right.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func checkSignature(r *http.Request, body []byte) (kind, message string) {
	got := r.Header.Get("Authorization")
	if got == "" {
		return "MissingAuthenticationTokenException", "Missing Authentication Token"
	}
	scope := "/" + region + "/secretsmanager/aws4_request, SignedHeaders="
	_, rest, ok := strings.Cut(got, scope)
	signed, _, hasSignature := strings.Cut(rest, ", Signature=")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if !ok || !hasSignature || err != nil || !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=") {
		return "IncompleteSignatureException", "the Authorization header is not a signature for " + scope
	}
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return "IncompleteSignatureException", "the request has no valid address"
	}
	for name := range strings.SplitSeq(signed, ";") {
		if name == "content-length" {
			again.ContentLength = r.ContentLength
		} else if name != "host" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(r.Context(), credentials, again, hex.EncodeToString(hash[:]), "secretsmanager",
		region, at)
	if err != nil || again.Header.Get("Authorization") != got {
		return "InvalidSignatureException", "The request signature we calculated does not match the signature you " +
			"provided. Check your AWS Secret Access Key and signing method."
	}
	return "", ""
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	answer(w, status, map[string]string{"__type": kind, "message": message, "Message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
