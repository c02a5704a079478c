package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/local/runtimeapi"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	var rows []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && (fields[1] == "true" || fields[1] == "false") {
			rows = append(rows, strings.Join(fields[:2], " "))
		}
	}
	want := []string{"valid true", "backend true", "revoked false", "expired false", "refresh false", "made-up false"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
	for _, hint := range []string{"cdk.context.json", "make preflight", "CLIENT_SECRET=… SRV_API_KEY=… make deploy", "make invoke EVENT="} {
		if !strings.Contains(out.String(), hint) {
			t.Errorf("no word of %s", hint)
		}
	}
}

func TestReadFindsFaults(t *testing.T) {
	tests := []struct {
		result runtimeapi.Result
		want   string
	}{
		{runtimeapi.Result{FunctionError: &runtimeapi.FunctionError{Type: "T", Message: "M"}}, "T: M"},
		{runtimeapi.Result{Payload: []byte(`"`)}, "not JSON"},
		{runtimeapi.Result{Payload: []byte(`{"iamRoleARN":"x"}`)}, "service role"},
		{runtimeapi.Result{
			Payload:  []byte(`{"iamRoleARN":"arn:aws:iam::123456789012:role/sof-hl-Role-for-HealthLake"}`),
			Duration: 1001e6,
		}, "after 1001.0 ms"},
	}
	for _, test := range tests {
		if _, fault := read(test.result); !strings.Contains(fault, test.want) {
			t.Errorf("fault %q, want %q", fault, test.want)
		}
	}
}
