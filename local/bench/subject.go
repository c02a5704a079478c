package main

import (
	"bytes"
	"cmp"
	"context"
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

// initialization is the variable by which Lambda tells a process whether an event waits for its start ("on-demand").
const initialization = "AWS_LAMBDA_INITIALIZATION_TYPE"

// subject is a function that is measured, what it needs, and what was measured.
type subject struct {
	name     string
	config   runtimeapi.Config
	events   [][]byte // sent in turn
	provider *provider
	secrets  *secretsmanager.Server // nil where the function needs none
	document string                 // the secret's value

	calls, bad   int // those that nothing prevents from being good
	start, first samples
	rounds       []samples // warm calls
	base         []samples // by round, what they are compared with; nil for none
	heap         heap      // by all warm calls together
	rss          float64   // MiB, the most
}

// warm are the calls of all rounds.
func (s *subject) warm() samples { return slices.Concat(s.rounds...) }

func (s *subject) objects() float64 { return s.heap.objects / float64(len(s.warm())) }

// ratio is how warm calls compare with the base.
func (s *subject) ratio() ratio { return compare(s.rounds, s.base) }

// ahead is the same function as Lambda starts it ahead of any event, with provisioned concurrency.
func (s *subject) ahead() *subject {
	other := *s
	other.config.Env = maps.Clone(s.config.Env)
	other.config.Env[initialization] = "provisioned-concurrency"
	other.start, other.first = nil, nil
	return &other
}

// introspecting is checkToken with a provider that it asks.
func (b *bench) introspecting(name string, how behaviour) *subject {
	return b.checkToken(name, how, idp.KeySet(), contract.Environment{})
}

// verifying is checkToken where tokens are JWTs that this key has signed, in these events.
func (b *bench) verifying(name string, key idp.Key, events [][]byte) *subject {
	s := b.checkToken(name, behaviour{}, idp.KeySet(key.JWK()), contract.Environment{
		TokenValidation: contract.TokenValidationJWT, AuthIssuer: sandbox.Issuer, RequiredAudience: []string{"datastore"},
	})
	s.events = events
	return s
}

// signed are n events with a token each that this key has signed.
func signed(key idp.Key, n int) [][]byte {
	events := make([][]byte, n)
	for i := range events {
		events[i] = sandbox.Event(key.Token(nil, claims().With(idp.Object{"jti": fmt.Sprint(i)})))
	}
	return events
}

// minimal is the function that checkToken is measured against.
func (b *bench) minimal(name string, how behaviour) *subject {
	s := b.subject(name, b.minimalPath, how, idp.KeySet())
	s.config.Env["ENDPOINT"], s.config.Env["API_KEY"] = s.provider.URL+"/introspect", apiKey
	s.config.Env["ROLE"] = sandbox.ServiceRole
	return s
}

// constant is the function that answers each of these events with what checkToken would answer.
func (b *bench) constant(events [][]byte) *subject {
	s := b.minimal("constant answer", behaviour{plain: true})
	s.events, s.config.Env["RESPONSE"] = events, idp.Object{
		"authPayload": claims().With(idp.Object{"isAuthorized": true}), "iamRoleARN": sandbox.ServiceRole,
	}.String()
	return s
}

func (b *bench) checkToken(name string, how behaviour, keys string, e contract.Environment) *subject {
	s := b.subject(name, b.functionPath, how, keys)
	s.document = idp.Object{
		"api_key": apiKey, "auth_endpoint_token": sandbox.Issuer + "token",
		"auth_endpoint_introspect": s.provider.URL + "/introspect", "hl_role_arn": sandbox.ServiceRole,
	}.String()
	s.secrets = secretsmanager.Start()
	s.secrets.Put(contract.DefaultSecretName, s.document)
	e.IntrospectionOrigin = s.provider.URL
	if e.TokenValidation == contract.TokenValidationJWT {
		e.AuthEndpointJwks = s.provider.URL + "/keys"
	}
	maps.Copy(s.config.Env, s.secrets.Environment())
	maps.Copy(s.config.Env, e.Variables())
	return s
}

func (b *bench) subject(name, bootstrap string, how behaviour, keys string) *subject {
	s := &subject{
		name:     name,
		config:   runtimeapi.Config{Bootstrap: bootstrap, Env: map[string]string{initialization: "on-demand"}},
		events:   [][]byte{sandbox.Event("ory_at_" + strings.Repeat("x", 87))},
		provider: startProvider(how, keys),
	}
	b.subjects = append(b.subjects, s)
	if !how.plain {
		// As on Lambda, the authorities are in one bundle; the provider's is one more.
		bundle, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
		own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.provider.Certificate().Raw})
		path := filepath.Join(b.dir, fmt.Sprintf("authorities-%d.pem", len(b.subjects)))
		b.err = cmp.Or(b.err, os.WriteFile(path, append(bundle, own...), 0o600))
		s.config.Env["SSL_CERT_FILE"], s.config.Env["SSL_CERT_DIR"] = path, filepath.Join(b.dir, "none")
	}
	return s
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
	called  int
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
	// requests is what the log line says that the call sent, where that is counted.
	requests int
}

