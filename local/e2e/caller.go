package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/local/runtimeapi"
)

// budget is how long HealthLake waits for the function.
const budget = time.Second

// caller sends a deployed function the events that HealthLake would send, and looks at its answers as HealthLake does.
type caller struct {
	function *runtimeapi.Function
	d        *deployment
	role     string         // ARN that every answer must carry
	verifies bool           // tokens are verified by the provider's keys, nobody is asked
	alone    sync.Locker    // held during a call, for a provider that cannot do two things at once
	event    map[string]any // the deployment's own test event, with HealthLake's other fields

	mu     sync.Mutex
	calls  int
	tokens []string
}

type answer struct {
	AuthPayload map[string]any `json:"authPayload"`
	IAMRoleARN  string         `json:"iamRoleARN"`
}

// newCaller takes the event from the stack's output TestEvent.
func newCaller(f *runtimeapi.Function, t *target, role string) (*caller, error) {
	d := t.d
	c := &caller{function: f, d: d, role: role, alone: t.alone}
	c.verifies = t.context["tokenValidation"] == "jwt"
	if err := json.Unmarshal([]byte(d.outputs[t.stack("Datastore")]["TestEvent"]), &c.event); err != nil {
		return nil, fmt.Errorf("output TestEvent: %w", err)
	}
	if c.event["bearerToken"] != "<token>" || c.event["datastoreEndpoint"] != d.datastore.DatastoreEndpoint {
		return nil, fmt.Errorf("output TestEvent: %v", c.event)
	}
	maps.Copy(c.event, map[string]any{
		"operationName":        "SearchWithGet",
		"datastoreId":          d.datastore.DatastoreId,
		"datastoreTypeVersion": "R4",
		"datastoreName":        d.datastore.DatastoreName,
	})
	return c, nil
}

func (c *caller) call(ctx context.Context, token string) (runtimeapi.Result, error) {
	c.mu.Lock()
	c.calls++
	c.tokens = append(c.tokens, token)
	event := maps.Clone(c.event)
	c.mu.Unlock()
	event["bearerToken"] = token
	payload, err := json.Marshal(event)
	if err != nil {
		return runtimeapi.Result{}, err
	}
	c.alone.Lock()
	result, err := c.function.Invoke(ctx, payload)
	c.alone.Unlock()
	if err != nil {
		return result, err
	}
	if result.Duration > budget {
		return result, fmt.Errorf("the answer took %s, HealthLake waits for %s", result.Duration, budget)
	}
	return result, nil
}

// ask calls the function and checks what every answer must be.
func (c *caller) ask(ctx context.Context, token string) (answer, error) {
	result, err := c.call(ctx, token)
	if err != nil {
		return answer{}, err
	}
	if result.FunctionError != nil {
		return answer{}, fmt.Errorf("the function reports %s: %s", result.FunctionError.Type, result.FunctionError.Message)
	}
	var a answer
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		return a, fmt.Errorf("answer: %w", err)
	}
	now := float64(time.Now().Unix())
	iat, nbf, exp := a.AuthPayload["iat"], a.AuthPayload["nbf"], a.AuthPayload["exp"]
	for name, value := range map[string]any{"iat": iat, "nbf": nbf, "exp": exp} {
		if number, ok := value.(float64); !ok || number != math.Trunc(number) || number <= 0 {
			return a, fmt.Errorf("%s is %v, not integer seconds", name, value)
		}
	}
	if nbf.(float64) > now+1 {
		return a, fmt.Errorf("nbf %v lies in the future", nbf)
	}
	return a, c.compare(a, map[string]any{
		"iss": c.d.secret["auth_endpoint_token"],
		"aud": c.d.datastore.DatastoreEndpoint,
	})
}

func (c *caller) compare(a answer, want map[string]any) error {
	var wrong []error
	if a.IAMRoleARN != c.role {
		wrong = append(wrong, fmt.Errorf("iamRoleARN is %q, want %q", a.IAMRoleARN, c.role))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(a.AuthPayload[name], want[name]) {
			wrong = append(wrong, fmt.Errorf("%s is %#v, want %#v", name, a.AuthPayload[name], want[name]))
		}
	}
	return errors.Join(wrong...)
}

