// Package functiontest tests the function as HealthLake meets it: the binary that would be deployed, started by a Lambda
// runtime, with an identity provider and Secrets Manager. What goes wrong is tested in package faults.
package functiontest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/functionbinary"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/sandboxtest"
)

// must is for what fails only where the test itself is wrong, or the machine.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func invoke(t *testing.T, s *sandbox.Sandbox, event []byte) runtimeapi.Result {
	return must(s.Function.Invoke(t.Context(), event))
}

// ask sends an event with the token, and wants a response and not an error.
func ask(t *testing.T, s *sandbox.Sandbox, token string) sandbox.Response {
	t.Helper()
	return parse(t, invoke(t, s, sandbox.Event(token)))
}

func parse(t *testing.T, result runtimeapi.Result) sandbox.Response {
	t.Helper()
	response, err := sandbox.Parse(result)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// logLine returns the line about a call, and checks what every line has.
func logLine(t *testing.T, s *sandbox.Sandbox, result runtimeapi.Result) map[string]any {
	t.Helper()
	line := must(s.LogLine(t.Context(), result.RequestID))
	for _, name := range []string{"request_id", "operation", "outcome", "reason"} {
		if _, ok := line[name].(string); !ok {
			t.Errorf("log line has no %s: %v", name, line)
		}
	}
	for _, name := range []string{"secret_ms", "idp_ms", "total_ms"} {
		if ms, ok := line[name].(float64); !ok || ms < 0 {
			t.Errorf("log line has no %s: %v", name, line)
		}
	}
	if line["request_id"] != result.RequestID {
		t.Errorf("request_id %s, want %s", line["request_id"], result.RequestID)
	}
	return line
}

// or is nil in the place of an empty string.
func or(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func TestTokens(t *testing.T) {
	s := sandboxtest.Start(t, nil)
	for _, kind := range sandbox.Kinds {
		t.Run(kind.Name, func(t *testing.T) {
			token := must(s.Token(t.Context(), kind.Name))
			before := time.Now().Unix()
			result := invoke(t, s, sandbox.Event(token))
			payload := parse(t, result).AuthPayload
			for name, want := range map[string]any{
				"isAuthorized": kind.Authorized, "scope": kind.Scope, "aud": sandbox.DatastoreEndpoint,
				"iss": s.Document.AuthEndpointToken, "fhirUser": or(kind.FHIRUser), "patient": or(kind.Patient),
				"active": nil, "ext": nil,
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
			if left := times["exp"] - before; kind.Authorized && (left < 3500 || left > 3601) {
				t.Errorf("exp is in %d s; the token lives an hour", left)
			}
			if now := time.Now().Unix(); !kind.Authorized && (times["exp"] < before || times["exp"] > now) {
				t.Errorf("exp of a denial is %d, want now (%d)", times["exp"], now)
			}
			if times["nbf"] > time.Now().Unix() {
				t.Errorf("nbf %d is in the future", times["nbf"])
			}
			outcome := map[bool]string{true: "authorized", false: "denied"}[kind.Authorized]
			if line := logLine(t, s, result); line["outcome"] != outcome || line["reason"] != kind.Reason ||
				line["operation"] != "SearchWithGet" {
				t.Errorf("log line %v, want outcome %s, reason %s", line, outcome, kind.Reason)
			}
		})
	}
	refreshed := must(s.IDP.Refresh(t.Context(), must(s.Token(t.Context(), "refresh"))))
	if response := ask(t, s, refreshed.Access); !response.Authorized() || response.AuthPayload["patient"] != sandbox.Patient {
		t.Errorf("a refreshed token: %v", response)
	}
}

func TestVerifiedTokens(t *testing.T) {
	for _, key := range []idp.Key{idp.NewRSAKey("rsa", 2048), idp.NewECKey("ec")} {
		s := sandboxtest.Start(t, func(s *sandbox.Sandbox) {
			s.IDP.SetKeys(key)
			s.Environment.TokenValidation, s.Environment.RequiredAudience = contract.TokenValidationJWT, []string{"datastore"}
			s.Environment.AuthIssuer, s.Environment.AuthEndpointJwks = s.Document.AuthEndpoint, s.IDP.URL+idp.KeysPath
		})
		header := must(json.Marshal(key.Header()))
		claims := fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d,"scope":"patient/*.rs"}`, s.Document.AuthEndpoint,
			sandbox.DatastoreEndpoint, time.Now().Unix()+3600)
		token := key.Sign(header, []byte(claims))
		if response := ask(t, s, token); !response.Authorized() || response.AuthPayload["scope"] != "patient/*.rs" {
			t.Errorf("%s: %v", header, response)
		}
		if ask(t, s, key.Sign(header, []byte(claims+" "))+"AA").Authorized() {
			t.Errorf("%s: a token with another signature was authorized", header)
		}
	}
}

func TestScopeGoesThroughByteForByte(t *testing.T) {
	s := sandboxtest.Start(t, nil)
	for _, scope := range []string{
		"patient/Observation.read",
		"patient/Observation.rs",
		"patient/Observation.rs?category=laboratory&status=final",
		"launch/patient patient/*.cruds user/Practitioner.r openid fhirUser offline_access",
		"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
		"patient/Observation.rs?code:in=<a>&_id=%26%3D+'!~",
	} {
		response := ask(t, s, must(s.IDP.Issue(t.Context(), idp.Grant{Scope: scope, Subject: "user-1"})).Access)
		if response.AuthPayload["scope"] != scope || !response.Authorized() {
			t.Errorf("scope %q, want %q", response.AuthPayload["scope"], scope)
		}
	}
}

func TestLaunchContext(t *testing.T) {
	s := sandboxtest.Start(t, nil)
	tokens := must(s.IDP.Issue(t.Context(), idp.Grant{
		Scope:   "launch patient/*.rs",
		Subject: "user-1",
		Ext: map[string]any{
			"fhirUser": "https://fhir.example.com/Practitioner/1", "patient": "p1", "encounter": "e1",
			"launch_response_patient": "p1", "need_patient_banner": true, "levels": []string{"a", "b"},
			// None of these may be believed.
			"sub": "somebody else", "iss": "https://evil.example.com/", "aud": "x", "isAuthorized": "yes",
			"iamRoleARN": "arn:aws:iam::999999999999:role/Admin", "exp": 9999999999, "scope": "system/*.*",
			"active": false,
		},
	}))
	payload := ask(t, s, tokens.Access).AuthPayload
	for name, want := range map[string]any{
		"fhirUser": "https://fhir.example.com/Practitioner/1", "patient": "p1", "encounter": "e1",
		"launch_response_patient": "p1", "need_patient_banner": true, "levels": []any{"a", "b"}, "sub": "user-1",
		"iss": s.Document.AuthEndpointToken, "aud": sandbox.DatastoreEndpoint, "isAuthorized": true, "iamRoleARN": nil,
		"scope": "launch patient/*.rs", "active": nil, "client_id": "local-app", "token_type": "Bearer",
	} {
		if !reflect.DeepEqual(payload[name], want) {
			t.Errorf("%s is %#v, want %#v", name, payload[name], want)
		}
	}
	if payload["exp"] == json.Number("9999999999") {
		t.Error("exp is the one in ext")
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
	messages := map[string]string{"missing-token.json": "bearerToken", "missing-endpoint.json": "datastoreEndpoint"}
	files := must(filepath.Glob(filepath.Join(must(functionbinary.Root()), "events", "*")))
	if len(files) != len(outcomes) {
		t.Errorf("%d files in events, %d outcomes known here", len(files), len(outcomes))
	}
	s := sandboxtest.Start(t, nil)
	for _, file := range files {
		name := filepath.Base(file)
		event := must(os.ReadFile(file))
		before, _ := s.IDP.Introspections()
		result := invoke(t, s, must(s.Fill(t.Context(), event)))
		after, _ := s.IDP.Introspections()
		if line := logLine(t, s, result); line["outcome"] != outcomes[name] {
			t.Errorf("%s: outcome %q (%s), want %q", name, line["outcome"], line["reason"], outcomes[name])
		}
		if outcomes[name] == "error" {
			if after != before {
				t.Errorf("%s: the provider was asked", name)
			}
			if result.FunctionError == nil || !strings.Contains(result.FunctionError.Message, messages[name]) {
				t.Errorf("%s: response %s, want an error with %s", name, result.Payload, messages[name])
			}
		}
		// As it is in the console before a token is pasted: never an authorization.
		if line := logLine(t, s, invoke(t, s, event)); line["outcome"] == "authorized" {
			t.Errorf("%s: the placeholder itself was authorized", name)
		}
	}
}

func TestConnectionAndSecretAreKept(t *testing.T) {
	s := sandboxtest.Start(t, nil)
	token := must(s.Token(t.Context(), "valid"))
	before, _ := s.IDP.Introspections()
	for range 20 {
		ask(t, s, token)
	}
	// A call that is slow by chance may open a second connection; one for each call would be twenty.
	if after, connections := s.IDP.Introspections(); after-before < 20 || connections < 1 || connections > 3 {
		t.Errorf("%d requests, %d connections for 20 calls", after-before, connections)
	}
	if got := s.Secrets.Requests(); got != 1 {
		t.Errorf("the secret was read %d times, want once", got)
	}
}

func TestLogNamesWhatTheSecretLacks(t *testing.T) {
	s := sandboxtest.Start(t, func(s *sandbox.Sandbox) { s.Document.HLRoleARN = "" })
	result := invoke(t, s, sandbox.Event(must(s.Token(t.Context(), "valid"))))
	detail, _ := logLine(t, s, result)["error"].(string)
	if result.FunctionError == nil || !strings.Contains(detail, "missing hl_role_arn") {
		t.Errorf("response %s, the log says %q, want an error that names hl_role_arn", result.Payload, detail)
	}
}

func TestIntrospectionAuth(t *testing.T) {
	all := func(*contract.Document) {}
	noKey := func(d *contract.Document) { d.APIKey = "" }
	nothing := func(d *contract.Document) { d.APIKey, d.ClientSecret = "", "" }
	for _, test := range []struct {
		method string
		wanted idp.Auth
		change func(*contract.Document)
		good   bool
	}{
		{"bearer", idp.AuthBearer, all, true},
		{"basic", idp.AuthBasic, all, true},
		{"post", idp.AuthPost, all, true},
		{"none", idp.AuthNone, all, true},
		{"auto", idp.AuthBearer, all, true},
		{"auto", idp.AuthBasic, noKey, true},
		{"auto", idp.AuthNone, nothing, true},
		{"none", idp.AuthBearer, all, false},
		{"bearer", idp.AuthBasic, all, false},
		{"bearer", idp.AuthBearer, noKey, false},
		{"post", idp.AuthBasic, all, false},
	} {
		t.Run(fmt.Sprintf("%s where %s is wanted, %t", test.method, test.wanted, test.good), func(t *testing.T) {
			s := sandboxtest.Start(t, func(s *sandbox.Sandbox) {
				s.IDP.Config.Auth, s.Environment.IntrospectionAuth = test.wanted, test.method
				test.change(&s.Document)
			})
			result := invoke(t, s, sandbox.Event(must(s.Token(t.Context(), "valid"))))
			if test.good && !parse(t, result).Authorized() || !test.good && result.FunctionError == nil {
				t.Errorf("response %s, want authorized %t, or else an error", result.Payload, test.good)
			}
		})
	}
}

func TestRules(t *testing.T) {
	const other = "https://other.example.com/r4/"
	for _, test := range []struct {
		name     string
		audience string   // RequiredAudience
		issuers  string   // TrustedIssuers; IDP stands for the provider
		token    []string // the token's audience
		reason   string   // active where it is authorized
	}{
		{"no rule, no audience", "", "", nil, "active"},
		{"the datastore", "datastore", "", []string{other, sandbox.DatastoreEndpoint}, "active"},
		{"another datastore", "datastore", "", []string{other}, "audience_not_accepted"},
		{"no audience", "datastore", "", nil, "audience_not_accepted"},
		{"a name", "fhir-api", "", []string{"fhir-api"}, "active"},
		{"part of a name", "fhir-api", "", []string{"fhir-api-2"}, "audience_not_accepted"},
		{"a trusted issuer", "", "https://other.example.com/ IDP", nil, "active"},
		{"another issuer", "", "https://other.example.com/", nil, "issuer_not_trusted"},
		{"both rules", "datastore", "IDP", []string{sandbox.DatastoreEndpoint}, "active"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := sandboxtest.Start(t, func(s *sandbox.Sandbox) {
				s.Environment.RequiredAudience = strings.Fields(test.audience)
				s.Environment.TrustedIssuers = strings.Fields(strings.ReplaceAll(test.issuers, "IDP", s.Document.AuthEndpoint))
			})
			token := must(s.IDP.Issue(t.Context(), idp.Grant{Scope: "system/*.rs", Audience: test.token})).Access
			result := invoke(t, s, sandbox.Event(token))
			if response := parse(t, result); response.Authorized() != (test.reason == "active") {
				t.Errorf("isAuthorized %v", response.AuthPayload["isAuthorized"])
			}
			if line := logLine(t, s, result); line["reason"] != test.reason {
				t.Errorf("reason %s, want %s", line["reason"], test.reason)
			}
		})
	}
}

// Each call has one line, with what was asked and answered where enhanced logging is on, and never a credential or a person.
func TestLog(t *testing.T) {
	for _, enhanced := range []bool{false, true} {
		t.Run(fmt.Sprintf("enhanced %t", enhanced), func(t *testing.T) {
			s := sandboxtest.Start(t, func(s *sandbox.Sandbox) {
				s.Document.LambdaEnhancedLogging = contract.Flag(enhanced)
			})
			hidden := []string{s.Document.APIKey, s.Document.ClientSecret, sandbox.User, sandbox.FHIRUser, sandbox.Patient}
			var ids []string
			call := func(token string) map[string]any {
				result := invoke(t, s, sandbox.Event(token))
				hidden, ids = append(hidden, token), append(ids, result.RequestID)
				return logLine(t, s, result)
			}
			for _, kind := range sandbox.Kinds {
				line := call(must(s.Token(t.Context(), kind.Name)))
				_, hasRequest := line["request"].(map[string]any)
				_, hasAnswer := line["answer"].(map[string]any)
				if hasRequest != enhanced || hasAnswer != enhanced {
					t.Errorf("request %t, answer %t, want %t: %v", hasRequest, hasAnswer, enhanced, line)
				}
			}
			token := must(s.Token(t.Context(), "valid"))
			s.IDP.CloseClientConnections()
			s.IDP.Listener.Close() // errors are logged, too
			if line := call(token); line["outcome"] != "error" {
				t.Errorf("without a provider: %v", line)
			}
			lines := s.Function.Logs()
			for _, text := range hidden {
				if strings.Contains(strings.Join(lines, "\n"), text) {
					t.Errorf("the log contains %q", text)
				}
			}
			for _, id := range ids {
				n := 0
				for _, line := range lines {
					n += min(strings.Count(line, id), 1)
				}
				if n != 1 {
					t.Errorf("%d log lines for one call, want 1", n)
				}
			}
		})
	}
}
