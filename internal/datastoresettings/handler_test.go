package datastoresettings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// healthLake is HealthLake's API (AWS JSON 1.0) with one datastore, d1. It shows an update at once.
type healthLake struct {
	t         *testing.T
	datastore map[string]any
	statuses  []string   // of the next descriptions; then ACTIVE
	failures  [][]string // of the next updates, each its code and message; then they succeed
	deaf      bool       // updates are accepted and change nothing
	calls     []string
	updates   []map[string]any
}

func (l *healthLake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "HealthLake.")
	l.calls = append(l.calls, operation)
	var input map[string]any
	if err := json.NewDecoder(r.Body).Decode(&input); err != nil || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
		l.t.Errorf("%s: content type %q, %v", operation, r.Header.Get("Content-Type"), err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if input["DatastoreId"] != "d1" {
		fail(w, "ResourceNotFoundException", fmt.Sprintf("no datastore %v", input["DatastoreId"]))
		return
	}
	if operation == "UpdateFHIRDatastore" {
		if len(l.failures) > 0 {
			failure := l.failures[0]
			l.failures = l.failures[1:]
			fail(w, failure[0], failure[1])
			return
		}
		l.updates = append(l.updates, input)
		if !l.deaf {
			l.datastore = input
		}
	}
	properties := map[string]any{
		"DatastoreId": "d1", "DatastoreArn": "arn:d1", "DatastoreEndpoint": "https://x/", "DatastoreTypeVersion": "R4",
		"DatastoreStatus": l.status(operation), "DatastoreName": l.datastore["DatastoreName"],
		"IdentityProviderConfiguration": l.datastore["IdentityProviderConfiguration"],
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"DatastoreProperties": properties})
}

func (l *healthLake) status(operation string) string {
	if operation == "UpdateFHIRDatastore" || len(l.statuses) == 0 {
		return "ACTIVE"
	}
	status := l.statuses[0]
	l.statuses = l.statuses[1:]
	return status
}

func fail(w http.ResponseWriter, code, message string) {
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"__type": "com.amazonaws.healthlake#" + code, "message": message})
}

// has are a datastore's name and configuration as the API has them.
func has(name, tokenEndpoint string) map[string]any {
	return map[string]any{"DatastoreName": name, "IdentityProviderConfiguration": map[string]any{
		"AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": true, "IdpLambdaArn": "arn:live",
		"Metadata": metadata(tokenEndpoint),
	}}
}

// respondsTo sends an event to the function as Lambda does, and returns what CloudFormation gets. There is time for a
// number of pauses.
func respondsTo(t *testing.T, l *healthLake, event cfn.Event, pauses int) (response cfn.Response, log string) {
	t.Helper()
	l.t = t
	api := httptest.NewServer(l)
	defer api.Close()
	cloudFormation := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || r.Header.Get("Content-Type") != "" {
			t.Errorf("%s with content type %q", r.Method, r.Header.Get("Content-Type"))
		}
		if err := json.NewDecoder(r.Body).Decode(&response); err != nil {
			t.Error(err)
		}
	}))
	defer cloudFormation.Close()

	var lines bytes.Buffer
	handler := NewHandler(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(api.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	}, "arn:live", slog.New(slog.NewJSONHandler(&lines, nil)))
	handler.sleep = func(context.Context, time.Duration) error {
		if pauses--; pauses < 0 {
			return context.DeadlineExceeded
		}
		return nil
	}
	event.ResponseURL, event.RequestID, event.StackID, event.LogicalResourceID = cloudFormation.URL, "r1", "s1", "Settings"
	if event.RequestType != cfn.RequestCreate {
		event.PhysicalResourceID = physicalID
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := cfn.LambdaWrap(handler.Handle)(ctx, event); err != nil {
		t.Error(err)
	}
	if response.RequestID != "r1" || response.StackID != "s1" || response.LogicalResourceID != "Settings" ||
		response.PhysicalResourceID != physicalID {
		t.Errorf("responds with %+v", response)
	}
	return response, lines.String()
}

func TestNoCall(t *testing.T) {
	for _, kind := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate, cfn.RequestDelete} {
		l := &healthLake{}
		event := cfn.Event{RequestType: kind, ResourceProperties: properties()}
		if kind == cfn.RequestUpdate {
			event.OldResourceProperties = properties()
		}
		response, log := respondsTo(t, l, event, 0)
		if response.Status != cfn.StatusSuccess || len(l.calls) > 0 {
			t.Errorf("%s: %+v after %q", kind, response, l.calls)
		}
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, `"request":"`+string(kind)+`"`) {
			t.Errorf("logged %s", log)
		}
	}
}

func TestUpdateReplacesWholeConfiguration(t *testing.T) {
	l := &healthLake{datastore: has("by hand", "https://a/t")}
	response, log := respondsTo(t, l, cfn.Event{RequestType: cfn.RequestUpdate,
		ResourceProperties: with("https://b/t"), OldResourceProperties: properties()}, 0)
	want := has("a", "https://b/t")
	want["DatastoreId"] = "d1"
	if response.Status != cfn.StatusSuccess || len(l.updates) != 1 || fmt.Sprint(l.updates[0]) != fmt.Sprint(want) {
		t.Errorf("%+v after %v, want %v", response, l.updates, want)
	}
	if calls := []string{"DescribeFHIRDatastore", "UpdateFHIRDatastore", "DescribeFHIRDatastore"}; !slices.Equal(l.calls, calls) {
		t.Errorf("calls %q", l.calls)
	}
	if !strings.Contains(log, `"datastore_id":"d1","changes":["token_endpoint"]`) {
		t.Errorf("logged %s", log)
	}
}

