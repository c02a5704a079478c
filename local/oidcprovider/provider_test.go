// Package oidcprovider tests the built function against a provider that somebody else wrote: the npm package oidc-provider, which
// runs beside it.
package oidcprovider

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
)

const (
	scope         = "system/*.rs"
	backendSecret = "backend-secret"
)

// must is for what fails only where the test itself is wrong, or the machine.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// provider is a running oidc-provider.
type provider struct {
	issuer  string
	command *exec.Cmd
	errors  *os.File // what it writes to standard error
}

// log is what the provider has said about refused requests.
func (p *provider) log() string { return string(must(os.ReadFile(p.errors.Name()))) }

// startProvider starts oidc-provider on a free loopback port, with these clients and two backend services, whose access tokens
// are opaque and JWTs. It ends with the test.
func startProvider(t *testing.T, clients ...map[string]any) *provider {
	t.Helper()
	if _, err := os.Stat("node_modules/oidc-provider"); err != nil {
		t.Skip("oidc-provider is not installed: npm ci --prefix local/oidcprovider")
	}
	for _, id := range []string{"opaque-backend", "jwt-backend"} {
		clients = append(clients, map[string]any{
			"client_id": id, "client_secret": backendSecret, "scope": scope,
			"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{"client_credentials"},
		})
	}
	command := exec.Command("node", "server.js")
	command.Env = append(os.Environ(), "OIDC_CLIENTS="+string(must(json.Marshal(clients))), "OIDC_SCOPES="+scope,
		"OIDC_CLAIMS={}", "OIDC_USER=user")
	errors := must(os.Create(filepath.Join(t.TempDir(), "oidc-provider.log")))
	command.Stderr = errors
	input, output := must(command.StdinPipe()), must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &provider{command: command, errors: errors}
	t.Cleanup(func() {
		_ = input.Close() // upon which it ends
		_ = command.Wait()
		_ = errors.Close()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("oidc-provider did not start: %v", err)
	}
	p.issuer = strings.TrimSpace(line)
	return p
}

// stop ends the provider before the test does.
func (p *provider) stop() {
	_ = p.command.Process.Kill()
	_, _ = p.command.Process.Wait()
}

func (p *provider) introspection() string { return p.issuer + "/token/introspection" }

// token gets an access token by the client credentials grant. resource is who a JWT is for; "" for an opaque token.
func (p *provider) token(t *testing.T, client, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
	if resource != "" {
		form.Set("resource", resource)
	}
	request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, p.issuer+"/token", strings.NewReader(form.Encode())))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client, backendSecret)
	response := must(http.DefaultClient.Do(request))
	defer response.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	text := must(io.ReadAll(response.Body))
	if err := json.Unmarshal(text, &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("no token: %s %s", response.Status, text)
	}
	return answer.AccessToken
}

// ask sends the token to the function and returns the outcome and the reason of its log line. It takes less than HealthLake
// waits.
func ask(t *testing.T, s *sandbox.Sandbox, token string) string {
	t.Helper()
	outcome, _ := askFor(t, s, token)
	return outcome
}

// askFor returns the whole log line too.
func askFor(t *testing.T, s *sandbox.Sandbox, token string) (string, map[string]any) {
	t.Helper()
	var result runtimeapi.Result
	for range 2 { // a busy machine may explain one late response
		if result = must(s.Function.Invoke(t.Context(), sandbox.Event(token))); result.Duration < sandbox.TimeLimit {
			break
		}
	}
	if result.Duration >= sandbox.TimeLimit {
		t.Errorf("the response took %s", result.Duration)
	}
	line := must(s.LogLine(t.Context(), result.RequestID))
	if result.FunctionError == nil {
		response, err := sandbox.Parse(result)
		if err != nil {
			t.Fatal(err)
		}
		if response.Authorized() != (line["outcome"] == "authorized") {
			t.Errorf("the response is %v, the log says %v", response.AuthPayload["isAuthorized"], line["outcome"])
		}
	}
	return fmt.Sprint(line["outcome"], ": ", line["reason"]), line
}

// wait waits for a while, or until the test ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
