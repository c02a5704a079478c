package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/cmd/internal/awstest"
)

const previous, next = "0ld-s3cret", "n3w-s3cret"

// deployed is a project with a deployment whose secret holds previous, and a provider that accepts both. asked is called when the
// provider is asked.
func deployed(t *testing.T, asked ...func(*awstest.Server)) (s *awstest.Server, dir string) {
	t.Helper()
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, call := range asked {
			call(s)
		}
		if _, password, _ := r.BasicAuth(); password != previous && password != next {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"active":false}`)
	}))
	t.Cleanup(idp.Close)
	dir = t.TempDir()
	context, err := json.Marshal(map[string]any{
		"account": awstest.Account, "region": "us-east-1", "tagName": "a", "tagValue": "b", "prefix": "p-", "datastoreName": "d",
		"clientId": "me", "introspectionAuth": "basic", "authEndpoint": idp.URL, "authEndpointToken": idp.URL + "/token",
		"authEndpointIntrospect": idp.URL + "/introspect", "requiredAudience": "x", "secretName": "S",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cdk.context.json"), context, 0o600); err != nil {
		t.Fatal(err)
	}
	s = awstest.Start(t)
	document := `{"client_id":"me","client_secret":"` + previous + `","auth_endpoint":"` + idp.URL + `","auth_endpoint_token":"` + idp.URL +
		`/token","auth_endpoint_introspect":"` + idp.URL + `/introspect","api_key":"","hl_role_arn":"arn:x","hl_datastore_name":"p-d",` +
		`"lambda_enhanced_logging":"true","of_later":{"a":[1]}}`
	s.Respond("secretsmanager GetSecretValue", secretValue(document))
	s.Respond("secretsmanager PutSecretValue", `{}`)
	s.Respond("lambda Invoke", `{"authPayload":{"isAuthorized":false}}`)
	return s, dir
}

func secretValue(document string) string {
	text, _ := json.Marshal(map[string]string{"SecretString": document, "VersionId": fmt.Sprint(len(document))})
	return string(text)
}

// rotate runs the command without waiting. It returns what was printed and how long it would have waited.
func rotate(t *testing.T, dir string, variables map[string]string, args ...string) (printed string, waited time.Duration, err error) {
	t.Helper()
	var out strings.Builder
	p := process{getenv: func(name string) string { return variables[name] }, stdout: &out, after: func(d time.Duration) <-chan time.Time {
		waited += d
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}}
	err = p.run(t.Context(), append([]string{"-dir", dir}, args...))
	if text := out.String() + fmt.Sprint(err); strings.Contains(text, next) || strings.Contains(text, previous) {
		t.Errorf("a secret is printed: %s", text)
	}
	return out.String(), waited, err
}

func TestRotate(t *testing.T) {
	s, dir := deployed(t)
	printed, waited, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next})
	if err != nil {
		t.Fatal(err)
	}
	want := `The provider accepts the new client_secret.
Changed client_secret in the secret S; the other fields are as they were.
Waiting 65 seconds, until every instance of p-checkToken has read it …
The function asked the provider with it, and was accepted.

The old client_secret may be withdrawn at the provider now.
So that no later deploy writes the old one back:
  CLIENT_SECRET=… make deploy
`
	if printed != want || waited != 65*time.Second {
		t.Errorf("waited %s, printed\n%s\nwant\n%s", waited, printed, want)
	}
	var put struct{ SecretString string }
	var has map[string]any
	if json.Unmarshal([]byte(s.Body("secretsmanager PutSecretValue")), &put) != nil || json.Unmarshal([]byte(put.SecretString), &has) != nil {
		t.Fatalf("wrote %s", s.Body("secretsmanager PutSecretValue"))
	}
	for name, value := range map[string]string{"client_secret": next, "lambda_enhanced_logging": "true", "of_later": "map[a:[1]]"} {
		if fmt.Sprint(has[name]) != value {
			t.Errorf("%s is %v, want %v", name, has[name], value)
		}
	}
	if len(has) != 10 {
		t.Errorf("%d fields, want 10: %v", len(has), has)
	}
	if calls := s.Calls(); !slices.Equal(calls, []string{"sts GetCallerIdentity", "secretsmanager GetSecretValue",
		"secretsmanager GetSecretValue", "secretsmanager PutSecretValue", "lambda Invoke"}) {
		t.Errorf("calls %q", calls)
	}
}

