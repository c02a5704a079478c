package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
)

const (
	endpoint      = "https://healthlake.us-east-1.amazonaws.com/datastore/abc/r4/"
	tokenEndpoint = "https://idp.example/oauth2/token"
	roleARN       = "arn:aws:iam::123456789012:role/sof-hl-Role-for-HealthLake"
)

var now = time.Unix(1700584500, 250)

const theToken = "ory_at_the-token"

// private are the strings that must not show up in any log line or error.
var private = []string{theToken, "s3cret", "k3y", "Practitioner/42", "Patient/7", "ada@example.org", "Ada", "user-1"}

// idp is an identity provider whose answer a test sets.
type idp struct {
	apiKey string // where set, any other is refused
	status int
	body   string
	delay  time.Duration
	asked  atomic.Int32
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-time.After(p.delay):
	case <-r.Context().Done():
	}
	if p.apiKey != "" && r.Header.Get("Authorization") != "Bearer "+p.apiKey {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.body)
}

// store is a secret that a test changes.
type store struct {
	held    contract.Document
	renewed *contract.Document
	err     error
}

func (s *store) Document(context.Context) (contract.Document, error) { return s.held, s.err }

func (s *store) Renew(context.Context, contract.Document) (contract.Document, bool) {
	if s.renewed == nil {
		return contract.Document{}, false
	}
	return *s.renewed, true
}

// startHandler returns a handler that asks a running provider, and where its log goes.
func startHandler(t *testing.T, p *idp) (*handler, *store, *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	document := &store{held: contract.Document{
		ClientID: "client", ClientSecret: "s3cret", APIKey: "k3y",
		AuthEndpointToken: tokenEndpoint, AuthEndpointIntrospect: server.URL, HLRoleARN: roleARN,
	}}
	log := new(bytes.Buffer)
	return &handler{
		secretID: "SOF-HL", auditClaims: contract.DefaultAuditClaims,
		documents: document,
		checker:   newChecker(t, contract.Environment{IntrospectionOrigin: server.URL}, nil, func() time.Time { return now }),
		log:       slog.New(slog.NewJSONHandler(log, nil)),
	}, document, log
}

func newChecker(t *testing.T, e contract.Environment, roots *x509.CertPool, now func() time.Time) *checktoken.Checker {
	t.Helper()
	checker, err := checktoken.New(e, httpclient.NewTransport(roots), now)
	if err != nil {
		t.Fatal(err)
	}
	return checker
}

func invoke(t *testing.T, h *handler, payload string) (string, error) {
	t.Helper()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	response, err := h.Invoke(ctx, []byte(payload))
	if err != nil {
		for _, text := range private {
			if strings.Contains(err.Error(), text) {
				t.Errorf("the error holds %q: %v", text, err)
			}
		}
	}
	return string(response), err
}

// logLine returns the one line that a call must have written.
func logLine(t *testing.T, log *bytes.Buffer) map[string]any {
	t.Helper()
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Fatalf("%d log lines, want 1: %s", n, log)
	}
	for _, text := range private {
		if strings.Contains(log.String(), text) {
			t.Errorf("the log holds %q: %s", text, log)
		}
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	return line
}

func eventWith(token string) string {
	text, _ := json.Marshal(map[string]string{
		"datastoreEndpoint": endpoint, "bearerToken": token, "operationName": "SearchWithGet",
		"datastoreId": "abc", "datastoreTypeVersion": "R4", "datastoreName": "sof-hl-datastorename",
	})
	return string(text)
}

