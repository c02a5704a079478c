package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const before = `{"Resources": {
	"Datastore": {"Type": "AWS::HealthLake::FHIRDatastore", "DeletionPolicy": "Delete", "Properties": {
		"DatastoreName": "a", "DatastoreTypeVersion": "R4",
		"IdentityProviderConfiguration": {
			"AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": true,
			"IdpLambdaArn": "arn:live", "Metadata": "{\"token_endpoint\":\"https://idp.example/t\",\"capabilities\":[\"c\"]}"
		},
		"Tags": [{"Key": "Purpose", "Value": "x"}]
	}},
	"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Description": "x"}}
}}`

func TestReplacements(t *testing.T) {
	swap := strings.NewReplacer // keeps the rows short
	const token = `\"token_endpoint\":\"https://idp.example/t\"`
	for _, test := range []struct {
		name  string
		after string
		want  []string
	}{
		{"nothing", before, nil},
		{"a tag", swap(`"Value": "x"`, `"Value": "y"`).Replace(before), nil},
		{"the deletion policy", swap(`"Delete"`, `"Retain"`).Replace(before), nil},
		{"another resource", swap(`"Description": "x"`, `"Description": "y"`).Replace(before), nil},
		{"name", swap(`"DatastoreName": "a"`, `"DatastoreName": "b"`).Replace(before), []string{"DatastoreName"}},
		{"version", swap(`"R4"`, `"R5"`).Replace(before), []string{"DatastoreTypeVersion"}},
		{"preload", swap(`"Tags"`, `"PreloadDataConfig": {"PreloadDataType": "SYNTHEA"}, "Tags"`).Replace(before),
			[]string{"PreloadDataConfig"}},
		{"key", swap(`"Tags"`, `"SseConfiguration": {"KmsEncryptionConfig": {"KmsKeyId": "k"}}, "Tags"`).Replace(before),
			[]string{"SseConfiguration"}},
		{"strategy and fine grain", swap(`SMART_ON_FHIR"`, `SMART_ON_FHIR_V1"`, `true`, `false`).Replace(before), []string{
			"IdentityProviderConfiguration.AuthorizationStrategy",
			"IdentityProviderConfiguration.FineGrainedAuthorizationEnabled",
		}},
		{"function", swap(`arn:live`, `arn:other`).Replace(before), []string{"IdentityProviderConfiguration.IdpLambdaArn"}},
		{"metadata", swap(token, token+`,\"issuer\":\"i\"`, `[\"c\"]`, `[]`).Replace(before),
			[]string{"IdentityProviderConfiguration.Metadata (capabilities, issuer)"}},
		{"metadata's order", swap(token+`,\"capabilities\":[\"c\"]`, `\"capabilities\":[\"c\"],`+token).Replace(before),
			[]string{"IdentityProviderConfiguration.Metadata (the order of its fields)"}},
		{"metadata not JSON", swap(`"{`+token, `"`+token).Replace(before),
			[]string{"IdentityProviderConfiguration.Metadata"}},
		{"metadata an intrinsic", swap(`"{`+token+`,\"capabilities\":[\"c\"]}"`, `{"Ref": "x"}`).Replace(before),
			[]string{"IdentityProviderConfiguration.Metadata"}},
		{"logical id", swap(`"Datastore":`, `"Other":`).Replace(before), []string{removed}},
		{"removal", `{"Resources": {}}`, []string{removed}},
	} {
		got := replacements(parse(t, before), parse(t, test.after))
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if got := replacements(template{}, parse(t, before)); got != nil {
		t.Errorf("first deploy: %q", got)
	}
}

func TestRefusal(t *testing.T) {
	stacks := []stack{{Name: "p-Secret"}, {Name: "p-Datastore"}, {Name: "p-Roles"}}
	for _, test := range []struct {
		changes   []string
		has, lack []string
	}{
		{[]string{"IdentityProviderConfiguration.Metadata (issuer)"},
			[]string{"Metadata (issuer)", "empty", "would be kept", "make idp-config", "--exclusively p-Secret p-Roles",
				"CONFIRM_REPLACEMENT=yes"},
			[]string{"--datastore-name", "deleted"}},
		{[]string{"DatastoreName"}, []string{"--datastore-name <new name>"}, nil},
		{[]string{"DatastoreName", "SseConfiguration"}, []string{"SseConfiguration", "CONFIRM_REPLACEMENT"},
			[]string{"idp-config"}},
		{[]string{removed}, []string{"deleted with all its records"}, []string{"would be kept", "idp-config"}},
	} {
		text := refusal("p-Datastore", test.changes, stacks).Error()
		for _, want := range test.has {
			if !strings.Contains(text, want) {
				t.Errorf("%q: no %q in\n%s", test.changes, want, text)
			}
		}
		for _, not := range test.lack {
			if strings.Contains(text, not) {
				t.Errorf("%q: %q in\n%s", test.changes, not, text)
			}
		}
	}
}

func parse(t *testing.T, document string) (tmpl template) {
	t.Helper()
	if err := json.Unmarshal([]byte(document), &tmpl); err != nil {
		t.Fatal(err)
	}
	return tmpl
}
