package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

// subject is a way to start a function that is measured, and the neighbours that it has to itself.
type subject struct {
	name      string
	bootstrap string
	env       map[string]string
	event     []byte
	provider  *provider
	secrets   *secretsmanager.Server // nil where the function needs none
}

// real is checkToken, with a provider that shows these keys.
func real(name, bootstrap, dir string, slow slowness, jwks ...any) (s subject, err error) {
	s = subject{name: name, bootstrap: bootstrap, event: sandbox.Event("ory_at_" + strings.Repeat("x", 87))}
	if s.provider, err = startProvider(dir, slow, idp.KeySet(jwks...)); err != nil {
		return s, err
	}
	if s.secrets, err = secretsmanager.Start(); err != nil {
		return s, err
	}
	value, err := json.Marshal(contract.Document{
		APIKey: apiKey, AuthEndpointToken: "https://idp.example.com/token",
		AuthEndpointIntrospect: s.provider.url + "/introspect", HLRoleARN: sandbox.ServiceRole,
	})
	if err != nil {
		return s, err
	}
	s.secrets.Put(sandbox.SecretName, string(value))
	s.env = s.secrets.Environment()
	s.env["SECRET_ID"] = sandbox.SecretName
	s.env["INTROSPECTION_ORIGIN"] = s.provider.url
	s.env["SSL_CERT_FILE"] = s.provider.trusted
	return s, nil
}

// verifying is checkToken where tokens are JWTs, with one that this key has signed.
func verifying(name, bootstrap, dir string, key idp.Key) (subject, error) {
	s, err := real(name, bootstrap, dir, slowness{}, key.JWK())
	if err != nil {
		return s, err
	}
	s.env["TOKEN_VALIDATION"] = "jwt"
	s.env["AUTH_ISSUER"] = issuer
	s.env["AUTH_ENDPOINT_JWKS"] = s.provider.url + "/keys"
	s.env["REQUIRED_AUDIENCE"] = "datastore"
	header, err := json.Marshal(key.Header())
	if err != nil {
		return s, err
	}
	payload, err := json.Marshal(claims())
	if err != nil {
		return s, err
	}
	token, err := key.Sign(header, payload)
	s.event = sandbox.Event(token)
	return s, err
}

// minimal is the yardstick.
func minimal(bootstrap, dir string, slow slowness) (s subject, err error) {
	s = subject{name: "minimal", bootstrap: bootstrap, event: sandbox.Event("ory_at_" + strings.Repeat("x", 87))}
	if s.provider, err = startProvider(dir, slow, idp.KeySet()); err != nil {
		return s, err
	}
	s.env = map[string]string{
		"ENDPOINT": s.provider.url + "/introspect", "API_KEY": apiKey, "ROLE": sandbox.ServiceRole,
		"SSL_CERT_FILE": s.provider.trusted,
	}
	return s, nil
}

// close ends the neighbours, as far as they were started.
func (s subject) close() {
	if s.provider != nil {
		_ = s.provider.server.Close()
	}
	if s.secrets != nil {
		_ = s.secrets.Stop()
	}
}

func (s subject) secretReads() int {
	if s.secrets == nil {
		return 0
	}
	return s.secrets.Requests()
}

func (s subject) start(ctx context.Context) (*runtimeapi.Function, error) {
	f, err := runtimeapi.Start(ctx, runtimeapi.Config{Bootstrap: s.bootstrap, Env: s.env})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return f, nil
}

// call sends one event and returns how long the answer took, and whether it authorizes.
func call(ctx context.Context, f *runtimeapi.Function, event []byte) (time.Duration, bool, error) {
	result, err := f.Invoke(ctx, event)
	if err != nil {
		return 0, false, err
	}
	if result.FunctionError != nil {
		return result.Duration, false, nil
	}
	var answer sandbox.Answer
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		return 0, false, fmt.Errorf("the answer is not JSON: %w", err)
	}
	return result.Duration, answer.Authorized(), nil
}

// must is call where nothing stands against a good answer.
func must(ctx context.Context, f *runtimeapi.Function, event []byte) (time.Duration, error) {
	took, ok, err := call(ctx, f, event)
	if err == nil && !ok {
		err = fmt.Errorf("a call failed; the function's log ends: %s", strings.Join(tail(f.Logs(), 3), "\n"))
	}
	return took, err
}

func tail(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// memory returns how much memory a process holds now and has held at most, in MiB.
func memory(pid int) (now, most float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kB float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kB); err == nil {
			now = kB / 1024
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kB); err == nil {
			most = kB / 1024
		}
	}
	return now, most, nil
}

// allocated asks a function that was built with memstats for the objects and bytes it has allocated so far. n counts the
// questions, from 1.
func allocated(ctx context.Context, f *runtimeapi.Function, n int) (objects, bytes float64, err error) {
	if err := syscall.Kill(f.Pid(), syscall.SIGUSR1); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	line, err := f.AwaitLog(ctx, fmt.Sprintf("memstats-%d ", n))
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscanf(line, fmt.Sprintf("memstats-%d %%f %%f", n), &objects, &bytes)
	return objects, bytes, err
}