func TestInvoke(t *testing.T) {
	for _, test := range []struct {
		name, token, body string
		authorized        bool
		outcome, reason   string
		asked             int
	}{
		{"a good token", theToken, `{"active": true, "scope": "system/*.*"}`, true, "authorized", "active", 1},
		{"an inactive token", theToken, `{"active": false}`, false, "denied", "inactive", 1},
		{"an expired token", theToken, `{"active": true, "exp": 1}`, false, "denied", "expired", 1},
		{"a token with a space", "Bearer " + theToken, `{"active": true}`, false, "denied", "malformed_token", 0},
		{"a token with a newline", theToken + "\n", `{"active": true}`, false, "denied", "malformed_token", 0},
		{"a token with a NUL", theToken + "\x00", `{"active": true}`, false, "denied", "malformed_token", 0},
		{"a token beyond ASCII", theToken + "é", `{"active": true}`, false, "denied", "malformed_token", 0},
		{"a token of 16 KiB", strings.Repeat("x", 16<<10), `{"active": true}`, true, "authorized", "active", 1},
		{"a token beyond", strings.Repeat("x", 16<<10+1), `{"active": true}`, false, "denied", "malformed_token", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &idp{status: 200, body: test.body}
			h, _, log := startHandler(t, p)
			response, err := invoke(t, h, eventWith(test.token))
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				AuthPayload struct{ IsAuthorized *bool } `json:"authPayload"`
				IAMRoleARN  string                       `json:"iamRoleARN"`
			}
			if err := json.Unmarshal([]byte(response), &got); err != nil {
				t.Fatal(err)
			}
			if a := got.AuthPayload.IsAuthorized; a == nil || *a != test.authorized || got.IAMRoleARN != roleARN {
				t.Errorf("got %s", response)
			}
			if int(p.asked.Load()) != test.asked {
				t.Errorf("the provider was asked %d times, want %d", p.asked.Load(), test.asked)
			}
			line := logLine(t, log)
			for key, want := range map[string]any{
				"level": "INFO", "request_id": "request-1", "operation": "SearchWithGet",
				"outcome": test.outcome, "reason": test.reason,
			} {
				if line[key] != want {
					t.Errorf("log: %s is %v, want %v", key, line[key], want)
				}
			}
			for _, key := range []string{"secret_ms", "idp_ms", "total_ms"} {
				if _, ok := line[key].(float64); !ok {
					t.Errorf("log: %s is %v, want a number", key, line[key])
				}
			}
			if _, ok := line["fhir_scopes"]; ok != test.authorized {
				t.Errorf("log: fhir_scopes is %v", line["fhir_scopes"])
			}
			for _, key := range []string{"request", "answer", "error"} {
				if line[key] != nil {
					t.Errorf("log: %s is there without being asked for", key)
				}
			}
		})
	}
}

