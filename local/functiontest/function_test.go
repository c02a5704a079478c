// Package functiontest tests the function as HealthLake meets it: the binary that would be deployed, started by a
// Lambda runtime, with a real identity provider and Secrets Manager beside it.
package functiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/build"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

var bootstrap string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "functiontest")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if bootstrap, err = build.Function(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func start(t *testing.T, cfg sandbox.Config) *sandbox.Sandbox {
	t.Helper()
	cfg.Bootstrap = bootstrap
	s, err := sandbox.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the function's log:\n%s", strings.Join(s.Function.Logs(), "\n"))
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func invoke(t *testing.T, s *sandbox.Sandbox, event []byte) runtimeapi.Result {
	t.Helper()
	result, err := s.Function.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// ask sends an event with the token and wants an answer, not an error.
func ask(t *testing.T, s *sandbox.Sandbox, token string) sandbox.Answer {
	t.Helper()
	return read(t, invoke(t, s, sandbox.Event(token)))
}

func read(t *testing.T, result runtimeapi.Result) sandbox.Answer {
	t.Helper()
	if result.FunctionError != nil {
		t.Fatalf("the function failed: %+v", *result.FunctionError)
	}
	decoder := json.NewDecoder(bytes.NewReader(result.Payload))
	decoder.UseNumber()
	var answer sandbox.Answer
	if err := decoder.Decode(&answer); err != nil {
		t.Fatalf("answer %s: %v", result.Payload, err)
	}
	return answer
}

func getToken(t *testing.T, s *sandbox.Sandbox, kind sandbox.Kind) string {
	t.Helper()
	token, err := s.Token(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// call is one log line, as a reader of the log meets it.
type call struct {
	RequestID, Operation, Outcome, Reason string
	fields                                map[string]any
}

func logOf(t *testing.T, s *sandbox.Sandbox, result runtimeapi.Result) (call, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	line, err := s.Function.AwaitLog(ctx, result.RequestID)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("log line %s: %v", line, err)
	}
	text := func(key string) string {
		value, ok := fields[key].(string)
		if !ok {
			t.Errorf("log line has no %s: %s", key, line)
		}
		return value
	}
	for _, key := range []string{"secret_ms", "idp_ms", "total_ms"} {
		if ms, ok := fields[key].(float64); !ok || ms < 0 {
			t.Errorf("log line has no %s: %s", key, line)
		}
	}
	return call{text("request_id"), text("operation"), text("outcome"), text("reason"), fields}, line
}

func TestTokens(t *testing.T) {
	s := start(t, sandbox.Config{})
	tests := []struct {
		kind              sandbox.Kind
		authorized        bool
		reason            string
		scope             string
		fhirUser, patient any
	}{
		{sandbox.Valid, true, "active", sandbox.Scope, sandbox.FHIRUser, sandbox.Patient},
		{sandbox.Backend, true, "active", sandbox.BackendScope, nil, nil},
		{sandbox.Revoked, false, "inactive", "", nil, nil},
		{sandbox.Expired, false, "inactive", "", nil, nil},
		{sandbox.Refresh, false, "not_an_access_token", "", nil, nil},
		{sandbox.MadeUp, false, "inactive", "", nil, nil},
	}
	for _, test := range tests {
		t.Run(string(test.kind), func(t *testing.T) {
			token := getToken(t, s, test.kind)
			before := time.Now().Unix()
			result := invoke(t, s, sandbox.Event(token))
			answer := read(t, result)
			payload := answer.AuthPayload
			if answer.IAMRoleARN != sandbox.ServiceRole {
				t.Errorf("iamRoleARN %q, want %q", answer.IAMRoleARN, sandbox.ServiceRole)
			}
			for name, want := range map[string]any{
				"isAuthorized": test.authorized, "scope": test.scope, "aud": sandbox.DatastoreEndpoint,
				"iss": s.IDP.TokenURL(), "fhirUser": test.fhirUser, "patient": test.patient, "active": nil, "ext": nil,
			} {
				if payload[name] != want {
					t.Errorf("%s is %#v, want %#v", name, payload[name], want)
				}
			}
			times := map[string]int64{}
			for _, name := range []string{"iat", "nbf", "exp"} {
				number, ok := payload[name].(json.Number)
				seconds, err := number.Int64()
				if !ok || err != nil {
					t.Fatalf("%s is %#v, want an integer", name, payload[name])
				}
				times[name] = seconds
			}
			if left := times["exp"] - before; test.authorized && (left < 3500 || left > 3601) {
				t.Errorf("exp is in %d s; the token lives an hour", left)
			}
			if now := time.Now().Unix(); !test.authorized && (times["exp"] < before || times["exp"] > now) {
				t.Errorf("exp of a denial is %d, want now (%d)", times["exp"], now)
			}
			if times["nbf"] > time.Now().Unix() {
				t.Errorf("nbf %d is in the future", times["nbf"])
			}
			outcome := map[bool]string{true: "authorized", false: "denied"}[test.authorized]
			if line, _ := logOf(t, s, result); line.Outcome != outcome || line.Reason != test.reason ||
				line.Operation != "SearchWithGet" {
				t.Errorf("log line %+v, want outcome %s, reason %s", line, outcome, test.reason)
			}
		})
	}
}

func TestRefreshedTokenIsGood(t *testing.T) {
	s := start(t, sandbox.Config{})
	refreshed, err := s.IDP.Refresh(t.Context(), getToken(t, s, sandbox.Refresh))
	if err != nil {
		t.Fatal(err)
	}
	answer := ask(t, s, refreshed.AccessToken)
	if !answer.Authorized() || answer.AuthPayload["patient"] != sandbox.Patient {
		t.Errorf("answer %v", answer)
	}
}

func TestScopeGoesThroughByteForByte(t *testing.T) {
	s := start(t, sandbox.Config{})
	for _, scope := range []string{
		"patient/Observation.read",
		"patient/Observation.rs",
		"patient/Observation.rs?category=laboratory&status=final",
		"launch/patient patient/*.cruds user/Practitioner.r openid fhirUser offline_access",
		"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
		"patient/Observation.rs?code:in=<a>&_id=%26%3D+'!~",
	} {
		token, err := s.IDP.AuthorizationCode(t.Context(), idp.Launch{Scope: scope, Subject: "user-1"})
		if err != nil {
			t.Fatal(err)
		}
		if answer := ask(t, s, token.AccessToken); answer.AuthPayload["scope"] != scope || !answer.Authorized() {
			t.Errorf("scope %q, want %q", answer.AuthPayload["scope"], scope)
		}
	}
}

func TestLaunchContext(t *testing.T) {
	s := start(t, sandbox.Config{})
	token, err := s.IDP.AuthorizationCode(t.Context(), idp.Launch{
		Scope:   "launch patient/*.rs",
		Subject: "user-1",
		Ext: map[string]any{
			"fhirUser": "https://fhir.example.com/Practitioner/1", "patient": "p1", "encounter": "e1",
			"launch_response_patient": "p1", "need_patient_banner": true, "levels": []string{"a", "b"},
			// Nothing of these may be believed.
			"sub": "somebody else", "iss": "https://evil.example.com/", "aud": "x", "isAuthorized": "yes",
			"iamRoleARN": "arn:aws:iam::999999999999:role/Admin", "exp": 9999999999, "scope": "system/*.*",
			"active": false,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := ask(t, s, token.AccessToken)
	payload := answer.AuthPayload
	for name, want := range map[string]any{
		"fhirUser": "https://fhir.example.com/Practitioner/1", "patient": "p1", "encounter": "e1",
		"launch_response_patient": "p1", "need_patient_banner": true, "levels": []any{"a", "b"}, "sub": "user-1",
		"iss": s.IDP.TokenURL(), "aud": sandbox.DatastoreEndpoint, "isAuthorized": true, "iamRoleARN": nil,
		"scope": "launch patient/*.rs", "active": nil, "client_id": "local-app", "token_type": "Bearer",
	} {
		if !reflect.DeepEqual(payload[name], want) {
			t.Errorf("%s is %#v, want %#v", name, payload[name], want)
		}
	}
	if payload["exp"] == json.Number("9999999999") || answer.IAMRoleARN != sandbox.ServiceRole {
		t.Errorf("exp %v, iamRoleARN %s", payload["exp"], answer.IAMRoleARN)
	}
}

func TestEventsAtFault(t *testing.T) {
	s := start(t, sandbox.Config{})
	before, _ := s.IDP.Introspections()
	tests := []struct{ name, event, message string }{
		{"no token", `{"datastoreEndpoint":"https://example.com/r4/"}`, "bearerToken"},
		{"empty token", `{"datastoreEndpoint":"https://example.com/r4/","bearerToken":""}`, "bearerToken"},
		{"token of another type", `{"datastoreEndpoint":"https://example.com/r4/","bearerToken":["x"]}`, "bearerToken"},
		{"no endpoint", `{"bearerToken":"x"}`, "datastoreEndpoint"},
		{"null", `null`, "bearerToken"},
		{"not an object", `["x"]`, "JSON object"},
		{"not JSON", `bearerToken=x`, "JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := invoke(t, s, []byte(test.event))
			if result.FunctionError == nil || !strings.Contains(result.FunctionError.Message, test.message) {
				t.Errorf("answer %s, want an error with %q", result.Payload, test.message)
			}
			if line, _ := logOf(t, s, result); line.Outcome != "error" {
				t.Errorf("outcome %q, want error", line.Outcome)
			}
		})
	}
	if after, _ := s.IDP.Introspections(); after != before {
		t.Errorf("the provider was asked %d times", after-before)
	}
}

// TestEventFiles runs every file that the project gives for the Lambda console.
func TestEventFiles(t *testing.T) {
	outcomes := map[string]string{
		"search.json": "authorized", "read.json": "authorized",
		"backend.json": "authorized", "minimal.json": "authorized",
		"revoked.json": "denied", "expired.json": "denied", "refresh.json": "denied", "made-up.json": "denied",
		"missing-token.json": "error", "missing-endpoint.json": "error",
	}
	root, err := build.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "events", "*"))
	if err != nil || len(files) != len(outcomes) {
		t.Errorf("%d files in events, %d outcomes known here (%v)", len(files), len(outcomes), err)
	}
	s := start(t, sandbox.Config{})
	for _, file := range files {
		name := filepath.Base(file)
		event, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		filled, err := s.Fill(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		line, _ := logOf(t, s, invoke(t, s, filled))
		if line.Outcome != outcomes[name] {
			t.Errorf("%s: outcome %q (%s), want %q", name, line.Outcome, line.Reason, outcomes[name])
		}
		// As it is in the console before a token is pasted: never an authorization.
		if line, _ := logOf(t, s, invoke(t, s, event)); line.Outcome == "authorized" {
			t.Errorf("%s: the placeholder itself was authorized", name)
		}
	}
}

func TestProviderStopsAndComesBack(t *testing.T) {
	s := start(t, sandbox.Config{})
	token := getToken(t, s, sandbox.Valid)
	if !ask(t, s, token).Authorized() {
		t.Fatal("not authorized at first")
	}
	if err := s.IDP.Stop(); err != nil {
		t.Fatal(err)
	}
	result := invoke(t, s, sandbox.Event(token))
	if result.FunctionError == nil {
		t.Fatalf("without a provider the answer is %s", result.Payload)
	}
	if result.Duration > sandbox.Budget {
		t.Errorf("the error came after %s", result.Duration)
	}
	if line, text := logOf(t, s, result); line.Outcome != "error" || strings.Contains(text, token) {
		t.Errorf("log line %s", text)
	}
	if err := s.IDP.Resume(); err != nil {
		t.Fatal(err)
	}
	if !ask(t, s, token).Authorized() {
		t.Error("not authorized after the provider came back")
	}
}

func TestConnectionsDieWhileFrozen(t *testing.T) {
	s := start(t, sandbox.Config{})
	token := getToken(t, s, sandbox.Valid)
	for range 5 {
		if !ask(t, s, token).Authorized() {
			t.Fatal("not authorized")
		}
		if err := s.Function.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := s.IDP.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := s.IDP.Resume(); err != nil {
			t.Fatal(err)
		}
		if err := s.Function.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConnectionAndSecretAreKept(t *testing.T) {
	s := start(t, sandbox.Config{})
	token := getToken(t, s, sandbox.Valid)
	before, _ := s.IDP.Introspections()
	for range 20 {
		ask(t, s, token)
	}
	// A call that is slow by chance may open a second connection; one for each call would be twenty.
	if after, connections := s.IDP.Introspections(); after-before < 20 || connections > 3 {
		t.Errorf("%d requests, %d connections for 20 calls", after-before, connections)
	}
	if got := s.Secrets.Requests(); got != 1 {
		t.Errorf("the secret was read %d times, want once", got)
	}
}

func TestSecretMissingAtFirst(t *testing.T) {
	s := start(t, sandbox.Config{Configure: func(d *contract.Document, _ map[string]string) { d.HLRoleARN = "" }})
	token := getToken(t, s, sandbox.Valid)
	result := invoke(t, s, sandbox.Event(token))
	if log := strings.Join(s.Function.Logs(), "\n"); result.FunctionError == nil || !strings.Contains(log, "missing hl_role_arn") {
		t.Errorf("answer %s, log %s, want an error that names hl_role_arn", result.Payload, log)
	}
	s.Secrets.Delete(sandbox.SecretName)
	if result := invoke(t, s, sandbox.Event(token)); result.FunctionError == nil {
		t.Errorf("without a secret the answer is %s", result.Payload)
	}
	s.Secrets.SetFault(secretsmanager.Slow(time.Minute))
	if result := invoke(t, s, sandbox.Event(token)); result.FunctionError == nil {
		t.Errorf("with a hanging Secrets Manager the answer is %s", result.Payload)
	}
	s.Secrets.SetFault(nil)
	s.Document.HLRoleARN = sandbox.ServiceRole
	if err := s.PutDocument(); err != nil {
		t.Fatal(err)
	}
	// The reading that hangs is given up after two seconds at most; from then on the function serves.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if result := invoke(t, s, sandbox.Event(token)); result.FunctionError == nil {
			if !read(t, result).Authorized() {
				t.Errorf("answer %s", result.Payload)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the function does not serve after the secret is there")
		}
	}
}

func TestIntrospectionAuth(t *testing.T) {
	noKey := func(d *contract.Document) { d.APIKey = "" }
	nothing := func(d *contract.Document) { d.APIKey, d.ClientSecret = "", "" }
	tests := []struct {
		method string
		wanted idp.Auth
		change func(*contract.Document)
		good   bool
	}{
		{"bearer", idp.AuthBearer, nil, true},
		{"basic", idp.AuthBasic, nil, true},
		{"post", idp.AuthPost, nil, true},
		{"none", idp.AuthNone, nil, true},
		{"auto", idp.AuthBearer, nil, true},
		{"auto", idp.AuthBasic, noKey, true},
		{"auto", idp.AuthNone, nothing, true},
		{"none", idp.AuthBearer, nil, false},
		{"bearer", idp.AuthBasic, nil, false},
		{"bearer", idp.AuthBearer, noKey, false},
		{"post", idp.AuthBasic, nil, false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s where %s is wanted, %t", test.method, test.wanted, test.good), func(t *testing.T) {
			s := start(t, sandbox.Config{
				Auth: test.wanted,
				Configure: func(d *contract.Document, env map[string]string) {
					env["INTROSPECTION_AUTH"] = test.method
					if test.change != nil {
						test.change(d)
					}
				},
			})
			result := invoke(t, s, sandbox.Event(getToken(t, s, sandbox.Valid)))
			if good := result.FunctionError == nil && read(t, result).Authorized(); good != test.good {
				t.Errorf("answer %s, want authorized %t", result.Payload, test.good)
			}
			if !test.good && result.FunctionError == nil {
				t.Errorf("answer %s, want an error", result.Payload)
			}
		})
	}
}

func TestRules(t *testing.T) {
	const other = "https://other.example.com/r4/"
	tests := []struct {
		name       string
		audience   string   // REQUIRED_AUDIENCE
		issuers    string   // TRUSTED_ISSUERS; IDP stands for the provider
		token      []string // the token's audience
		authorized bool
		reason     string
	}{
		{"no rule, no audience", "", "", nil, true, "active"},
		{"the datastore", "datastore", "", []string{other, sandbox.DatastoreEndpoint}, true, "active"},
		{"another datastore", "datastore", "", []string{other}, false, "audience_not_accepted"},
		{"no audience", "datastore", "", nil, false, "audience_not_accepted"},
		{"a name", "fhir-api", "", []string{"fhir-api"}, true, "active"},
		{"part of a name", "fhir-api", "", []string{"fhir-api-2"}, false, "audience_not_accepted"},
		{"a trusted issuer", "", "https://other.example.com/ IDP", nil, true, "active"},
		{"another issuer", "", "https://other.example.com/", nil, false, "issuer_not_trusted"},
		{"both rules", "datastore", "IDP", []string{sandbox.DatastoreEndpoint}, true, "active"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Config{Configure: func(d *contract.Document, env map[string]string) {
				env["REQUIRED_AUDIENCE"] = test.audience
				env["TRUSTED_ISSUERS"] = strings.ReplaceAll(test.issuers, "IDP", d.AuthEndpoint)
			}})
			token, err := s.IDP.ClientCredentials(t.Context(), idp.Grant{Scope: "system/*.rs", Audience: test.token})
			if err != nil {
				t.Fatal(err)
			}
			result := invoke(t, s, sandbox.Event(token.AccessToken))
			if answer := read(t, result); answer.Authorized() != test.authorized {
				t.Errorf("isAuthorized %v, want %t", answer.AuthPayload["isAuthorized"], test.authorized)
			}
			if line, _ := logOf(t, s, result); line.Reason != test.reason {
				t.Errorf("reason %s, want %s", line.Reason, test.reason)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		followed.Add(1)
		fmt.Fprint(w, `{"active":true,"scope":"system/*.*"}`)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		defer redirecting.Close()
		s := start(t, sandbox.Config{Configure: func(d *contract.Document, _ map[string]string) {
			d.AuthEndpointIntrospect = redirecting.URL
		}})
		if result := invoke(t, s, sandbox.Event("a-token")); result.FunctionError == nil {
			t.Errorf("%d: answer %s, want an error", status, result.Payload)
		}
	}
	if followed.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestStrangeAnswers has a provider that says whatever it likes.
func TestStrangeAnswers(t *testing.T) {
	type reply struct {
		status int
		body   string
	}
	const silence = "no answer at all"
	now := time.Now().Unix()
	var next atomic.Pointer[reply]
	next.Store(&reply{200, `{"active":false}`})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until then a server does not notice that its client has gone
		reply := next.Load()
		if reply.body == silence {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(reply.status)
		fmt.Fprint(w, reply.body)
	}))
	defer provider.Close()
	s := start(t, sandbox.Config{Configure: func(d *contract.Document, _ map[string]string) {
		d.AuthEndpointIntrospect = provider.URL
	}})
	tests := []struct {
		status  int
		body    string
		outcome string
	}{
		{200, `{"active":true}`, "authorized"},
		{200, fmt.Sprintf(`{"active":true,"exp":%d.5,"nbf":"%d"}`, now+60, now+30), "authorized"},
		{200, `{"active":"true"}`, "denied"},
		{200, `{"active":1}`, "denied"},
		{200, `{"scope":"system/*.*","isAuthorized":true}`, "denied"},
		{200, `{}`, "denied"},
		{200, fmt.Sprintf(`{"active":true,"exp":%d}`, now-1), "denied"},
		{200, fmt.Sprintf(`{"active":true,"nbf":%d}`, now+300), "denied"},
		{200, `{"active":true,"token_use":"id"}`, "denied"},
		{200, `{"active":true,"token_type":"refresh_token"}`, "denied"},
		{200, `{"active":false,"active":true}`, "error"},
		{200, `[{"active":true}]`, "error"},
		{200, `<html>sign in</html>`, "error"},
		{200, ``, "error"},
		{200, `{"active":true,"pad":"` + strings.Repeat("x", 64<<10) + `"}`, "error"},
		{201, `{"active":true}`, "error"},
		{401, `{"active":true}`, "error"},
		{500, `{"active":true}`, "error"},
		{200, silence, "error"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d %.40s", test.status, test.body), func(t *testing.T) {
			next.Store(&reply{test.status, test.body})
			result := invoke(t, s, sandbox.Event("a-token"))
			line, _ := logOf(t, s, result)
			if line.Outcome != test.outcome || (result.FunctionError != nil) != (test.outcome == "error") {
				t.Errorf("outcome %s (%s), want %s; answer %.300s", line.Outcome, line.Reason, test.outcome,
					result.Payload)
			}
			if result.FunctionError == nil && read(t, result).Authorized() != (test.outcome == "authorized") {
				t.Errorf("answer %s, want %s", result.Payload, test.outcome)
			}
		})
	}
}

func TestLog(t *testing.T) {
	for _, enhanced := range []bool{false, true} {
		t.Run(fmt.Sprintf("enhanced %t", enhanced), func(t *testing.T) {
			s := start(t, sandbox.Config{Configure: func(d *contract.Document, _ map[string]string) {
				d.LambdaEnhancedLogging = contract.Flag(enhanced)
			}})
			var secrets []string // whatever must not be in the log
			var ids []string
			for _, kind := range sandbox.Kinds() {
				token := getToken(t, s, kind)
				secrets = append(secrets, token)
				result := invoke(t, s, sandbox.Event(token))
				ids = append(ids, result.RequestID)
				line, text := logOf(t, s, result)
				_, hasRequest := line.fields["request"].(map[string]any)
				_, hasAnswer := line.fields["answer"].(map[string]any)
				if hasRequest != enhanced || hasAnswer != enhanced {
					t.Errorf("request %t, answer %t, want %t: %s", hasRequest, hasAnswer, enhanced, text)
				}
				if line.RequestID != result.RequestID {
					t.Errorf("request_id %s, want %s", line.RequestID, result.RequestID)
				}
			}
			if err := s.IDP.Stop(); err != nil { // errors are logged too
				t.Fatal(err)
			}
			result := invoke(t, s, sandbox.Event(secrets[0]))
			ids = append(ids, result.RequestID)
			logOf(t, s, result)

			secrets = append(secrets, s.Document.APIKey, s.Document.ClientSecret, sandbox.User, sandbox.FHIRUser,
				sandbox.Patient)
			lines := s.Function.Logs()
			for _, hidden := range secrets {
				if strings.Contains(strings.Join(lines, "\n"), hidden) {
					t.Errorf("the log contains %q", hidden)
				}
			}
			for _, id := range ids {
				if n := len(slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
					return !strings.Contains(line, id)
				})); n != 1 {
					t.Errorf("%d log lines for one call, want 1", n)
				}
			}
		})
	}
}
