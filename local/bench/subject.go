package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

const (
	apiKey = "srv_pat_benchmark"
	issuer = "https://idp.example.com/"
)

// slowness is how long a provider's responses wait.
type slowness struct {
	always time.Duration
	stall  time.Duration // of the share of requests that stall, each independent of the others
	share  float64
}

// subject is a function that is measured, what it needs, and what was measured.
type subject struct {
	name      string
	bootstrap string
	env       map[string]string
	event     []byte
	provider  *httptest.Server
	requests  atomic.Int64           // to the provider
	secrets   *secretsmanager.Server // nil where the function needs none

	start, first, warm samples
	rss, rssMost       float64 // MiB
	objects, bytes     float64 // allocated, a warm call
	before, asked      int     // requests to the provider, before the warm calls and during them
	secretReads        int     // during the warm calls
	good               int     // of the warm calls: authorized, and within HealthLake's second
	both               int     // of those that are not good: both requests went out
}

// minimal is the function that checkToken is measured against.
func (b *bench) minimal(slow slowness) (*subject, error) {
	s, err := b.subject("minimal function", b.minimalPath, slow, idp.KeySet())
	if err != nil {
		return nil, err
	}
	maps.Copy(s.env, map[string]string{"ENDPOINT": s.provider.URL + "/introspect", "API_KEY": apiKey, "ROLE": sandbox.ServiceRole})
	return s, nil
}

// checkToken is the function with this environment, whose provider shows these keys.
func (b *bench) checkToken(name string, slow slowness, e contract.Environment, jwks ...any) (*subject, error) {
	s, err := b.subject(name, b.functionPath, slow, idp.KeySet(jwks...))
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(contract.Document{
		APIKey: apiKey, AuthEndpointToken: issuer + "token", AuthEndpointIntrospect: s.provider.URL + "/introspect",
		HLRoleARN: sandbox.ServiceRole,
	})
	s.secrets = secretsmanager.Start()
	s.secrets.Put(contract.DefaultSecretName, string(value))
	maps.Copy(s.env, s.secrets.Environment())
	e.IntrospectionOrigin = s.provider.URL
	if len(jwks) > 0 {
		e.AuthEndpointJwks = s.provider.URL + "/keys"
	}
	maps.Copy(s.env, e.Variables())
	return s, err
}

// verifying is checkToken where tokens are JWTs, with one that this key has signed.
func (b *bench) verifying(name string, key idp.Key) (*subject, error) {
	e := contract.Environment{
		TokenValidation: contract.TokenValidationJWT, AuthIssuer: issuer, RequiredAudience: []string{"datastore"},
	}
	s, err := b.checkToken(name, slowness{}, e, key.JWK())
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(key.Header())
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(claims())
	s.event = sandbox.Event(key.Sign(header, payload))
	return s, err
}

// claims are those of every token, whether the provider sends them or the token has them.
func claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"scope": sandbox.Scope, "client_id": "app", "sub": sandbox.User, "exp": now + 86400, "iat": now, "nbf": now,
		"aud": []string{sandbox.DatastoreEndpoint}, "iss": issuer,
		"ext": map[string]any{"fhirUser": sandbox.FHIRUser, "patient": sandbox.Patient},
	}
}

// subject starts a provider that finds every token good, as fast as a server can unless it is told to be slow.
func (b *bench) subject(name, bootstrap string, slow slowness, keys string) (*subject, error) {
	s := &subject{name: name, bootstrap: bootstrap, event: sandbox.Event("ory_at_" + strings.Repeat("x", 87))}
	b.subjects = append(b.subjects, s)
	response := claims()
	response["active"], response["token_type"], response["token_use"] = true, "Bearer", "access_token"
	body, err := json.Marshal(response)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, keys) })
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("token") == "" || r.Header.Get("Authorization") != "Bearer "+apiKey {
			http.Error(w, "refused", http.StatusUnauthorized)
			return
		}
		wait := slow.always
		if slow.share > 0 && rand.Float64() < slow.share {
			wait += slow.stall
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	s.provider = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		mux.ServeHTTP(w, r)
	}))
	s.provider.Config.ErrorLog = log.New(io.Discard, "", 0) // requests that lost are cut off in the middle
	s.provider.StartTLS()
	trusted := filepath.Join(b.dir, fmt.Sprintf("provider-%d.pem", len(b.subjects)))
	s.env = map[string]string{"SSL_CERT_FILE": trusted}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.provider.Certificate().Raw})
	return s, os.WriteFile(trusted, certificate, 0o600)
}

func (s *subject) close() {
	if s.provider != nil {
		s.provider.Close()
	}
	if s.secrets != nil {
		s.secrets.Close()
	}
}

func (s *subject) reads() int {
	if s.secrets == nil {
		return 0
	}
	return s.secrets.Requests()
}

func (s *subject) run(ctx context.Context) (*runtimeapi.Function, error) {
	f, err := runtimeapi.Start(ctx, runtimeapi.Config{Bootstrap: s.bootstrap, Env: s.env})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return f, nil
}

// call sends the event and returns how long the response took, and whether it authorizes.
func (s *subject) call(ctx context.Context, f *runtimeapi.Function) (time.Duration, bool, error) {
	result, err := f.Invoke(ctx, s.event)
	if err != nil || result.FunctionError != nil {
		return result.Duration, false, err
	}
	response, err := sandbox.Parse(result)
	return result.Duration, response.Authorized(), err
}

// must is call where nothing prevents a good response.
func (s *subject) must(ctx context.Context, f *runtimeapi.Function) (time.Duration, error) {
	took, ok, err := s.call(ctx, f)
	if err == nil && !ok {
		log := f.Logs()
		err = fmt.Errorf("%s: a call failed; its log ends: %s", s.name, strings.Join(log[max(0, len(log)-3):], "\n"))
	}
	return took, err
}

// memory returns how much memory a process holds now and has held at most, in MiB.
func memory(pid int) (now, most float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %f kB", &now)
		_, _ = fmt.Sscanf(line, "VmHWM: %f kB", &most)
	}
	return now / 1024, most / 1024, err
}

// allocated asks a function for the objects and bytes that it has allocated so far. n counts the questions, from 1.
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