func TestInvokeErrors(t *testing.T) {
	for _, test := range []struct {
		name    string
		payload string
		idp     *idp
		endpoint,
		secretErr string
		moved  bool
		reason string
		text   string // in the error's message
	}{
		{name: "no event", payload: ``, reason: "event_invalid", text: "not a JSON object"},
		{name: "an event that is no JSON", payload: `{"bearerToken": "` + theToken, reason: "event_invalid", text: "not a JSON object"},
		{name: "an event that is an array", payload: `["` + theToken + `"]`, reason: "event_invalid", text: "not a JSON object"},
		{name: "null", payload: `null`, reason: "event_invalid", text: "bearerToken"},
		{name: "no token", payload: `{"datastoreEndpoint": "x"}`, reason: "event_invalid", text: "bearerToken"},
		{name: "an empty token", payload: `{"datastoreEndpoint": "x", "bearerToken": ""}`, reason: "event_invalid", text: "bearerToken"},
		{name: "a token that is a number", payload: `{"datastoreEndpoint": "x", "bearerToken": 5}`, reason: "event_invalid", text: "bearerToken"},
		{name: "no endpoint", payload: `{"bearerToken": "` + theToken + `"}`, reason: "event_invalid", text: "datastoreEndpoint"},
		{name: "the secret cannot be read", secretErr: "arn:aws:iam::1:role/x AccessDeniedException", reason: "secret_unavailable", text: "SOF-HL"},
		{name: "500", idp: &idp{status: 500, body: `{"active": true}`}, reason: "idp_status", text: "500"},
		{name: "404", idp: &idp{status: 404, body: theToken}, reason: "idp_status", text: "404"},
		{name: "401", idp: &idp{status: 401, body: `{"active": true}`}, reason: "idp_unauthorized", text: "401"},
		{name: "a redirect", idp: &idp{status: 307, body: `{"active": true}`}, reason: "idp_redirect", text: "307"},
		{name: "HTML", idp: &idp{status: 200, body: `<p>` + theToken}, reason: "idp_malformed", text: "not a JSON object"},
		{name: "too large", idp: &idp{status: 200, body: strings.Repeat(" ", 70000)}, reason: "idp_too_large"},
		{name: "late", idp: &idp{status: 200, body: `{"active": true}`, delay: 5 * time.Second}, reason: "idp_timeout"},
		{name: "the secret names another server", endpoint: "", moved: true, reason: "idp_settings", text: "another scheme, host or port"},
		{name: "unreachable", endpoint: "https://idp.invalid/", reason: "idp_unreachable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, document, log := startHandler(t, test.idp)
			if test.endpoint != "" {
				document.held.AuthEndpointIntrospect = test.endpoint
				h.checker = newChecker(t, contract.Environment{IntrospectionOrigin: contract.Origin(test.endpoint)}, nil, time.Now)
			}
			if test.moved {
				evil := httptest.NewServer(&idp{status: 200, body: `{"active": true}`})
				t.Cleanup(evil.Close)
				document.held.AuthEndpointIntrospect = evil.URL
			}
			if test.secretErr != "" {
				document.err = errors.New(test.secretErr)
			}
			payload := eventWith(theToken)
			if test.reason == "event_invalid" {
				payload = test.payload
			}
			response, err := invoke(t, h, payload)
			var failure messages.InvokeResponse_Error
			if response != "" || !errors.As(err, &failure) {
				t.Fatalf("got %s, %v, want a Lambda error", response, err)
			}
			if failure.Type != test.reason {
				t.Errorf("got %s: %s, want %s", failure.Type, failure.Message, test.reason)
			}
			line := logLine(t, log)
			detail, _ := line["error"].(string)
			if line["level"] != "ERROR" || line["outcome"] != "error" || line["reason"] != test.reason || !strings.Contains(detail, test.text) {
				t.Errorf("log: %v, want the error …%s…", line, test.text)
			}
			// The caller of the function learns what is wrong, but no address and no account.
			if event := test.reason == "event_invalid"; event != (failure.Message == detail) || failure.Message == "" {
				t.Errorf("the message is %q, the log has %q", failure.Message, detail)
			}
			for _, address := range []string{"127.0.0.1", "idp.invalid", "192.0.2.1", "arn:"} {
				if strings.Contains(failure.Message, address) {
					t.Errorf("the message names an address: %s", failure.Message)
				}
			}
		})
	}
}

func TestEnhancedLogShowsDetailAndNothingPersonal(t *testing.T) {
	h, document, log := startHandler(t, &idp{status: 200, body: `{"active": true, "client_id": "app-1",
		"scope": "patient/Observation.rs?subject=Patient/7 openid", "sub": "user-1", "username": "Ada", "email": "ada@example.org",
		"scp": ["user/Observation.rs?subject=Patient/7", "openid"], "azp": {"name": "Ada"}, "cid": ["Ada"], "token_type": "Bearer",
		"typ": "JWT", "aud": ["Patient/7"], "ext": {"fhirUser": "Practitioner/42", "patient": "Patient/7", "custom": {"name": "Ada"}}}`})
	document.held.LambdaEnhancedLogging = true
	if _, err := invoke(t, h, eventWith(theToken)); err != nil {
		t.Fatal(err)
	}
	line := logLine(t, log)
	request, _ := line["request"].(map[string]any)
	if request["bearerToken"] != "[redacted]" || request["datastoreEndpoint"] != endpoint {
		t.Errorf("request: %v", request)
	}
	answer, _ := line["answer"].(map[string]any)
	payload, _ := answer["authPayload"].(map[string]any)
	for name, want := range map[string]any{
		"isAuthorized": true, "iss": tokenEndpoint, "aud": endpoint, "client_id": "app-1",
		"scope": "patient/Observation.rs?[redacted] openid", "scp": "user/Observation.rs?[redacted] openid",
		"azp": "[redacted]", "cid": "[redacted]", "token_type": "Bearer", "typ": "JWT",
		"sub": "[redacted]", "username": "[redacted]", "email": "[redacted]", "fhirUser": "[redacted]",
		"patient": "[redacted]", "custom": "[redacted]", "exp": float64(now.Unix() + 60),
	} {
		if payload[name] != want {
			t.Errorf("authPayload: %s is %v, want %v", name, payload[name], want)
		}
	}
	if answer["iamRoleARN"] != roleARN {
		t.Errorf("answer: %v", answer)
	}
}

