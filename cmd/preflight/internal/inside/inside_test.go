package inside

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/cmd/internal/awstest"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
)

// provider is a server that answers with a body.
func provider(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// closed is an address where nothing listens, and silent one that accepts connections and says nothing.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// function is what Lambda would return and log for a token: the function's own package decides, against a real server.
func function(t *testing.T, cfg config.Config, token string, limit time.Duration) (body, log string) {
	t.Helper()
	checker, err := checktoken.New(cfg.Environment(), httpclient.NewTransport(nil), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	result, err := checker.Check(ctx, token, "https://healthlake.us-east-1.amazonaws.com/datastore/preflight/r4/", cfg.Document())
	line := map[string]any{"msg": "checkToken", "idp_ms": 12.3456, "total_ms": 13}
	var failed *checktoken.Error
	if errors.As(err, &failed) {
		line["outcome"], line["reason"], line["error"] = failed.Reason.Outcome, failed.Reason.Word, failed.Error()
		body = `{"errorType": "` + failed.Reason.Word + `", "errorMessage": "x"}`
	} else {
		line["outcome"], line["reason"] = result.Decision.Reason.Outcome, result.Decision.Reason.Word
		response, _ := result.Response.JSON()
		body = string(response)
	}
	text, _ := json.Marshal(line)
	return body, `{"type":"platform.start"}` + "\n" + string(text) + "\n" + `{"type":"platform.report"}`
}

func deployment(introspect string) config.Config {
	return config.Config{Account: awstest.Account, Region: "us-east-1", Prefix: "t-", TokenValidation: "introspection",
		IntrospectionAuth: "none", AuthEndpointIntrospect: introspect, SenderConstrainedTokens: "deny"}
}

// check runs the check, and compares its rows: "<status> <check>: <part of the reason> | <part of the fix>".
func check(t *testing.T, cfg config.Config, want ...string) {
	t.Helper()
	var l checklist.List
	connection, _, err := awsaccess.Open(t.Context(), cfg.Region, "")
	if err != nil {
		t.Fatal(err)
	}
	Check(t.Context(), connection, cfg, &l)
	if len(l) != len(want) {
		t.Fatalf("got %+v, want %d rows", l, len(want))
	}
	for i, w := range want {
		head, rest, _ := strings.Cut(w, " - ")
		reason, fix, _ := strings.Cut(rest, " | ")
		if r := l[i]; string(r.Status)+" "+r.Check != head || !strings.Contains(r.Reason, reason) || !strings.Contains(r.Fix, fix) {
			t.Errorf("got %+v\nwant %s", r, w)
		}
	}
}

// What the function reports of real servers becomes the right row. The errors' texts are those of its own packages.
func TestWhatTheFunctionSaw(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	plainly := strings.Replace(provider(t, 200, "{}"), "http:", "https:", 1)

	for name, test := range map[string]struct{ introspect, want string }{
		"reached":       {provider(t, 200, `{"active":false}`), "ok function: provider - reached HOST in 12 ms, and the made-up token is denied: inactive"},
		"every token":   {provider(t, 200, `{"active":true}`), "failed function: provider - a made-up token is authorized | at once"},
		"credentials":   {provider(t, 401, ``), "failed function: provider - but: introspection: HTTP status 401 (idp_unauthorized) | Compare api_key"},
		"wrong path":    {provider(t, 404, ``), "failed function: provider - but: introspection: HTTP status 404 (idp_status) | 404: auth_endpoint_introspect is wrong"},
		"web page":      {provider(t, 200, `<html>`), "failed function: provider - (idp_malformed) | it may be a web page"},
		"refused":       {closed(t), "failed function: provider - refused: HOST: nothing listens there | correct the port"},
		"timed out":     {silent(t), "failed function: provider - timed out: HOST does not respond | a firewall drops"},
		"no name":       {"https://sso.clinic.invalid/x", "failed function: provider - HOST: the host sso.clinic.invalid | vpcSubnets"},
		"no authority":  {secure.URL, "failed function: provider - TLS: HOST: the certificate is signed by an authority | authCaBundle"},
		"old TLS":       {old.URL, "failed function: provider - TLS: HOST: the server refuses the TLS handshake | TLS 1.2"},
		"no TLS at all": {plainly, "failed function: provider - TLS: HOST: the response is not TLS | port"},
	} {
		t.Run(name, func(t *testing.T) {
			s := awstest.Start(t)
			cfg := deployment(test.introspect)
			limit := time.Minute
			if name == "timed out" {
				limit = 100 * time.Millisecond
			}
			body, log := function(t, cfg, "preflight-x", limit)
			s.RespondInvoke("", body, log)
			check(t, cfg, strings.ReplaceAll(test.want, "HOST", contract.HostPort(test.introspect)))
		})
	}
}

// In a VPC the same failures have other causes.
func TestInVPC(t *testing.T) {
	s := awstest.Start(t)
	cfg := deployment("https://sso.clinic.internal:8443/introspect")
	cfg.VPCSubnets = []string{"subnet-01234567", "subnet-12345678"}
	line := func(word, text string) {
		s.RespondInvoke("", `{"errorType":"`+word+`"}`, `{"msg":"checkToken","outcome":"error","reason":"`+word+`","error":"`+text+`"}`)
	}
	line("idp_timeout", "introspection: no response in time")
	check(t, cfg, "failed function: provider - timed out: sso.clinic.internal:8443 | let the function's security group in at sso.clinic.internal:8443")
	if n := strings.Count(strings.Join(s.Calls(), "\n"), "lambda Invoke"); n != attempts {
		t.Errorf("%d calls, want %d", n, attempts)
	}
	line("idp_unreachable", "introspection: the host sso.clinic.internal does not resolve")
	check(t, cfg, "failed function: provider - no such name: sso.clinic.internal:8443 | private hosted zone")
	line("secret_unavailable", "reading the secret x: deadline exceeded")
	check(t, cfg, "failed function: provider - cannot read its secret: reading the secret x: deadline | vpcSecretsEndpoint")
	cfg.VPCSecretsEndpoint = true
	check(t, cfg, "failed function: provider - cannot read its secret | its policy and the execution role")
}

// Each further issuer has a row, and a token of its own, for whose key the function must look.
func TestIssuers(t *testing.T) {
	s := awstest.Start(t)
	cfg := deployment(provider(t, 200, `{"active":false}`))
	down, up := closed(t), provider(t, 200, `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
	cfg.MoreIssuers = []contract.Issuer{
		{Issuer: "https://up.example", JWKS: up, RequiredAudience: []string{"a"}},
		{Issuer: "https://down.example", JWKS: down, RequiredAudience: []string{"a"}},
	}
	// The server tells tokens apart by their payload: the issuer.
	for _, target := range targets(cfg)[1:] {
		body, log := function(t, cfg, target.token, time.Minute)
		s.RespondInvoke(strings.Split(target.token, ".")[1], body, log)
	}
	s.RespondInvoke("preflight-", `{"authPayload":{"isAuthorized":false}}`, "")
	check(t, cfg,
		"ok function: provider - the made-up token is denied",
		"ok function: issuer https://up.example - and the made-up token is denied: unknown_key",
		"failed function: issuer https://down.example - refused: 127.0.0.1 | correct the port")

	cfg = config.Config{TokenValidation: "jwt", AuthIssuer: "https://main.example", AuthEndpointJwks: up,
		RequiredAudience: []string{"a"}, SenderConstrainedTokens: "deny"}
	if _, log := function(t, cfg, targets(cfg)[0].token, time.Minute); !strings.Contains(log, "unknown_key") {
		t.Errorf("with jwt the function did not look for the key: %s", log)
	}
}

func TestNoFunction(t *testing.T) {
	s := awstest.Start(t)
	cfg := deployment("https://idp.example/introspect")
	s.Fail("lambda Invoke", "ResourceNotFoundException", "Function not found")
	check(t, cfg, "failed function: provider - there is no function t-checkToken | STACK=CheckToken make deploy")
	s.Fail("lambda Invoke", "AccessDeniedException", "User is not authorized to perform: lambda:InvokeFunction")
	check(t, cfg, "failed function: provider - Lambda Invoke: AccessDeniedException | allow it for these credentials")
	// Without a log line the response is all there is.
	s.RespondInvoke("", `{"errorType":"Sandbox.Timedout","errorMessage":"x"}`, "")
	check(t, cfg, "failed function: provider - the function failed: Sandbox.Timedout | /aws/lambda/t-checkToken")
	s.RespondInvoke("", `{"errorType":"idp_unreachable","errorMessage":"x"}`, "")
	check(t, cfg, "failed function: provider - no response of idp.example:443: There is no connection | error says which")
}