func (i *instance) call(ctx context.Context) (outcome, error) {
	begin := time.Now()
	result, err := i.Invoke(ctx, i.subject.events[i.called%len(i.subject.events)])
	i.called++
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", i.subject.name, err)
	}
	o := outcome{id: result.RequestID, begin: begin, took: result.Duration}
	switch {
	case result.FunctionError != nil:
		o.fault = result.FunctionError.Type
	case !bytes.Contains(result.Payload, []byte(`"isAuthorized":true`)):
		o.fault = "denied"
	case o.took >= sandbox.TimeLimit:
		o.fault = "late"
	}
	return o, nil
}

// must is call where nothing but the machine's noise prevents a good response. It counts those that are not good; many of them
// are an error.
func (i *instance) must(ctx context.Context) (time.Duration, error) {
	o, err := i.call(ctx)
	s := i.subject
	s.calls++
	if o.fault != "" {
		s.bad++
	}
	if err == nil && s.bad > 5+s.calls/10 {
		log := i.Logs()
		err = fmt.Errorf("%s: %d of %d calls failed, the last with %s; its log ends: %s",
			s.name, s.bad, s.calls, o.fault, strings.Join(log[max(0, len(log)-3):], "\n"))
	}
	return o.took, err
}

// repeat is must, n times, with a pause before each.
func (i *instance) repeat(ctx context.Context, n int, pause func()) (samples, error) {
	all := make(samples, n)
	for k := range all {
		pause()
		var err error
		if all[k], err = i.must(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func noPause() {}

// warmly repeats calls to a new instance, notes its memory, and goes on to what is after, if anything.
func (s *subject) warmly(ctx context.Context, calls int, pause func(), after ...func(*instance) error) error {
	i, err := s.run(ctx)
	if err != nil {
		return err
	}
	defer i.Stop()
	if _, err := i.must(ctx); err != nil {
		return err
	}
	done, err := i.watch(ctx)
	if err != nil {
		return err
	}
	warm, err := i.repeat(ctx, calls, pause)
	if err != nil {
		return err
	}
	s.rounds = append(s.rounds, warm)
	err = done()
	for _, do := range after {
		err = cmp.Or(err, do(i))
	}
	return err
}

// heap is what a process has allocated and what its garbage collector has done.
type heap struct{ objects, bytes, collections, paused float64 } // paused: nanoseconds

// watch notes for the subject what the instance's memory is used for, until the function that it returns is called.
func (i *instance) watch(ctx context.Context) (done func() error, err error) {
	before, err := i.heapNow(ctx)
	return func() error {
		after, err := i.heapNow(ctx)
		h, s := &i.subject.heap, i.subject
		h.objects += after.objects - before.objects
		h.bytes += after.bytes - before.bytes
		h.collections += after.collections - before.collections
		h.paused += after.paused - before.paused
		text, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.Pid()))
		var most float64
		for line := range strings.Lines(string(text)) {
			_, _ = fmt.Sscanf(line, "VmHWM: %f kB", &most)
		}
		s.rss = max(s.rss, most/1024)
		return cmp.Or(err, readErr)
	}, err
}

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