// Each line names the app and the token, of a denial too, and nobody unless the deployment wants that.
func TestAuditClaims(t *testing.T) {
	const person = `"sub":"user-1","username":"Ada","ext":{"fhirUser":"Practitioner/42"}`
	for _, test := range []struct {
		name, body string
		claims     []string
		want       map[string]any
	}{
		{"the default", `{"active":true,"client_id":"app","jti":"t1",` + person + `}`, contract.DefaultAuditClaims,
			map[string]any{"client_id": "app", "jti": "t1", "fhir_scopes": 0.0, "sub": nil, "fhirUser": nil}},
		{"a denial", `{"active":true,"exp":1,"client_id":"app","jti":"t1",` + person + `}`, contract.DefaultAuditClaims,
			map[string]any{"client_id": "app", "jti": "t1", "fhir_scopes": nil, "reason": "expired"}},
		{"azp", `{"active":true,"azp":"app","scope":"patient/*.rs user/*.rs openid"}`, contract.DefaultAuditClaims,
			map[string]any{"client_id": "app", "jti": nil, "fhir_scopes": 2.0}},
		{"cid", `{"active":true,"client_id":null,"cid":"app"}`, contract.DefaultAuditClaims, map[string]any{"client_id": "app"}},
		{"inactive", `{"active":false,"client_id":"app"}`, contract.DefaultAuditClaims, map[string]any{"client_id": nil}},
		{"a client id that is no string", `{"active":true,"client_id":["a","b"]}`, contract.DefaultAuditClaims,
			map[string]any{"client_id": "[redacted]"}},
		{"ids that hold a person", `{"active":true,"client_id":{"name":"Ada"},"jti":["Ada"],"azp":"app"}`, contract.DefaultAuditClaims,
			map[string]any{"client_id": "[redacted]", "jti": "[redacted]"}},
		{"a list that the deployment wants", `{"active":true,"roles":["nurse","Ada"]}`, []string{"sub", "roles"},
			map[string]any{"roles": []any{"nurse", "Ada"}}},
		{"a long one", `{"active":true,"client_id":"` + strings.Repeat("x", 300) + `"}`, contract.DefaultAuditClaims,
			map[string]any{"client_id": "[redacted]"}},
		{"none", `{"active":true,"client_id":"app"}`, nil, map[string]any{"client_id": nil}},
		{"scopes without their search parameters", `{"active":true,"scope":"patient/Observation.rs?subject=Patient/7"}`, []string{"scope"},
			map[string]any{"scope": "patient/Observation.rs?[redacted]"}},
		{"by name, as the deployment wants", `{"active":true,` + person + `}`, []string{"sub", "fhirUser"},
			map[string]any{"sub": "user-1", "fhirUser": "Practitioner/42", "username": nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, _, log := startHandler(t, &idp{status: 200, body: test.body})
			h.auditClaims = test.claims
			if _, err := invoke(t, h, eventWith(theToken)); err != nil {
				t.Fatal(err)
			}
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				if !reflect.DeepEqual(line[name], want) {
					t.Errorf("%s is %v, want %v", name, line[name], want)
				}
			}
			if !slices.Contains(test.claims, "sub") {
				logLine(t, log) // nothing personal in it
			}
		})
	}
}

