package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/local/runtimeapi"
)

// wait is how long HealthLake waits for the function.
const wait = time.Second

// caller sends a deployed function the events that HealthLake would send, and looks at its answers as HealthLake does.
type caller struct {
	*runtimeapi.Function
	target *target
	event  map[string]any // the deployment's own test event, with HealthLake's other fields

	mu     sync.Mutex
	tokens []string // of all calls
	lines  int      // that they must have left in the log
}

// start runs a deployed function as Lambda does, with the environment that was deployed. Its event is the stack's output
// TestEvent.
func (l *lab) start(target *target) error {
	d := target.d
	c := &caller{target: target}
	if err := json.Unmarshal([]byte(d.outputs["TestEvent"]), &c.event); err != nil {
		return fmt.Errorf("output TestEvent: %w", err)
	}
	if err := errors.Join(equal("bearerToken", c.event["bearerToken"], "<token>"),
		equal("datastoreEndpoint", c.event["datastoreEndpoint"], *d.datastore.DatastoreEndpoint)); err != nil {
		return fmt.Errorf("output TestEvent: %w", err)
	}
	maps.Copy(c.event, map[string]any{"operationName": "SearchWithGet", "datastoreId": *d.datastore.DatastoreId,
		"datastoreTypeVersion": "R4", "datastoreName": *d.datastore.DatastoreName})
	env := maps.Clone(l.aws.environment) // in the place of the execution role's credentials
	maps.Copy(env, d.variables())
	var err error
	c.Function, err = runtimeapi.Start(l.t.Context(), runtimeapi.Config{Bootstrap: d.binary, Name: *d.function.FunctionName, Region: region,
		MemorySize: int(*d.function.MemorySize), Timeout: time.Duration(*d.function.Timeout) * time.Second, Env: env})
	if err == nil {
		target.call = c
		l.t.Cleanup(func() { _ = c.Stop() })
	}
	return err
}

// want is what must become of a token.
type want struct {
	outcome string // "authorized", "denied" or "error"
	reason  string // as the log and an error have it; empty: any
	scope   string // of an answer that authorizes, byte for byte
	claims  map[string]any
}

// send calls the function with an event and returns the result with the call's line in the log.
func (c *caller) send(ctx context.Context, event map[string]any) (runtimeapi.Result, map[string]any, error) {
	c.mu.Lock()
	c.lines++
	if token, ok := event["bearerToken"].(string); ok {
		c.tokens = append(c.tokens, token)
	}
	c.mu.Unlock()
	payload, err := json.Marshal(event)
	if err != nil {
		return runtimeapi.Result{}, nil, err
	}
	result, err := c.Invoke(ctx, payload)
	if err != nil {
		return result, nil, err
	}
	if result.Duration > wait {
		return result, nil, fmt.Errorf("the answer took %s, HealthLake waits for %s", result.Duration, wait)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a line may come a moment after its answer
	defer cancel()
	line, err := c.AwaitLog(ctx, result.RequestID)
	if err != nil {
		return result, nil, err
	}
	var entry map[string]any
	return result, entry, json.Unmarshal([]byte(line), &entry)
}

// becomes sends a token and fails unless this becomes of it.
func (c *caller) becomes(ctx context.Context, token string, w want) error {
	event := maps.Clone(c.event)
	event["bearerToken"] = token
	result, entry, err := c.send(ctx, event)
	if err != nil {
		return err
	}
	said := []error{equal("outcome in the log", entry["outcome"], w.outcome)}
	if w.reason != "" {
		said = append(said, equal("reason in the log", entry["reason"], w.reason))
	}
	if result.FunctionError != nil {
		if w.outcome != "error" {
			said = append(said, fmt.Errorf("the function reports %s: %s", result.FunctionError.Type, result.FunctionError.Message))
		}
		return errors.Join(append(said, equal("errorType", result.FunctionError.Type, entry["reason"]))...)
	}
	return errors.Join(append(said, c.complete(result.Payload, w))...)
}

// complete checks an answer.
func (c *caller) complete(payload []byte, w want) error {
	var answer struct {
		AuthPayload map[string]any `json:"authPayload"`
		IAMRoleARN  string         `json:"iamRoleARN"`
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	got, now := answer.AuthPayload, float64(time.Now().Unix())
	for _, name := range []string{"iat", "nbf", "exp"} {
		if number, ok := got[name].(float64); !ok || number != math.Trunc(number) || number <= 0 {
			return fmt.Errorf("%s is %v, not integer seconds", name, got[name])
		}
	}
	must := map[string]any{"isAuthorized": w.outcome == "authorized", "scope": w.scope, "iss": c.target.d.secret["auth_endpoint_token"],
		"aud": *c.target.d.datastore.DatastoreEndpoint}
	maps.Copy(must, w.claims)
	wrong := []error{equal("iamRoleARN", answer.IAMRoleARN, c.target.role(w.scope))}
	for name, value := range must {
		wrong = append(wrong, equal(name, got[name], value))
	}
	if got["nbf"].(float64) > now+1 || w.outcome == "authorized" && got["exp"].(float64) <= now {
		wrong = append(wrong, fmt.Errorf("it is valid from %v until %v, and now is %v", got["nbf"], got["exp"], now))
	}
	for _, name := range []string{"active", "ext"} {
		if _, found := got[name]; found {
			wrong = append(wrong, fmt.Errorf("%s went through", name))
		}
	}
	return errors.Join(wrong...)
}

func (c *caller) authorized(ctx context.Context, token, scope string, claims map[string]any) error {
	return c.becomes(ctx, token, want{"authorized", "active", scope, claims})
}

func (c *caller) denied(ctx context.Context, token, reason string) error {
	return c.becomes(ctx, token, want{outcome: "denied", reason: reason})
}

// faulty fails unless events that lack a field are errors that name it.
func (c *caller) faulty(ctx context.Context) error {
	for _, field := range []string{"bearerToken", "datastoreEndpoint"} {
		event := maps.Clone(c.event)
		delete(event, field)
		result, entry, err := c.send(ctx, event)
		if err != nil {
			return err
		}
		if result.FunctionError == nil || !strings.Contains(result.FunctionError.Message, field) || entry["reason"] != "event_invalid" {
			return fmt.Errorf("without %s: %s", field, result.Payload)
		}
	}
	return nil
}

// log are the lines that the function has written for calls. It fails unless there is one for each, all lines are JSON, and
// none has a token or a personal claim in it.
func (c *caller) log() (calls []map[string]any, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unwanted := []string{user}
	for _, value := range personal {
		unwanted = append(unwanted, value.(string))
	}
	for _, token := range c.tokens {
		if token != "" {
			unwanted = append(unwanted, token)
		}
	}
	for _, line := range c.Logs() {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			return nil, fmt.Errorf("a line of the log is not JSON: %s", line)
		}
		if _, ok := entry["outcome"]; ok {
			calls = append(calls, entry)
		}
		if i := slices.IndexFunc(unwanted, func(word string) bool { return strings.Contains(line, word) }); i >= 0 {
			return nil, fmt.Errorf("the log has %q in it: %s", unwanted[i], line)
		}
	}
	return calls, equal("number of lines in the log", len(calls), c.lines)
}
