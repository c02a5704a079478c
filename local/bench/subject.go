package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/secret"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

// subject is a way to start a function that is measured.
type subject struct {
	name      string
	bootstrap string
	env       map[string]string
}

// real is checkToken, with the secret in secrets.
func real(name, bootstrap string, p *provider, secrets *secretsmanager.Server, cacheSeconds string) (subject, error) {
	value, err := json.Marshal(secret.Document{
		APIKey: apiKey, AuthEndpointToken: "https://idp.example.com/token", AuthEndpointIntrospect: p.url,
		HLRoleARN: sandbox.ServiceRole,
	})
	if err != nil {
		return subject{}, err
	}
	secretName := sandbox.SecretName + p.url[strings.LastIndex(p.url, ":"):]
	secrets.Put(secretName, string(value))
	env := secrets.Environment()
	env["SECRET_ID"] = secretName
	env["SSL_CERT_FILE"] = p.trusted
	env["INTROSPECTION_CACHE_SECONDS"] = cacheSeconds
	return subject{name, bootstrap, env}, nil
}

func minimal(bootstrap string, p *provider) subject {
	return subject{"minimal", bootstrap, map[string]string{
		"ENDPOINT": p.url, "API_KEY": apiKey, "ROLE": sandbox.ServiceRole, "SSL_CERT_FILE": p.trusted,
	}}
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