// Of a refused change nothing is left to take back, and HealthLake may not be able to.
func TestNothingToUpdate(t *testing.T) {
	l := &healthLake{datastore: has("a", "https://a/t"), failures: [][]string{{"ValidationException", "x"}}}
	response, _ := respondsTo(t, l, cfn.Event{RequestType: cfn.RequestUpdate,
		ResourceProperties: properties(), OldResourceProperties: with("https://b/t")}, 0)
	if response.Status != cfn.StatusSuccess || len(l.failures) == 0 {
		t.Errorf("%+v after %q", response, l.calls)
	}
}

func TestWaits(t *testing.T) {
	for name, l := range map[string]*healthLake{
		"conflicts": {failures: [][]string{{"ConflictException", "x"}, {"ConflictException", "x"}, {"ConflictException", "x"}}},
		"throttles": {failures: [][]string{{"ThrottlingException", "x"}}},
		"fails":     {failures: [][]string{{"InternalServerException", "x"}}},
		"is slow":   {statuses: []string{"CREATING", "UPDATING", "ACTIVE", "UPDATING"}},
		// The role's permissions are a few seconds old.
		"does not know the role yet": {failures: [][]string{{"AccessDeniedException", "x"}}},
		"has failed before":          {statuses: []string{"UPDATE_FAILED", "UPDATE_FAILED"}},
	} {
		t.Run(name, func(t *testing.T) {
			l.datastore = has("a", "https://a/t")
			response, _ := respondsTo(t, l, cfn.Event{RequestType: cfn.RequestUpdate,
				ResourceProperties: with("https://b/t"), OldResourceProperties: properties()}, 10)
			if response.Status != cfn.StatusSuccess || len(l.updates) != 1 || len(l.failures)+len(l.statuses) > 0 {
				t.Errorf("%+v after %q", response, l.calls)
			}
		})
	}
}

func TestFails(t *testing.T) {
	always := func(code, message string) [][]string { return slices.Repeat([][]string{{code, message}}, 100) }
	for _, test := range []struct {
		name string
		l    healthLake
		want string
	}{
		{"refused", healthLake{failures: always("ValidationException", "metadata\nis wrong")},
			"HealthLake UpdateFHIRDatastore: ValidationException: metadata\ufffdis wrong"},
		{"busy", healthLake{failures: always("ConflictException", "another update is running")},
			"gave up waiting: HealthLake UpdateFHIRDatastore: ConflictException: another update is running"},
		{"not allowed", healthLake{failures: always("AccessDeniedException", "not authorized")},
			"HealthLake UpdateFHIRDatastore: AccessDeniedException: not authorized"},
		{"updating", healthLake{statuses: slices.Repeat([]string{"UPDATING"}, 100)},
			"gave up waiting: the datastore is not ready yet: its status is UPDATING"},
		{"deleted", healthLake{statuses: []string{"DELETED"}}, "the datastore's status is DELETED"},
		{"without effect", healthLake{deaf: true},
			"HealthLake accepted the change, but DescribeFHIRDatastore still shows another token_endpoint"},
		{"long message", healthLake{failures: always("ValidationException", strings.Repeat("ä", 3000))},
			"HealthLake UpdateFHIRDatastore: ValidationException: " + strings.Repeat("ä", 500) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.l.datastore = has("a", "https://a/t")
			response, log := respondsTo(t, &test.l, cfn.Event{RequestType: cfn.RequestUpdate,
				ResourceProperties: with("https://b/t"), OldResourceProperties: properties()}, 30)
			if response.Status != cfn.StatusFailed || response.Reason != test.want {
				t.Errorf("%s: %s, want %s", response.Status, response.Reason, test.want)
			}
			if !strings.Contains(log, `"level":"ERROR"`) {
				t.Errorf("logged %s", log)
			}
		})
	}
}

func TestUnknownDatastore(t *testing.T) {
	p := with("https://b/t")
	p["DatastoreId"] = "d2"
	response, _ := respondsTo(t, &healthLake{}, cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: p}, 0)
	if want := "HealthLake DescribeFHIRDatastore: ResourceNotFoundException: no datastore d2"; response.Reason != want {
		t.Errorf("%s, want %s", response.Reason, want)
	}
}

// Whoever may invoke the function can send it any event.
func TestOtherFunction(t *testing.T) {
	l := &healthLake{datastore: has("a", "https://a/t")}
	forged := properties()
	forged["IdpLambdaArn"] = "arn:evil"
	response, _ := respondsTo(t, l, cfn.Event{RequestType: cfn.RequestUpdate,
		ResourceProperties: forged, OldResourceProperties: properties()}, 0)
	if response.Status != cfn.StatusFailed || !strings.Contains(response.Reason, "not the function of this deployment") || len(l.calls) > 0 {
		t.Errorf("%+v after %q", response, l.calls)
	}
}

// There must be time left to tell CloudFormation.
func TestEndsBeforeLambdaDoes(t *testing.T) {
	l := &healthLake{datastore: has("a", "https://a/t"), statuses: slices.Repeat([]string{"UPDATING"}, 100), t: t}
	api := httptest.NewServer(l)
	defer api.Close()
	handler := NewHandler(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(api.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")}, "arn:live", slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), respond)
	defer cancel()
	_, _, err := handler.Handle(ctx, cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: with("https://b/t")})
	if err == nil || ctx.Err() != nil {
		t.Errorf("%v, and the context's %v", err, ctx.Err())
	}
}
