package stacks

import (
	"encoding/json"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestQueries(t *testing.T) {
	tmpl := get(t, "default").stacks["CheckToken"]
	logs, _ := tmpl.one(t, "AWS::Logs::LogGroup")
	got := map[any]any{}
	for _, query := range tmpl.resources("AWS::Logs::QueryDefinition") {
		got[at(query, "Properties", "Name")] = query["Properties"]
	}
	if len(got) != len(contract.LogQueries) {
		t.Errorf("got %d queries, want %d", len(got), len(contract.LogQueries))
	}
	quoted, err := json.Marshal("fields @timestamp, request_id, operation, reason, client_id, got, want\n" +
		"| filter msg = \"checkToken\" and outcome != \"authorized\"\n| sort @timestamp desc\n| limit 200")
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, got["sof-hl-checkToken/denied-and-why"], `{"Name": "sof-hl-checkToken/denied-and-why",
		"LogGroupNames": [{"Ref": "`+logs+`"}], "QueryString": `+string(quoted)+`}`)
}

func TestLogKey(t *testing.T) {
	_, logGroup := get(t, "ownKey").stacks["CheckToken"].one(t, "AWS::Logs::LogGroup")
	wantJSON(t, at(logGroup, "Properties", "KmsKeyId"), `{"Fn::ImportValue": "sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"}`)
	_, logGroup = get(t, "givenKey").stacks["CheckToken"].one(t, "AWS::Logs::LogGroup")
	wantJSON(t, at(logGroup, "Properties", "KmsKeyId"), `"`+keyARN+`"`)
	_, logGroup = get(t, "default").stacks["CheckToken"].one(t, "AWS::Logs::LogGroup")
	if key := at(logGroup, "Properties", "KmsKeyId"); key != nil {
		t.Errorf("the log group has the key %v without being asked", key)
	}
}

func TestTracing(t *testing.T) {
	traced := get(t, "function").stacks["CheckToken"]
	_, function := traced.one(t, "AWS::Lambda::Function")
	wantJSON(t, at(function, "Properties", "TracingConfig"), `{"Mode": "Active"}`)
	_, function = get(t, "default").stacks["CheckToken"].one(t, "AWS::Lambda::Function")
	if tracing := at(function, "Properties", "TracingConfig"); tracing != nil {
		t.Errorf("traced without being asked: %v", tracing)
	}
}