func TestDenialSaysWhatItGotAndWanted(t *testing.T) {
	for body, want := range map[string][3]any{
		`{"active":true,"aud":["other-api","third"],"iss":"https://idp.example/"}`: {"audience_not_accepted", "other-api third", "datastore or fhir"},
		`{"active":true,"aud":"fhir","iss":"https://evil.example/"}`:               {"issuer_not_trusted", "https://evil.example/", "https://idp.example/"},
		`{"active":true,"aud":"fhir","iss":"https://idp.example/"}`:                {"active", nil, nil},
	} {
		h, document, log := startHandler(t, &idp{status: 200, body: body})
		h.checker = newChecker(t, contract.Environment{IntrospectionOrigin: document.held.AuthEndpointIntrospect,
			RequiredAudience: []string{"datastore", "fhir"}, TrustedIssuers: []string{"https://idp.example/"}}, nil, time.Now)
		if _, err := invoke(t, h, eventWith(theToken)); err != nil {
			t.Fatal(err)
		}
		line := logLine(t, log)
		if got := [3]any{line["reason"], line["got"], line["want"]}; got != want {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
}

// The role depends on the token's scopes alone, and a secret that was written before there was a read role has one role.
func TestRoleFollowsScopes(t *testing.T) {
	for scope, want := range map[string]string{"patient/*.rs": "read", "user/*.cruds": "write", "system/*.rs": "read-export",
		"system/*.*": "export", "openid": "read"} {
		h, document, _ := startHandler(t, &idp{status: 200, body: `{"active":true,"scope":"` + scope + `"}`})
		before := document.held
		document.held.HLRoleARN, document.held.HLRoleARNRead = "write", "read"
		document.held.HLRoleARNExport, document.held.HLRoleARNReadExport = "export", "read-export"
		response, err := invoke(t, h, eventWith(theToken))
		if err != nil || !strings.HasSuffix(response, `"iamRoleARN":"`+want+`"}`) {
			t.Errorf("%s: got %s, %v, want the role %s", scope, response, err, want)
		}
		document.held = before
		if response, err = invoke(t, h, eventWith(theToken)); err != nil || !strings.HasSuffix(response, `"iamRoleARN":"`+roleARN+`"}`) {
			t.Errorf("%s with an old secret: got %s, %v", scope, response, err)
		}
	}
}

func TestEnhancedLogOfAnError(t *testing.T) {
	h, document, log := startHandler(t, &idp{status: 500})
	document.held.LambdaEnhancedLogging = true
	if _, err := invoke(t, h, eventWith(theToken)); err == nil {
		t.Fatal("no error")
	}
	line := logLine(t, log)
	if line["request"] == nil || line["answer"] != nil {
		t.Errorf("got %v, want the request and no answer", line)
	}
}

func TestWhatAnEventWritesIntoTheLogIsBounded(t *testing.T) {
	h, document, log := startHandler(t, &idp{status: 200, body: `{"active": false}`})
	document.held.LambdaEnhancedLogging = true
	payload, _ := json.Marshal(map[string]string{
		"datastoreEndpoint": strings.Repeat("e", 1<<20), "bearerToken": theToken, "operationName": strings.Repeat("o", 1<<20),
	})
	if _, err := invoke(t, h, string(payload)); err != nil {
		t.Fatal(err)
	}
	if got := log.Len(); got > 8192 {
		t.Errorf("the line has %d bytes", got)
	}
}

func TestAssertionsNeedAnAudience(t *testing.T) {
	variables := map[string]string{"INTROSPECTION_AUTH": "private_key_jwt", "INTROSPECTION_ORIGIN": "https://idp.example"}
	getenv := func(name string) string { return variables[name] }
	_, err := newHandler(getenv, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "CLIENT_ASSERTION_AUDIENCE") {
		t.Errorf("got %v, want an error that names the variable", err)
	}
	variables["CLIENT_ASSERTION_AUDIENCE"] = "https://idp.example"
	if _, err := newHandler(getenv, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

// No token goes to, and no key comes from, an endpoint in the clear.
func TestEndpointsAreCheckedAtStart(t *testing.T) {
	const more = `[{"issuer":"https://b.example/","jwks":"http://192.0.2.1/jwks","requiredAudience":["datastore"]}]`
	for variable, value := range map[string]string{
		"INTROSPECTION_ORIGIN": "http://192.0.2.1", "AUTH_ENDPOINT_JWKS": "http://192.0.2.1/jwks", "MORE_ISSUERS": more,
	} {
		variables := map[string]string{"INTROSPECTION_ORIGIN": "https://idp.example", "AUTH_ISSUER": "https://idp.example/",
			"AUTH_ENDPOINT_JWKS": "https://idp.example/jwks", "REQUIRED_AUDIENCE": "datastore"}
		if variable != "INTROSPECTION_ORIGIN" {
			variables["TOKEN_VALIDATION"] = contract.TokenValidationJWT
		}
		getenv := func(name string) string { return variables[name] }
		if _, err := newHandler(getenv, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		variables[variable] = value
		_, err := newHandler(getenv, slog.New(slog.DiscardHandler))
		if err == nil || !strings.HasPrefix(err.Error(), variable+": not an absolute https URL") {
			t.Errorf("%s=%s: got %v, want an error that names the variable", variable, value, err)
		}
	}
}

// Each variable's own faults are tested in package contract.
func TestEnvironmentIsChecked(t *testing.T) {
	for name, value := range map[string]string{
		"INTROSPECTION_AUTH": "digest", "INTROSPECTION_CACHE_SECONDS": "301", "TOKEN_VALIDATION": "both",
		"AUTH_CA_BUNDLE": "handler_test.go",
	} {
		_, err := newHandler(func(n string) string {
			switch n {
			case name:
				return value
			case "INTROSPECTION_ORIGIN":
				return "https://idp.example"
			}
			return ""
		}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: got %v, want an error that names it", name, value, err)
		}
	}
}

func TestCachedClaimsAreJudgedAnew(t *testing.T) {
	p := &idp{status: 200, body: fmt.Sprintf(`{"active": true, "scope": "s", "exp": %d}`, now.Unix()+10)}
	h, document, log := startHandler(t, p)
	clock := now
	h.checker = newChecker(t, contract.Environment{
		IntrospectionOrigin: document.held.AuthEndpointIntrospect, IntrospectionCache: time.Minute,
	}, nil, func() time.Time { return clock })
	ask := func(wantAuthorized, wantHit bool, wantAsked int) {
		t.Helper()
		log.Reset()
		response, err := invoke(t, h, eventWith(theToken))
		if err != nil || strings.Contains(response, `"isAuthorized":true`) != wantAuthorized || int(p.asked.Load()) != wantAsked {
			t.Errorf("got %s, %v after %d requests, want authorized %t after %d", response, err, p.asked.Load(), wantAuthorized, wantAsked)
		}
		if hit := logLine(t, log)["cache_hit"]; hit != wantHit {
			t.Errorf("cache_hit is %v, want %t", hit, wantHit)
		}
	}
	ask(true, false, 1)
	ask(true, true, 1)
	document.held.ClientID = "another"
	ask(true, false, 2)
	clock = now.Add(10 * time.Second)
	ask(false, false, 3) // its exp is reached: neither kept nor accepted
}

func TestRotatedCredentials(t *testing.T) {
	p := &idp{apiKey: "k3y-new", status: 200, body: `{"active": true, "scope": "s"}`}
	h, document, log := startHandler(t, p)
	renewed := document.held
	renewed.APIKey = "k3y-new"
	renewed.HLRoleARN = "arn:aws:iam::123456789012:role/renewed"
	document.renewed = &renewed
	response, err := invoke(t, h, eventWith(theToken))
	if err != nil || !strings.Contains(response, `"isAuthorized":true`) || !strings.Contains(response, "role/renewed") {
		t.Errorf("got %s, %v, want an answer from the renewed document", response, err)
	}
	if line := logLine(t, log); p.asked.Load() != 2 || line["idp_requests"] != 2.0 || line["outcome"] != "authorized" {
		t.Errorf("the provider was asked %d times: %v", p.asked.Load(), line)
	}

	log.Reset()
	document.renewed.APIKey = "k3y-other"
	p.asked.Store(0)
	if response, err := invoke(t, h, eventWith(theToken)); err == nil || p.asked.Load() != 2 {
		t.Errorf("got %s after %d requests, want the refusal after one more try", response, p.asked.Load())
	}
	if line := logLine(t, log); line["reason"] != "idp_unauthorized" {
		t.Errorf("log: %v", line)
	}

	log.Reset()
	document.renewed = nil
	p.asked.Store(0)
	if response, err := invoke(t, h, eventWith(theToken)); err == nil || p.asked.Load() != 1 {
		t.Errorf("got %s after %d requests, want the refusal at once", response, p.asked.Load())
	}
}

// A start that no event waits for tries the credentials. Any other only opens the connection, which the first call then uses.
func TestWarmUp(t *testing.T) {
	p := &idp{status: 401}
	h, document, log := startHandler(t, p)
	if err := h.warmUp(); err != nil || p.asked.Load() != 0 {
		t.Errorf("on demand: got %v after %d requests", err, p.asked.Load())
	}
	h.provisioned = true
	if err := h.warmUp(); err == nil || !strings.Contains(err.Error(), "401") || p.asked.Load() != 1 {
		t.Errorf("got %v after %d requests, want the provider's refusal of our credentials", err, p.asked.Load())
	}
	p.status, p.body = 200, `{"active": false}`
	if err := h.warmUp(); err != nil || p.asked.Load() != 2 {
		t.Errorf("got %v after %d requests", err, p.asked.Load())
	}
	document.held.AuthEndpointIntrospect = "https://idp.invalid/"
	if err := h.warmUp(); err == nil {
		t.Error("another server than the deployment's goes unnoticed")
	}
	h.provisioned = false
	h.checker = newChecker(t, contract.Environment{IntrospectionOrigin: "https://idp.invalid"}, nil, time.Now)
	if err := h.warmUp(); err == nil || !strings.Contains(err.Error(), "does not resolve") {
		t.Errorf("got %v, want that the provider cannot be reached", err)
	}
	if log.Len() != 0 {
		t.Errorf("a warm-up wrote a call's log line: %s", log)
	}
}

func TestPrivateAuthority(t *testing.T) {
	p := &idp{status: 200, body: `{"active": true}`}
	server := httptest.NewTLSServer(p)
	defer server.Close()
	dir := t.TempDir()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	for bundle, want := range map[string]string{"ca.pem": "authorized", "": "error"} {
		h, document, log := startHandler(t, p)
		document.held.AuthEndpointIntrospect = server.URL
		roots, err := readRoots(bundle, dir)
		if err != nil {
			t.Fatal(err)
		}
		h.checker = newChecker(t, contract.Environment{IntrospectionOrigin: server.URL}, roots, time.Now)
		_, _ = invoke(t, h, eventWith(theToken))
		if got := logLine(t, log)["outcome"]; got != want {
			t.Errorf("with bundle %q: %v, want %s", bundle, got, want)
		}
	}
}

// What crypto/x509 reads then is seen in a process of its own, because it reads once per process.
func TestReadOneBundle(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	dir := t.TempDir()
	bundle := filepath.Join(dir, "ca-bundle.crt")
	if child := os.Getenv("TEST_BUNDLE"); child != "" {
		readOneBundle(child)
		_, err := http.Get(os.Getenv("TEST_SERVER"))
		fmt.Printf("trusted: %t\n", err == nil)
		return
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		bundle, setting string
		want            bool
	}{
		"the bundle is there":         {bundle, "", true},
		"it is not":                   {filepath.Join(dir, "none"), "", false},
		"another file is set":         {bundle, "SSL_CERT_FILE=" + filepath.Join(dir, "none"), false},
		"directories are set":         {bundle, "SSL_CERT_DIR=" + t.TempDir(), false},
		"not there, but one of these": {filepath.Join(dir, "none"), "SSL_CERT_DIR=" + dir, true},
	} {
		child := exec.Command(os.Args[0], "-test.run=^TestReadOneBundle$")
		child.Env = []string{"TEST_BUNDLE=" + test.bundle, "TEST_SERVER=" + server.URL, test.setting}
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf("trusted: %t", test.want)) {
			t.Errorf("%s: %v, %s, want %t", name, err, out, test.want)
		}
	}
}

// Lambda makes a log event of each write, so that a line in two would be two events, and counted by no metric.
func TestLogLineIsOneWrite(t *testing.T) {
	h, document, _ := startHandler(t, &idp{status: 200, body: `{"active": true, "scope": "` + strings.Repeat("patient/*.rs ", 2000) + `"}`})
	document.held.LambdaEnhancedLogging = true
	writes := new(countingWriter)
	h.log = slog.New(slog.NewJSONHandler(writes, nil))
	if _, err := invoke(t, h, eventWith(theToken)); err != nil || *writes != 1 {
		t.Errorf("%v, %d writes", err, *writes)
	}
}

type countingWriter int

func (w *countingWriter) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

func FuzzParseEvent(f *testing.F) {
	for _, seed := range []string{
		`{"datastoreEndpoint":"e","bearerToken":"t"}`, `{"bearerToken":1}`, `[]`, `null`, `{`, `{"BEARERTOKEN":"t"}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := parseEvent(payload)
		if (err == nil) != (e.BearerToken != "" && e.DatastoreEndpoint != "") {
			t.Errorf("%+v, %v", e, err)
		}
	})
}