// authorized fails unless the token is authorized with this scope, byte for byte, and these claims at the top.
func (c *caller) authorized(ctx context.Context, token, scope string, claims map[string]any) error {
	a, err := c.ask(ctx, token)
	if err != nil {
		return err
	}
	want := map[string]any{"isAuthorized": true, "scope": scope}
	maps.Copy(want, claims)
	if err := c.compare(a, want); err != nil {
		return err
	}
	if a.AuthPayload["exp"].(float64) <= float64(time.Now().Unix()) {
		return errors.New("exp has passed")
	}
	for _, name := range []string{"active", "ext"} {
		if _, found := a.AuthPayload[name]; found {
			return fmt.Errorf("%s went through", name)
		}
	}
	return nil
}

// denied fails unless the answer is complete and does not authorize.
func (c *caller) denied(ctx context.Context, token string) error {
	a, err := c.ask(ctx, token)
	if err != nil {
		return err
	}
	return c.compare(a, map[string]any{"isAuthorized": false, "scope": ""})
}

// deniedFor is denied, and fails too unless the log gives this reason for it.
func (c *caller) deniedFor(ctx context.Context, token, reason string) error {
	lines := func() (n int) {
		for _, line := range c.function.Logs() {
			if strings.Contains(line, `"`+reason+`"`) {
				n++
			}
		}
		return n
	}
	before := lines()
	if err := c.denied(ctx, token); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Second); lines() == before; {
		// The line may come a moment after its answer.
		if time.Now().After(deadline) {
			logs := c.function.Logs()
			return fmt.Errorf("denied, but not as %s: %s", reason, logs[len(logs)-1])
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// fails fails unless the function reports an error in time.
func (c *caller) fails(ctx context.Context, token string) error {
	result, err := c.call(ctx, token)
	if err != nil {
		return err
	}
	if result.FunctionError == nil {
		return fmt.Errorf("the function answered: %s", result.Payload)
	}
	if result.FunctionError.Type == "Sandbox.Timedout" || result.FunctionError.Type == "Runtime.ExitError" {
		return fmt.Errorf("the function did not report an error: %s", result.FunctionError.Message)
	}
	return nil
}

// faulty fails unless events that lack a field, or are none, are errors that name what is wrong.
func (c *caller) faulty(ctx context.Context) error {
	for _, field := range []string{"bearerToken", "datastoreEndpoint"} {
		event := maps.Clone(c.event)
		delete(event, field)
		payload, err := json.Marshal(event)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.calls++
		c.mu.Unlock()
		result, err := c.function.Invoke(ctx, payload)
		if err != nil {
			return err
		}
		if result.FunctionError == nil || !strings.Contains(result.FunctionError.Message, field) {
			return fmt.Errorf("without %s: %s", field, result.Payload)
		}
	}
	return nil
}

// logged fails unless the function has written one JSON line a call, and in all its lines neither a token nor a word of
// those that must not be there.
func (c *caller) logged(unwanted ...string) error {
	c.mu.Lock()
	calls, tokens := c.calls, slices.Clone(c.tokens)
	c.mu.Unlock()
	deadline := time.Now().Add(2 * time.Second)
	for {
		lines := 0
		for _, line := range c.function.Logs() {
			var entry struct {
				Msg     string `json:"msg"`
				Outcome string `json:"outcome"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				return fmt.Errorf("a line of the log is not JSON: %s", line)
			}
			if entry.Outcome != "" {
				lines++
			}
			for _, word := range append(tokens, unwanted...) {
				if len(word) > 3 && strings.Contains(line, word) {
					return fmt.Errorf("the log has %q in it: %s", word, line)
				}
			}
		}
		if lines == calls {
			return nil
		}
		// The last line may come a moment after its answer.
		if time.Now().After(deadline) {
			return fmt.Errorf("%d lines for %d calls", lines, calls)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
