package stacks

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// filters are the metric filters of a variant, by metric name.
func filters(t *testing.T, variantName string) map[string]map[string]any {
	t.Helper()
	found := map[string]map[string]any{}
	for _, filter := range get(t, variantName).stacks["CheckToken"].resources("AWS::Logs::MetricFilter") {
		properties := filter["Properties"].(map[string]any)
		transformations := properties["MetricTransformations"].([]any)
		if len(transformations) != 1 {
			t.Fatalf("got %d transformations, want 1", len(transformations))
		}
		found[at(transformations[0], "MetricName").(string)] = properties
	}
	return found
}

func TestLogMetrics(t *testing.T) {
	logs, _ := get(t, "default").stacks["CheckToken"].one(t, "AWS::Logs::LogGroup")
	const one = `"MetricValue": "1", "Unit": "Count"`
	want := map[string][2]string{
		"Authorized": {`{ ($.msg = "checkToken") && ($.outcome = "authorized") }`, one + `, "DefaultValue": 0`},
		"Denied": {`{ ($.msg = "checkToken") && ($.outcome = "denied") && ($.reason = "*") }`,
			one + `, "Dimensions": [{"Key": "Reason", "Value": "$.reason"}]`},
		"Errors": {`{ ($.msg = "checkToken") && ($.outcome = "error") && ($.reason = "*") }`,
			one + `, "Dimensions": [{"Key": "Reason", "Value": "$.reason"}]`},
		"Timeouts": {`{ ($.reason = "idp_timeout") || (($.type = "platform.report") && ($.record.status = "timeout")) }`,
			one + `, "DefaultValue": 0`},
		"IdpMilliseconds": {`{ ($.msg = "checkToken") && ($.idp_requests > 0) && ($.idp_ms >= 0) }`,
			`"MetricValue": "$.idp_ms", "Unit": "Milliseconds"`},
		"IdpSuccesses": {`{ ($.msg = "checkToken") && ($.idp_requests > 0) && ($.reason != "idp_*") }`,
			one + `, "DefaultValue": 0`},
		"HedgedCalls": {`{ ($.msg = "checkToken") && ($.idp_requests > 1) }`, one + `, "DefaultValue": 0`},
		"CacheHits":   {`{ ($.msg = "checkToken") && ($.cache_hit IS TRUE) }`, one + `, "DefaultValue": 0`},
	}
	got := filters(t, "default")
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("got the metrics %v", names)
	}
	for name, w := range want {
		pattern, err := json.Marshal(w[0])
		if err != nil {
			t.Fatal(err)
		}
		wantJSON(t, got[name], `{
			"LogGroupName": {"Ref": "`+logs+`"},
			"FilterPattern": `+string(pattern)+`,
			"MetricTransformations": [{"MetricName": "`+name+`", "MetricNamespace": "sof-hl-checkToken", `+w[1]+`}]
		}`)
	}
	// Where tokens are verified by keys, nobody is asked about them.
	if names := slices.Sorted(maps.Keys(filters(t, "givenKey"))); !slices.Equal(names,
		[]string{"Authorized", "Denied", "Errors", "Timeouts"}) {
		t.Errorf("with JWTs there are the metrics %v", names)
	}
}
