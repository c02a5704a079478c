// Package awstest is an AWS for tests. It speaks the services' protocols as far as the commands' calls need them.
package awstest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Account is the account of the server's credentials.
const Account = "123456789012"

// Server is an AWS in which nothing exists but what a test adds.
type Server struct {
	URL string

	mu        sync.Mutex
	responses map[string]response
	calls     []string
	bodies    map[string]string
}

type response struct {
	status int
	body   string
	log    string // the last lines of the function's log
}

// Start starts a server, and makes it the environment's AWS for the test. There are credentials, and no configuration files.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{responses: map[string]response{}, bodies: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	NoFiles(t)
	s.Respond("sts GetCallerIdentity", `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>`+Account+
		`</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	return s
}

// NoFiles hides the machine's own AWS settings from the test, and the credentials of an EC2 instance. It returns the path of
// the configuration file, which does not exist.
func NoFiles(t *testing.T) (configFile string) {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true", "HOME": dir,
	} {
		t.Setenv(name, value)
	}
	return filepath.Join(dir, "config")
}

// NoCredentials removes all credentials from the environment.
func NoCredentials(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
}

// Respond sets the body of the response to an operation, such as "ssm GetParameter". A third word, as in "cloudformation
// GetTemplate my-stack", limits it to requests that have the word in their body.
func (s *Server) Respond(operation, body string) { s.set(operation, response{http.StatusOK, body, ""}) }

// RespondInvoke sets what an invocation of a function returns, and the log lines that it leaves. word, which may be empty, limits it
// to events that have the word in them.
func (s *Server) RespondInvoke(word, body, log string) {
	s.set(strings.TrimSpace("lambda Invoke "+word), response{http.StatusOK, body, log})
}

// Fail has an operation fail with one of AWS's error codes.
func (s *Server) Fail(operation, code, message string) {
	service, _, _ := strings.Cut(operation, " ")
	var body []byte
	if service == "sts" || service == "cloudformation" {
		type detail struct{ Code, Message string }
		body, _ = xml.Marshal(struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   detail
		}{Error: detail{code, message}})
	} else {
		body, _ = json.Marshal(map[string]string{"__type": code, "message": message})
	}
	s.set(operation, response{http.StatusBadRequest, string(body), ""})
}

func (s *Server) set(operation string, r response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responses[operation] = r
}

// Calls returns the operations that were called, in order.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// Body returns the body of an operation's last request, "" if it was not called.
func (s *Server) Body(operation string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[operation]
}

// ServeHTTP responds to an operation with what was set for it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	operation := serviceOf(r) + " " + operationOf(r, body)
	found := s.find(operation, string(body))
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(found.body, "<") {
		w.Header().Set("Content-Type", "text/xml")
	}
	if operation == "lambda Invoke" && strings.Contains(found.body, `"errorType"`) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	if found.log != "" && r.Header.Get("X-Amz-Log-Type") == "Tail" {
		w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(found.log)))
	}
	w.WriteHeader(found.status)
	_, _ = io.WriteString(w, found.body)
}

func (s *Server) find(operation, body string) response {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, operation)
	s.bodies[operation] = body
	for name, r := range s.responses {
		if word, ok := strings.CutPrefix(name, operation+" "); ok && strings.Contains(body, word) {
			return r
		}
	}
	if r, ok := s.responses[operation]; ok {
		return r
	}
	return response{http.StatusNotImplemented, fmt.Sprintf(`{"__type":"NotSetInTest","message":%q}`, operation), ""}
}

// scope is in the signature: key, date, region, service (IAM User Guide, "Signature Version 4").
var scope = regexp.MustCompile(`Credential=[^/]+/[0-9]+/[^/]+/([a-z]+)/aws4_request`)

func serviceOf(r *http.Request) string {
	if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1]
	}
	return "unsigned"
}

// operationOf reads the operation's name from where the service's protocol has it.
func operationOf(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" { // AWS JSON
		return target[strings.LastIndex(target, ".")+1:]
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Has("Action") { // AWS query
		return form.Get("Action")
	}
	switch path := strings.TrimSuffix(r.URL.Path, "/"); { // REST
	case strings.HasSuffix(path, "/account-settings"):
		return "GetAccountSettings"
	case strings.HasSuffix(path, "/invocations"):
		return "Invoke"
	case strings.Contains(path, "/functions/"):
		return "GetFunction"
	default:
		return strings.TrimPrefix(path, "/")
	}
}
