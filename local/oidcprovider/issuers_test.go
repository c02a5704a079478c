package oidcprovider

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/sandboxtest"
)

const audience = "https://fhir.clinic.example"

// beside has the function take this provider's JWTs beside the main provider's opaque tokens.
func (p *provider) beside(s *sandbox.Sandbox) {
	s.Environment.MoreIssuers = []contract.Issuer{{Issuer: p.issuer, JWKS: p.issuer + "/jwks", RequiredAudience: []string{audience}}}
}

// decidedBy fails the test unless the token has this outcome, by these rules.
func decidedBy(t *testing.T, s *sandbox.Sandbox, name, token, want, issuer string) {
	t.Helper()
	got, line := askFor(t, s, token)
	if got != want || line["issuer"] != issuer {
		t.Errorf("%s: %s by %v, want %s by %s", name, got, line["issuer"], want, issuer)
	}
}

// The main provider, which is ORY's library, is asked about each token; oidc-provider stands beside it with JWTs. While one of them
// is down, the tokens of the other work on.
func TestTwoProviders(t *testing.T) {
	p := startProvider(t)
	s := sandboxtest.Start(t, p.beside)
	theirs, ours := p.token(t, "jwt-backend", audience), must(s.Token(t.Context(), "valid"))
	const good, main = "authorized: active", contract.MainIssuer
	decidedBy(t, s, "the main provider's token", ours, good, main)
	decidedBy(t, s, "the other's token", theirs, good, p.issuer)
	decidedBy(t, s, "the other's token for another API", p.token(t, "jwt-backend", "https://other.example"),
		"denied: audience_not_accepted", p.issuer)
	decidedBy(t, s, "the other's opaque token", p.token(t, "opaque-backend", audience), "denied: inactive", main)
	decidedBy(t, s, "a made-up token", "made-up", "denied: inactive", main)
	parts := strings.Split(theirs, ".")
	decidedBy(t, s, "the other's token with another signature", parts[0]+"."+parts[1]+"."+strings.Repeat("A", len(parts[2])),
		"denied: bad_signature", p.issuer)

	p.stop()
	for range 3 {
		decidedBy(t, s, "the main provider's token, the other is down", ours, good, main)
		decidedBy(t, s, "the other's token, the other is down", theirs, good, p.issuer) // its keys are known
	}
	s.IDP.CloseClientConnections()
	s.IDP.Close()
	for range 3 {
		decidedBy(t, s, "the other's token, both are down", theirs, good, p.issuer)
		decidedBy(t, s, "the main provider's token, both are down", ours, "error: idp_unreachable", main)
	}
}

// A function that starts while the other provider is down serves the main one's tokens at once.
func TestStartWhileTheOtherIsDown(t *testing.T) {
	p := startProvider(t)
	theirs := p.token(t, "jwt-backend", audience)
	p.stop()
	s := sandboxtest.Start(t, p.beside)
	if s.Function.InitDuration() >= sandbox.TimeLimit {
		t.Errorf("the start took %s", s.Function.InitDuration())
	}
	decidedBy(t, s, "the main provider's token", must(s.Token(t.Context(), "valid")), "authorized: active", contract.MainIssuer)
	decidedBy(t, s, "the other's token", theirs, "error: keys_unavailable", p.issuer)
	decidedBy(t, s, "the main provider's next token", must(s.Token(t.Context(), "valid")), "authorized: active", contract.MainIssuer)
	if log := strings.Join(s.Function.Logs(), "\n"); !strings.Contains(log, "issuer "+p.issuer+": keys: ") {
		t.Error("the line about the start does not name the issuer")
	}
}
