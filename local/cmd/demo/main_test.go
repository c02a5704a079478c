package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
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

func TestCheck(t *testing.T) {
	response := func(payload string) runtimeapi.Result {
		return runtimeapi.Result{Payload: fmt.Appendf(nil, `{"iamRoleARN":%q,"authPayload":%s}`, sandbox.ServiceRole, payload)}
	}
	late := response(`{}`)
	late.Duration = 1001e6
	for _, test := range []struct {
		result runtimeapi.Result
		want   string
	}{
		{runtimeapi.Result{FunctionError: &runtimeapi.FunctionError{Type: "T", Message: "M"}}, "T: M"},
		{runtimeapi.Result{Payload: []byte(`"`)}, "not JSON"},
		{runtimeapi.Result{Payload: []byte(`{"iamRoleARN":"x"}`)}, "service role"},
		{late, "after 1001.0 ms"},
		{response(`{"isAuthorized":"true"}`), "isAuthorized is true"},
		{response(`{"isAuthorized":true,"scope":"system/*.*"}`), "not what the provider knows"},
	} {
		if _, err := check(sandbox.Kinds[0], test.result); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}
