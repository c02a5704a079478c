// Package faults brings about, one by one, what can go wrong around the function, against the binary that would be deployed:
// with a Lambda runtime, an identity provider behind TLS and Secrets Manager. Each fault is a row of a table, which is
// published as docs/evidence/faults.md.
//
// For every row the function must respond within HealthLake's second, must not authorize unless the provider said so, must
// write no credential into its log, and the same process must serve the next good call.
package faults

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/functionbinary"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/sandboxtest"
)

var update = flag.Bool("update", false, "write docs/evidence/faults.md")

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "1000") // most of the rows do nothing but wait
	os.Exit(m.Run())
}

// What the function may respond. A denial and an error come with their reason.
const authorized = "authorized"

func denied(reason string) string { return "denied: `" + reason + "`" }
func failed(reason string) string { return "error: `" + reason + "`" }

// row is one fault.
type row struct {
	fault string
	want  string // the response; " or " separates several that are as good
	// stage brings the fault about; nil where the event is the fault.
	stage func(*scene)
	// event is sent with a good token in it; nil for HealthLake's own.
	event func(token string) []byte
	// verified says that the function verifies tokens as JWTs, instead of introspection.
	verified bool
	// settings are other ones than a default deployment's; nil for none.
	settings func(*scene)
	// cold says that the fault is there when the function starts. Otherwise a good call comes before it.
	cold bool
	// brief says that the fault ends when the function has started.
	brief bool
	// age is how old the function is when the fault comes. At 45 seconds at the latest it reads the
	// secret again in the background.
	age time.Duration
	// times is how often stage and event follow each other; 0 for once.
	times int
	// lasting says that the fault is still there for the next good call.
	lasting bool
	// deployed says that the fault is in the deployment, so that the next call gets the same response.
	deployed bool
	// lift undoes what stage did, beyond the faults of the provider and of Secrets Manager.
	lift func(*scene)
	// again is how long after that the next good call comes.
	again time.Duration
	// slow says that the row waits for most of its time in another way.
	slow bool
	// after checks what the row left behind.
	after func(*scene)
}

func (r row) waits() bool {
	return r.slow || r.age > 0 || r.again > 0 || strings.Contains(r.want, timeout)
}

// working is held by the one row that needs the processor. Rows that wait for most of their time begin first and hold it until
// they wait, so that all wait at once and do not all wake up at once.
var working sync.Mutex

type group struct {
	title string
	rows  []row
}

// scene is the function and what it needs.
type scene struct {
	*sandbox.Sandbox
	t     *testing.T
	front *front // before the provider's introspection endpoint and its keys
}

func open(t *testing.T, r row) *scene {
	s := &scene{t: t}
	restore := func() {}
	sandboxtest.Start(t, func(box *sandbox.Sandbox) {
		s.Sandbox, s.front = box, newFront(t, box.IDP.URL)
		s.IDP.SetKeys(sandbox.Keys()...)
		s.Variables["SSL_CERT_FILE"] = s.front.trusted
		if r.verified {
			s.Verify(s.front.url + idp.KeysPath)
		} else {
			s.Document.AuthEndpointIntrospect = s.front.url + idp.IntrospectPath
		}
		if r.settings != nil {
			r.settings(s)
		}
		s.Environment.IntrospectionOrigin = contract.Origin(s.Document.AuthEndpointIntrospect)
		good := s.Document
		restore = func() { s.Document = good }
		if r.cold && r.stage != nil {
			r.stage(s)
		}
	})
	restore()
	return s
}

// outcome is what came of a row.
type outcome struct {
	response, next string
	slowest        time.Duration // of the start and the calls
}

// run calls waits before a row that waits begins to do so.
func (r row) run(t *testing.T, waits func()) (o outcome) {
	s := open(t, r)
	begin := time.Now()
	o.slowest = s.Function.InitDuration()
	call := func(event []byte) string {
		response, took := s.call(event)
		o.slowest = max(o.slowest, took)
		return response
	}
	token := sandbox.Signed(sandbox.Keys()[0], nil, nil)
	if !r.verified {
		token = must(s.Token(t.Context(), "valid"))
	}
	good := sandbox.Event(token)
	if !r.cold {
		if response := call(good); response != authorized {
			t.Fatalf("before the fault: %s", response)
		}
	}
	if r.waits() {
		waits()
	}
	time.Sleep(r.age - time.Since(begin))
	if r.brief {
		s.front.strike(fault{})
	}
	for i := range max(r.times, 1) {
		if r.stage != nil && !r.cold {
			r.stage(s)
		}
		event := good
		if r.event != nil {
			event = r.event(token)
		}
		response := call(event)
		if i > 0 && response != o.response {
			t.Fatalf("call %d: %s, and the one before %s", i+1, response, o.response)
		}
		o.response = response
	}
	if !r.lasting && !r.deployed {
		s.front.strike(fault{})
		s.Secrets.SetFault(nil)
		s.PutDocument()
	}
	if r.lift != nil {
		r.lift(s)
	}
	time.Sleep(r.again)
	o.next = call(good)
	if r.after != nil {
		r.after(s)
	}
	if asked, _ := s.IDP.Introspections(); r.verified && asked > 0 {
		t.Errorf("%d introspections of tokens that must be verified", asked)
	}
	log := strings.Join(s.Function.Logs(), "\n")
	if strings.Contains(log, token) || strings.Contains(log, s.Document.APIKey) {
		t.Error("the log contains the token or the API key")
	}
	return o
}

