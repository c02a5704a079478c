package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

// subject is a function that is measured, and what it needs.
type subject struct {
	name     string
	config   runtimeapi.Config
	event    []byte
	provider *provider
	secrets  *secretsmanager.Server // nil where the function needs none
	document string                 // the secret's value

	calls, bad   int // of those that must be good
	start, first samples
	rounds       []samples // warm calls
	heap         heap      // by all warm calls together
	rss          float64   // MiB, the most
}

// warm are the calls of all rounds.
func (s *subject) warm() samples { return slices.Concat(s.rounds...) }

// introspecting is checkToken as it asks such a provider, by the default settings or those given.
func (b *bench) introspecting(name string, how behaviour, e contract.Environment) (*subject, error) {
	return b.checkToken(name, how, e, idp.KeySet())
}

// verifying is checkToken where tokens are JWTs, with one that this key has signed.
func (b *bench) verifying(name string, key idp.Key) (*subject, error) {
	s, err := b.checkToken(name, behaviour{}, contract.Environment{
		TokenValidation: contract.TokenValidationJWT, AuthIssuer: issuer, RequiredAudience: []string{"datastore"},
	}, idp.KeySet(key.JWK()))
	if err == nil {
		s.event = sandbox.Event(key.Token(nil, claims()))
	}
	return s, err
}

// minimal is the function that checkToken is measured against.
func (b *bench) minimal(name string, how behaviour) (*subject, error) {
	s, err := b.subject(name, b.minimalPath, how, idp.KeySet())
	if err == nil {
		maps.Copy(s.config.Env, map[string]string{
			"ENDPOINT": s.provider.URL + "/introspect", "API_KEY": apiKey, "ROLE": sandbox.ServiceRole,
		})
	}
	return s, err
}

// constant is the function that answers what checkToken would.
func (b *bench) constant(event []byte) (*subject, error) {
	s, err := b.minimal("constant answer", behaviour{plain: true})
	if err != nil {
		return nil, err
	}
	payload := claims()
	payload["isAuthorized"] = true
	response, err := json.Marshal(map[string]any{"authPayload": payload, "iamRoleARN": sandbox.ServiceRole})
	s.event, s.config.Env["RESPONSE"] = event, string(response)
	return s, err
}

func (b *bench) checkToken(name string, how behaviour, e contract.Environment, keys string) (*subject, error) {
	s, err := b.subject(name, b.functionPath, how, keys)
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(contract.Document{
		APIKey: apiKey, AuthEndpointToken: issuer + "token", AuthEndpointIntrospect: s.provider.URL + "/introspect",
		HLRoleARN: sandbox.ServiceRole,
	})
	s.secrets, s.document = secretsmanager.Start(), string(value)
	s.secrets.Put(contract.DefaultSecretName, s.document)
	maps.Copy(s.config.Env, s.secrets.Environment())
	e.IntrospectionOrigin = s.provider.URL
	if e.TokenValidation == contract.TokenValidationJWT {
		e.AuthEndpointJwks = s.provider.URL + "/keys"
	}
	maps.Copy(s.config.Env, e.Variables())
	return s, err
}

func (b *bench) subject(name, bootstrap string, how behaviour, keys string) (*subject, error) {
	p, err := startProvider(how, keys)
	if err != nil {
		return nil, err
	}
	s := &subject{
		name:     name,
		config:   runtimeapi.Config{Bootstrap: bootstrap, Env: map[string]string{}},
		event:    sandbox.Event("ory_at_" + strings.Repeat("x", 87)),
		provider: p,
	}
	b.subjects = append(b.subjects, s)
	if how.plain {
		return s, nil
	}
	trusted := filepath.Join(b.dir, fmt.Sprintf("provider-%d.pem", len(b.subjects)))
	s.config.Env["SSL_CERT_FILE"] = trusted
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
	return s, os.WriteFile(trusted, certificate, 0o600)
}

// slowSecrets makes Secrets Manager take this long.
func (s *subject) slowSecrets(d time.Duration) {
	respond := secretsmanager.Value(s.document)
	s.secrets.SetFault(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(d)
		respond(w, r)
	})
}

func (s *subject) close() {
	s.provider.Close()
	if s.secrets != nil {
		s.secrets.Close()
	}
}

// instance is a running one of a subject.
type instance struct {
	*runtimeapi.Function
	subject *subject
	asked   int // for its heap
}

func (s *subject) run(ctx context.Context) (*instance, error) {
	f, err := runtimeapi.Start(ctx, s.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return &instance{Function: f, subject: s}, nil
}

// outcome is what came of a call.
type outcome struct {
	id    string
	begin time.Time
	took  time.Duration
	fault string // "" is a response that authorizes within HealthLake's second
}

func (i *instance) call(ctx context.Context) (outcome, error) {
	begin := time.Now()
	result, err := i.Invoke(ctx, i.subject.event)
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", i.subject.name, err)
	}
	o := outcome{id: result.RequestID, begin: begin, took: result.Duration}
	if result.FunctionError != nil {
		o.fault = result.FunctionError.Type
		return o, nil
	}
	switch {
	case !bytes.Contains(result.Payload, []byte(`"isAuthorized":true`)):
		o.fault = "denied"
	case o.took >= sandbox.TimeLimit:
		o.fault = "late"
	}
	return o, nil
}

// must is call where nothing but the machine's noise prevents a good response. It counts the calls that are not good; many of
// them are an error.
func (i *instance) must(ctx context.Context) (time.Duration, error) {
	o, err := i.call(ctx)
	i.subject.calls++
	if o.fault != "" {
		i.subject.bad++
	}
	if err == nil && i.subject.bad > 5+i.subject.calls/10 {
		log := i.Logs()
		err = fmt.Errorf("%s: %d of %d calls failed, the last with %s; its log ends: %s",
			i.subject.name, i.subject.bad, i.subject.calls, o.fault, strings.Join(log[max(0, len(log)-3):], "\n"))
	}
	return o.took, err
}

// mostMemory is the most that the process has held, in MiB.
func (i *instance) mostMemory() (most float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.Pid()))
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %f kB", &most)
	}
	return most / 1024, err
}

// heap is what a process has allocated and what its garbage collector has done.
type heap struct{ objects, bytes, collections, paused float64 } // paused: nanoseconds

func (h heap) minus(o heap) heap {
	return heap{h.objects - o.objects, h.bytes - o.bytes, h.collections - o.collections, h.paused - o.paused}
}

func (h heap) plus(o heap) heap { return h.minus(heap{}.minus(o)) }

// heapNow asks the process.
func (i *instance) heapNow(ctx context.Context) (h heap, err error) {
	if err := syscall.Kill(i.Pid(), syscall.SIGUSR1); err != nil {
		return heap{}, err
	}
	i.asked++
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	prefix := fmt.Sprintf("memstats-%d ", i.asked)
	line, err := i.AwaitLog(ctx, prefix)
	if err != nil {
		return heap{}, err
	}
	_, err = fmt.Sscanf(line, prefix+"%f %f %f %f", &h.objects, &h.bytes, &h.collections, &h.paused)
	return h, err
}
