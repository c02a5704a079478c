package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// broken is a context with one fault in it, and the line that preflight must have for that.
type broken struct {
	kind  string
	with  []string // as -c takes them
	check string   // the failed row
	says  string   // and what it says, of reason or fix
}

// brokenContexts tries faults against the running provider and the local AWS.
func (t *tour) brokenContexts(ctx context.Context) bool {
	hydra := strings.TrimSuffix(t.hydra.PublicURL(), "/")
	atOIDCProvider := []string{"authEndpointIntrospect=" + t.oidc.Issuer + "/token/introspection",
		"clientId=" + t.oidc.ResourceServerID, "introspectionAuth=basic"}
	ok := true
	for _, b := range []broken{
		{"a number too short", []string{"account=12345"}, "context account", "12 digits"},
		{"a misspelled key", []string{"regoin=eu-west-2"}, "context regoin", "did you mean region?"},
		{"a word for a boolean", []string{"preloadData=maybe"}, "context preloadData", `got "maybe"`},
		{"a scheme that is none", []string{"authEndpointToken=ftp://idp.example/"}, "context authEndpointToken", "ftp://"},
		{"a grant type that HealthLake does not know", []string{"grantTypes=password"}, "context grantTypes", "authorization_code"},
		{"a bundle of authorities that is not there", []string{"authCaBundle=missing.pem"}, "context authCaBundle", "missing.pem"},
		{"a capability without the one that it needs", []string{"smartCapabilities=permission-v2.2"},
			"context smartCapabilities", "permission-v2"},
		{"a wrong path", []string{"authEndpointToken=" + hydra + "/oauth2/tokn"}, "endpoint authEndpointToken", "HTTP 404"},
		{"a path that is not the discovery document's", []string{"authEndpointToken=" + hydra + "/oauth2/tokn"},
			"discovery authEndpointToken", "set authEndpointToken to " + hydra + "/oauth2/token"},
		{"an issuer without its last slash", []string{"authIssuer=" + hydra}, "discovery authIssuer", "the slash at the end counts"},
		{"a host that does not exist", []string{"authEndpointRevoke=https://idp.invalid/revoke"}, "endpoint authEndpointRevoke",
			"idp.invalid"},
		{"a port where nothing listens", []string{"authEndpointIntrospect=http://127.0.0.1:1/introspect"},
			"endpoint authEndpointIntrospect", "127.0.0.1:1"},
		{"TLS where there is none", []string{"authEndpointToken=" + strings.Replace(hydra, "http:", "https:", 1) + "/oauth2/token"},
			"endpoint authEndpointToken", "TLS"},
		{"keys that are none", []string{"authEndpointJwks=" + hydra + "/.well-known/openid-configuration"}, "JWKS authEndpointJwks", ""},
		{"credentials that the provider refuses", atOIDCProvider, "introspection credentials", "401"},
		{"credentials of another account", []string{"account=210987654321"}, "AWS account", "123456789012"},
		{"a region that is not bootstrapped", []string{"region=us-west-2"}, "AWS CDK bootstrap", "npx cdk bootstrap aws://"},
		{"more concurrency than the account has", []string{"lambdaReservedConcurrency=950"}, "AWS Lambda concurrency", "100"},
	} {
		ok = t.steps.do(ctx, "preflight finds "+b.kind, func(ctx context.Context) error { return t.finds(ctx, b) }) && ok
	}
	return ok
}

func (t *tour) finds(ctx context.Context, b broken) error {
	args := "--calls 1"
	for _, value := range b.with {
		args += " -c '" + value + "'"
	}
	output, err := t.typed(ctx, "go run ./cmd/preflight "+args)
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		return fmt.Errorf("it did not fail: %v; it said:\n%s", err, output)
	}
	lines := strings.Split(output, "\n")
	for i, line := range lines {
		fields, found := strings.CutPrefix(line, "failed   "+b.check+" ")
		if !found {
			continue
		}
		if i+1 < len(lines) {
			fields += lines[i+1] // what to do about it
		}
		if strings.Contains(fields, b.says) && strings.Contains(fields, "fix: ") {
			return nil
		}
	}
	return fmt.Errorf("no line says that %s failed because of %q:\n%s", b.check, b.says, output)
}
