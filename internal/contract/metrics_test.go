package contract_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestLogMetrics(t *testing.T) {
	for line, want := range map[string][]string{
		`{"msg":"checkToken","outcome":"authorized","reason":"active","idp_ms":20.5,"idp_requests":1,"cache_hit":false}`: {
			"Authorized", "IdpMilliseconds", "IdpSuccesses"},
		`{"msg":"checkToken","outcome":"denied","reason":"expired","idp_ms":20.5,"idp_requests":2,"cache_hit":false}`: {
			"Denied", "HedgedCalls", "IdpMilliseconds", "IdpSuccesses"},
		`{"msg":"checkToken","outcome":"authorized","reason":"active","idp_ms":0,"idp_requests":0,"cache_hit":true}`: {
			"Authorized", "CacheHits"},
		`{"msg":"checkToken","outcome":"error","reason":"idp_timeout","idp_ms":880,"idp_requests":1,"cache_hit":false}`: {
			"Errors", "IdpMilliseconds", "Timeouts"},
		`{"msg":"checkToken","outcome":"error","reason":"event_invalid","idp_ms":0,"idp_requests":0,"cache_hit":false}`: {"Errors"},
		`{"type":"platform.report","record":{"status":"timeout"}}`:                                                      {"Timeouts"},
		`{"type":"platform.report","record":{"status":"success"}}`:                                                      nil,
		`{"msg":"start","version":"1"}`:                                                                                 nil,
	} {
		var decoded map[string]any
		if err := json.Unmarshal([]byte(line), &decoded); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range contract.LogMetrics {
			if m.Counts(decoded) {
				got = append(got, m.Name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s\ncounts in %v, want %v", line, got, want)
		}
	}
}

// CDK, MetricFilterOptions: a field whose value a metric takes must be in the pattern.
func TestPatternsHaveTheFieldsThatMetricsTake(t *testing.T) {
	for _, m := range contract.LogMetrics {
		taken := m.Value
		if m.ByReason {
			taken = contract.FieldReason
		}
		if !strings.Contains(m.Pattern(), "$."+taken) {
			t.Errorf("%s takes %s, which is not in %s", m.Name, taken, m.Pattern())
		}
	}
}