// Nothing is written in doubt.
func TestNothingWritten(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*awstest.Server)
		variables map[string]string
		args      []string
		want      string
	}{
		"no value":      {nil, nil, nil, "nothing to change: give the new value, for example CLIENT_SECRET=… make rotate"},
		"refused":       {nil, map[string]string{"CLIENT_SECRET": "typo"}, nil, "the new client_secret does not work, so nothing was changed: "},
		"silent":        {nil, map[string]string{"CLIENT_SECRET": next}, []string{"-c", "authEndpointIntrospect=http://127.0.0.1:1/x"}, "so nothing was changed"},
		"unused":        {nil, map[string]string{"CLIENT_SECRET": next, "SRV_API_KEY": next}, nil, "basic (introspectionAuth), which does not use api_key"},
		"jwt":           {nil, map[string]string{"CLIENT_SECRET": next}, []string{"-c", "tokenValidation=jwt"}, "tokenValidation is jwt"},
		"context":       {nil, map[string]string{"CLIENT_SECRET": next}, []string{"-c", "region="}, "region: got \"\", want a region with HealthLake"},
		"unknown":       {nil, map[string]string{"CLIENT_SECRET": next}, []string{"-c", "env=dev"}, `env: got "dev"`},
		"other account": {nil, map[string]string{"CLIENT_SECRET": next}, []string{"-c", "account=210987654321"}, "the credentials belong to account 123456789012, the context says 210987654321"},
		"no secret": {func(s *awstest.Server) { s.Fail("secretsmanager GetSecretValue", "ResourceNotFoundException", "") },
			map[string]string{"CLIENT_SECRET": next}, nil, "there is no secret S in region us-east-1; deploy first"},
		"no admin": {func(s *awstest.Server) {
			s.Fail("secretsmanager GetSecretValue", "AccessDeniedException", "explicit deny")
		},
			map[string]string{"CLIENT_SECRET": next}, nil, "only the roles and users in secretAdmins may"},
		"not JSON": {func(s *awstest.Server) { s.Respond("secretsmanager GetSecretValue", secretValue(previous)) },
			map[string]string{"CLIENT_SECRET": next}, nil, "is not a JSON object"},
		"one field of nine": {func(s *awstest.Server) {
			s.Respond("secretsmanager GetSecretValue", secretValue(`{"client_secret":"`+previous+`"}`))
		}, map[string]string{"CLIENT_SECRET": next}, nil, "secret: missing auth_endpoint_token, auth_endpoint_introspect, hl_role_arn"},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := deployed(t)
			if test.change != nil {
				test.change(s)
			}
			printed, waited, err := rotate(t, dir, test.variables, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) || waited != 0 {
				t.Errorf("%v, waited %s, want %s\n%s", err, waited, test.want, printed)
			}
			if s.Body("secretsmanager PutSecretValue") != "" {
				t.Error("written all the same")
			}
		})
	}
	t.Run("changed meanwhile", func(t *testing.T) {
		s, dir := deployed(t, func(s *awstest.Server) {
			s.Respond("secretsmanager GetSecretValue", secretValue(`{"client_secret":"somebody else's"}`))
		})
		_, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next})
		if err == nil || !strings.Contains(err.Error(), "somebody else changed the secret S meanwhile") ||
			s.Body("secretsmanager PutSecretValue") != "" {
			t.Errorf("got %v, wrote %s", err, s.Body("secretsmanager PutSecretValue"))
		}
	})
	t.Run("the same value", func(t *testing.T) {
		s, dir := deployed(t)
		printed, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": previous})
		if err != nil || printed != "The secret S has this value already. Nothing was changed.\n" || s.Body("secretsmanager PutSecretValue") != "" {
			t.Errorf("%v\n%s", err, printed)
		}
	})
}

func TestFunctionAfterwards(t *testing.T) {
	s, dir := deployed(t)
	s.Fail("lambda Invoke", "AccessDeniedException", "not authorized")
	printed, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next})
	if err != nil || !strings.Contains(printed, "The function could not be tried: Lambda Invoke: AccessDeniedException") {
		t.Errorf("%v\n%s", err, printed)
	}
	s.Respond("lambda Invoke", `{"errorType": "idp_unauthorized", "errorMessage": "x"}`)
	printed, _, err = rotate(t, dir, map[string]string{"CLIENT_SECRET": next})
	if err == nil || !strings.Contains(err.Error(), "the function reports idp_unauthorized; keep the old client_secret") ||
		strings.Contains(printed, "withdrawn") {
		t.Errorf("%v\n%s", err, printed)
	}
}

// A deploy does not look at the environment where the context has the credential.
func TestCredentialInContext(t *testing.T) {
	_, dir := deployed(t)
	printed, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next}, "-c", "clientSecret={{resolve:secretsmanager:own:SecretString:x}}")
	if err != nil || !strings.HasSuffix(printed, "writes the old one back:\n  change clientSecret in the context, or the secret that it refers to\n") {
		t.Errorf("%v\n%s", err, printed)
	}
}

// The keys of other issuers have nothing to do with the credential.
func TestOtherIssuerIsDown(t *testing.T) {
	_, dir := deployed(t)
	_, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next}, "-c",
		`moreIssuers=[{"issuer":"https://127.0.0.1:1","jwks":"https://127.0.0.1:1/jwks","requiredAudience":["x"]}]`)
	if err != nil {
		t.Error(err)
	}
}

// A provider that only the function can reach.
func TestUnchecked(t *testing.T) {
	s, dir := deployed(t)
	document := strings.ReplaceAll(`{"client_id":"me","client_secret":"`+previous+`","auth_endpoint_token":"x","auth_endpoint_introspect":"URL","hl_role_arn":"arn:x"}`,
		"URL", "http://127.0.0.1:1/introspect")
	s.Respond("secretsmanager GetSecretValue", secretValue(document))
	args := []string{"-c", "authEndpointIntrospect=http://127.0.0.1:1/introspect"}
	_, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next}, args...)
	if err == nil || !strings.Contains(err.Error(), "run this again with UNCHECKED=yes") || s.Body("secretsmanager PutSecretValue") != "" {
		t.Errorf("got %v", err)
	}
	printed, _, err := rotate(t, dir, map[string]string{"CLIENT_SECRET": next, "UNCHECKED": "yes"}, args...)
	if err != nil || !strings.Contains(printed, "The new client_secret could not be tried at the provider: ") ||
		s.Body("secretsmanager PutSecretValue") == "" {
		t.Errorf("%v\n%s", err, printed)
	}
}