// call sends an event, and says what the function responded and after how long.
func (s *scene) call(event []byte) (string, time.Duration) {
	result, err := s.Function.Invoke(s.t.Context(), event)
	if err != nil {
		s.t.Fatal(err) // there is no process any more
	}
	if result.FunctionError != nil {
		return failed(result.FunctionError.Type), result.Duration
	}
	response, err := sandbox.Parse(result)
	if err != nil {
		s.t.Fatalf("response %.200s: %v", result.Payload, err)
	}
	if response.Authorized() {
		return authorized, result.Duration
	}
	if bytes.Contains(result.Payload, []byte(`"isAuthorized":true`)) || response.AuthPayload["scope"] != "" {
		s.t.Errorf("a denial that could be read as more: %.500s", result.Payload)
	}
	line := must(s.LogLine(s.t.Context(), result.RequestID))
	return denied(fmt.Sprint(line["reason"])), result.Duration
}

func TestFaults(t *testing.T) {
	groups := []group{
		connectionFaults(), tlsFaults(), httpFaults(), bodyFaults(), timeFaults(), tailFaults(), frozenFaults(),
		secretFaultsAtStart(), secretFaultsLater(), eventFaults(), keyFaultsAtStart(), keyFaultsLater(), keySets(),
		rotations(), tokenFaults(), issuerFaults(),
	}
	var waiting sync.WaitGroup
	names := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.rows {
			name := g.title + "/" + r.fault
			if names[name] {
				t.Errorf("two rows are called %s", name)
			}
			names[name] = true
			t.Run(name, func(t *testing.T) {
				if r.waits() && testing.Short() {
					t.Skip("waits for up to a minute")
				}
				if r.waits() {
					waiting.Add(1)
				}
				t.Parallel()
				if !r.waits() {
					waiting.Wait()
				}
				working.Lock()
				release := sync.OnceFunc(working.Unlock)
				defer release()
				if r.waits() {
					waiting.Done()
				}
				o := r.run(t, release)
				if o.slowest >= sandbox.TimeLimit {
					t.Logf("once more, because it took too long, which a busy machine may explain: %+v", o)
					o = r.run(t, release)
				}
				if o.slowest >= sandbox.TimeLimit {
					t.Errorf("the start or a call took %s; HealthLake waits %s", o.slowest, sandbox.TimeLimit)
				}
				if !slices.Contains(strings.Split(r.want, " or "), o.response) {
					t.Errorf("%s, want %s", o.response, r.want)
				}
				if o.next != authorized && !(r.deployed && o.next == o.response) {
					t.Errorf("the next good call: %s", o.next)
				}
			})
		}
	}
	publish(t, groups)
}

const reportHead = `# What goes wrong, and what the function responds

<!-- Generated by make faults from local/faults, whose tests bring about each row. Do not edit. -->

Each fault is brought about against the built function, with a Lambda runtime, an identity provider behind TLS and Secrets
Manager. In every row the function starts within the 1,000 ms that HealthLake waits, and so does every response come. Errors
that can be seen come at once; a provider that does not respond is given up within 900 ms. Then the same process must
authorize the next good call, unless the fault is in the deployment. "Error" is a Lambda error, which makes HealthLake refuse
the request. Under titles that begin with JWT the function verifies tokens with the provider's keys, under the others it uses
introspection.

`

// publish compares the table with the one in docs, or writes it.
func publish(t *testing.T, groups []group) {
	all, tables := 0, ""
	for _, g := range groups {
		all += len(g.rows)
		tables += "\n## " + g.title + "\n\n| fault | response | the next good call |\n| --- | --- | --- |\n"
		for _, r := range g.rows {
			next := authorized
			if r.lasting {
				next += ", the fault still there"
			}
			if r.deployed {
				next = "the same, until the next deploy"
			}
			if r.again > 0 {
				next += fmt.Sprintf(", %.0f s later", r.again.Seconds())
			}
			tables += fmt.Sprintf("| %s | %s | %s |\n", r.fault, r.want, next)
		}
	}
	report := fmt.Sprintf("%s%d faults.\n%s", reportHead, all, tables)
	path := filepath.Join(must(functionbinary.Root()), "docs", "evidence", "faults.md")
	if *update {
		if err := os.WriteFile(path, []byte(report), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if committed := must(os.ReadFile(path)); string(committed) != report {
		t.Errorf("%s is not this table; make faults writes it", path)
	}
}
