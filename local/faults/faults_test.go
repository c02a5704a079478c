// Package faults stages, one by one, what can go wrong around the function, against the binary that would be deployed: a
// Lambda runtime beside it, a real identity provider behind TLS, Secrets Manager. Each fault is a row of a table, and the
// table that the run writes is docs/faults.md.
//
// For every row the function must answer within HealthLake's second, must not authorize unless the provider said so, must
// write no credential anywhere, and its process must serve the next good call.
package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/build"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

var update = flag.Bool("update", false, "write docs/faults.md from this run")

var bootstrap string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		// The rows that wait a minute do nothing else meanwhile, so all of them may wait at once.
		if err := flag.Set("test.parallel", "200"); err != nil {
			panic(err)
		}
		dir, err := os.MkdirTemp("", "faults")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if bootstrap, err = build.Function(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// What the function may answer; a denial and an error come with their reason.
const authorized = "authorized"

func denied(reason string) string { return "denied: `" + reason + "`" }
func failed(reason string) string { return "error: `" + reason + "`" }

// row is one fault.
type row struct {
	fault string
	want  []string // any of these answers
	// verified says that the function verifies tokens as JWTs, in place of introspection. The front then stands before the
	// provider's keys.
	verified bool
	// before brings about a fault that is there when the function starts. It may change the secret's document and the
	// function's environment.
	before func(s *scene, env map[string]string)
	// cold leaves out the good call that otherwise comes first.
	cold bool
	// age is how old the function is when strike comes; past a minute the secret must be read again.
	age time.Duration
	// strike brings about a fault in the midst of work; nil for none.
	strike func(*scene)
	// event is sent with a good token in it; nil for HealthLake's own.
	event func(token string) []byte
	// times is how often strike and the event follow each other; 0 for once.
	times int
	// stays says that the fault is in the deployment: the next call meets it, too.
	stays bool
	// lasting leaves the fault there for the next good call, too.
	lasting bool
	// lift undoes what before and strike did, beyond the faults of the provider and of Secrets Manager.
	lift func(*scene)
	// again is how long after that the next good call comes.
	again time.Duration
	// slow says that the row waits for most of its time, so that it may run beside others that do.
	slow bool
	// after checks what the row left behind.
	after func(*scene) error
}

type group struct {
	title string
	rows  []row
}

// scene is the function among its neighbours.
type scene struct {
	sandbox.Sandbox
	front *front
}

func open(ctx context.Context, r row) (*scene, error) {
	s := new(scene)
	err := func() (err error) {
		s.Document.APIKey = "srv_pat_not-to-be-seen"
		s.Document.HLRoleARN = sandbox.ServiceRole
		if s.IDP, err = idp.Start(idp.Config{Auth: idp.AuthBearer, APIKey: s.Document.APIKey}); err != nil {
			return err
		}
		s.IDP.SetKeys(signing()...)
		target := s.IDP.IntrospectURL()
		if r.verified {
			target = s.IDP.KeysURL()
		}
		if s.front, err = newFront(target); err != nil {
			return err
		}
		s.Document.AuthEndpoint = s.IDP.URL()
		s.Document.AuthEndpointToken = s.IDP.TokenURL()
		s.Document.AuthEndpointIntrospect = s.front.url()
		if r.verified {
			s.Document.AuthEndpointIntrospect = s.IDP.IntrospectURL() // which is not to be asked
		}
		if s.Secrets, err = secretsmanager.Start(); err != nil {
			return err
		}
		env := s.Secrets.Environment()
		env["SECRET_ID"] = sandbox.SecretName
		env["SSL_CERT_FILE"] = s.front.trusted
		if r.verified {
			env["TOKEN_VALIDATION"], env["AUTH_ISSUER"], env["AUTH_ENDPOINT_JWKS"] = "jwt", issuer, s.front.url()
			env["REQUIRED_AUDIENCE"] = "datastore"
		}
		if err := s.PutDocument(); err != nil {
			return err
		}
		good := s.Document
		env["INTROSPECTION_ORIGIN"] = contract.Origin(good.AuthEndpointIntrospect)
		if r.before != nil {
			r.before(s, env)
		}
		if s.Document != good {
			if err := s.PutDocument(); err != nil {
				return err
			}
			s.Document = good
		}
		s.Function, err = runtimeapi.Start(ctx, runtimeapi.Config{Bootstrap: bootstrap, Env: env})
		return err
	}()
	if err != nil {
		_ = s.close()
		return nil, err
	}
	return s, nil
}

func (s *scene) close() error {
	if s.front != nil {
		s.front.close()
	}
	return s.Stop()
}

// outcome is what came of a row.
type outcome struct {
	answer string
	took   time.Duration // the slowest call under the fault
	start  time.Duration // the function's start
	next   string
	after  time.Duration // the next good call
}

// late tells whether anything took longer than it may. HealthLake's second also bounds the start, which is long for one.
func (o outcome) late() bool { return max(o.took, o.start, o.after) >= sandbox.Budget }

func (r row) run(t *testing.T) (o outcome) {
	ctx := t.Context()
	s, err := open(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	defer func() {
		if t.Failed() {
			t.Logf("the function's log:\n%s", strings.Join(s.Function.Logs(), "\n"))
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	o.start = s.Function.InitDuration()
	token := signed(signing()[0], nil, nil)
	if !r.verified {
		if token, err = s.Token(ctx, sandbox.Valid); err != nil {
			t.Fatal(err)
		}
	}
	if !r.cold {
		if answer, _ := s.call(t, sandbox.Event(token)); answer != authorized {
			t.Fatalf("before the fault: %s", answer)
		}
	}
	sleep(ctx, r.age-time.Since(begin))
	event := sandbox.Event(token)
	if r.event != nil {
		event = r.event(token)
	}
	for i := range max(r.times, 1) {
		if r.strike != nil {
			r.strike(s)
		}
		answer, took := s.call(t, event)
		if i > 0 && answer != o.answer {
			t.Fatalf("call %d: %s, and the one before %s", i+1, answer, o.answer)
		}
		o.answer, o.took = answer, max(o.took, took)
	}
	if !r.lasting && !r.stays {
		s.front.strike(fault{})
		s.Secrets.SetFault(nil)
		if err := s.PutDocument(); err != nil {
			t.Fatal(err)
		}
	}
	if r.lift != nil {
		r.lift(s)
	}
	sleep(ctx, r.again)
	o.next, o.after = s.call(t, sandbox.Event(token))
	if r.after != nil {
		if err := r.after(s); err != nil {
			t.Error(err)
		}
	}
	if asked, _ := s.IDP.Introspections(); r.verified && asked > 0 {
		t.Errorf("%d introspections of tokens that are to be verified", asked)
	}
	log := strings.Join(s.Function.Logs(), "\n")
	for what, credential := range map[string]string{"token": token, "API key": s.Document.APIKey} {
		if strings.Contains(log, credential) {
			t.Errorf("the log contains the %s", what)
		}
	}
	return o
}

// call sends an event and says what the function answered and in how long.
func (s *scene) call(t *testing.T, event []byte) (string, time.Duration) {
	result, err := s.Function.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err) // there is no process any more
	}
	if result.FunctionError != nil {
		return failed(result.FunctionError.Type), result.Duration
	}
	var answer sandbox.Answer
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		t.Fatalf("answer %.200s: %v", result.Payload, err)
	}
	if answer.IAMRoleARN != sandbox.ServiceRole {
		t.Errorf("iamRoleARN is %q", answer.IAMRoleARN)
	}
	if answer.Authorized() {
		return authorized, result.Duration
	}
	if bytes.Contains(result.Payload, []byte(`"isAuthorized":true`)) || answer.AuthPayload["scope"] != "" {
		t.Errorf("a denial that could be read as more: %.500s", result.Payload)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	line, err := s.Function.AwaitLog(ctx, result.RequestID)
	if err != nil {
		t.Fatal(err)
	}
	var fields struct{ Reason string }
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("log line %s: %v", line, err)
	}
	return denied(fields.Reason), result.Duration
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func TestFaults(t *testing.T) {
	groups := []group{
		connectionFaults(), tlsFaults(), httpFaults(), bodyFaults(), timeFaults(), tailFaults(), frozenFaults(),
		secretFaultsAtStart(), secretFaultsAtRefresh(), eventFaults(), keyFaultsAtStart(), keyFaultsLater(), keySets(),
		rotations(), jwtFaults(),
	}
	var mu sync.Mutex
	outcomes := map[string]outcome{}
	t.Run("row", func(t *testing.T) {
		waiting := 0
		for _, g := range groups {
			for _, r := range g.rows {
				stagger := time.Duration(waiting) * 150 * time.Millisecond
				if r.slow {
					waiting++
				}
				t.Run(g.title+"/"+r.fault, func(t *testing.T) {
					if r.slow {
						if testing.Short() {
							t.Skip("waits a minute")
						}
						t.Parallel()
						sleep(t.Context(), stagger)
					}
					o := r.run(t)
					if o.late() {
						t.Logf("once more, because it took too long, which a busy machine may explain: %+v", o)
						o = r.run(t)
					}
					if o.late() {
						t.Errorf("took %s, the start %s, the next call %s; HealthLake waits %s", o.took, o.start, o.after,
							sandbox.Budget)
					}
					if !slices.Contains(r.want, o.answer) {
						t.Errorf("%s, want %s", o.answer, strings.Join(r.want, " or "))
					}
					if o.next != authorized && !(r.stays && slices.Contains(r.want, o.next)) {
						t.Errorf("the next good call: %s", o.next)
					}
					mu.Lock()
					defer mu.Unlock()
					if _, twice := outcomes[g.title+r.fault]; twice {
						t.Error("two rows of this name")
					}
					outcomes[g.title+r.fault] = o
				})
			}
		}
	})
	if !t.Failed() {
		checkReport(t, groups, outcomes)
	}
}
