package main

import (
	"context"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/cmd/internal/awstest"
)

// In a VPC, the checks that need the provider are skipped where this machine is not in its network; the others are not.
func TestProviderInVPC(t *testing.T) {
	dir := folder(t, map[string]any{"authEndpoint": "https://sso.ward.internal/",
		"authEndpointToken": "https://sso.ward.internal/token", "authEndpointIntrospect": "https://sso.ward.internal/introspect", "vpcSubnets": "subnet-01234567 subnet-12345678",
		"vpcId": "vpc-01234567"})
	status, stdout, stderr := run(t, "the-token", "--dir", dir, "--token-stdin")
	if status != statusOK || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	for _, want := range []string{"ok       context", "SMART metadata", "skipped  provider", "skipped  endpoints",
		"sso.ward.internal does not resolve on this machine; the deployment is in a VPC", "skipped  token"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// fromLambda runs the command in an account where the function has what invoke sets.
func fromLambda(t *testing.T, invoke func(*awstest.Server), args ...string) (status int, stdout string) {
	t.Helper()
	s := awstest.Start(t)
	invoke(s)
	dir := folder(t, map[string]any{"account": awstest.Account, "authEndpoint": "https://sso.ward.internal/",
		"authEndpointToken": "https://sso.ward.internal/token", "authEndpointIntrospect": "https://sso.ward.internal/introspect"})
	var out strings.Builder
	p := process{getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: &out, stderr: &out}
	status = p.run(context.Background(), append([]string{"--dir", dir, "--from-lambda"}, args...))
	return status, out.String()
}

func TestFromLambda(t *testing.T) {
	status, stdout := fromLambda(t, func(s *awstest.Server) {
		s.RespondInvoke("", `{"authPayload":{"isAuthorized":false}}`, `{"msg":"checkToken","outcome":"denied","reason":"inactive","idp_ms":7.2}`)
	})
	const want = `ok       AWS account         123456789012
ok       function: provider  reached sso.ward.internal:443 in 7 ms, and the made-up token is denied: inactive

ok 2, warning 1, failed 0, skipped 0

Nothing failed. If the warnings and the skipped checks are as you expect: make deploy
`
	if status != statusOK || !strings.HasSuffix(stdout, want) {
		t.Errorf("status %d, got\n%s\nwant\n%s", status, stdout, want)
	}

	status, stdout = fromLambda(t, func(s *awstest.Server) { s.Fail("lambda Invoke", "ResourceNotFoundException", "") })
	if status != statusFailed || !strings.Contains(stdout, "If that was in the context: STACK=CheckToken make deploy. Then run this again.") {
		t.Errorf("status %d, got\n%s", status, stdout)
	}

	status, stdout = fromLambda(t, func(*awstest.Server) { awstest.NoCredentials(t) })
	if status != statusFailed || !strings.Contains(stdout, "not called: no AWS credentials") {
		t.Errorf("status %d, got\n%s", status, stdout)
	}

	for _, other := range []string{"--offline", "--write", "--token-stdin"} {
		if status, stdout := fromLambda(t, func(*awstest.Server) {}, other); status != statusUsage || !strings.Contains(stdout, "--from-lambda goes with none of") {
			t.Errorf("%s: status %d, %s", other, status, stdout)
		}
	}
}
