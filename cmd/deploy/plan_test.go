package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
)

// withParameters is a template as this version writes it.
const withParameters = `{
"Parameters": {
	"CreatedDatastoreName": {"Type": "String", "Default": "a"},
	"CreatedAuthorizationStrategy": {"Type": "String", "Default": "SMART_ON_FHIR"},
	"CreatedFineGrainedAuthorizationEnabled": {"Type": "String", "Default": "true"},
	"CreatedIdpLambdaArn": {"Type": "String", "Default": "arn:live"},
	"CreatedMetadata": {"Type": "String", "Default": "{\"authorization_endpoint\":\"https://idp.example/a\",\"token_endpoint\":\"https://idp.example/t\",\"capabilities\":[\"c\"]}"},
	"ApplySettings": {"Type": "String", "Default": ""}
},
"Conditions": {"CreatedFineGrained": {"Fn::Equals": [{"Ref": "CreatedFineGrainedAuthorizationEnabled"}, "true"]}},
"Resources": {
	"Datastore": {"Type": "AWS::HealthLake::FHIRDatastore", "DeletionPolicy": "Delete", "Properties": {
		"DatastoreName": {"Ref": "CreatedDatastoreName"}, "DatastoreTypeVersion": "R4",
		"IdentityProviderConfiguration": {
			"AuthorizationStrategy": {"Ref": "CreatedAuthorizationStrategy"},
			"FineGrainedAuthorizationEnabled": {"Fn::If": ["CreatedFineGrained", true, false]},
			"IdpLambdaArn": {"Ref": "CreatedIdpLambdaArn"}, "Metadata": {"Ref": "CreatedMetadata"}
		},
		"Tags": [{"Key": "Purpose", "Value": "x"}]
	}},
	"Settings": {"Type": "Custom::DatastoreSettings", "Properties": {
		"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "ServiceTimeout": "720",
		"DatastoreId": {"Fn::GetAtt": ["Datastore", "DatastoreId"]}, "DatastoreName": "a", "AuthorizationStrategy": "SMART_ON_FHIR",
		"FineGrainedAuthorizationEnabled": "true", "IdpLambdaArn": "arn:live",
		"Metadata": {"authorization_endpoint": "https://idp.example/a", "token_endpoint": "https://idp.example/t", "capabilities": ["c"]},
		"Created": {"DatastoreName": {"Ref": "CreatedDatastoreName"}},
		"ApplySettings": {"Ref": "ApplySettings"}
	}}
}}`

// literal is a template of an earlier version.
const literal = `{"Resources": {
	"Datastore": {"Type": "AWS::HealthLake::FHIRDatastore", "DeletionPolicy": "Delete", "Properties": {
		"DatastoreName": "a", "DatastoreTypeVersion": "R4",
		"IdentityProviderConfiguration": {
			"AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": true,
			"IdpLambdaArn": "arn:live", "Metadata": "{\"authorization_endpoint\":\"https://idp.example/a\",\"token_endpoint\":\"https://idp.example/t\",\"capabilities\":[\"c\"]}"
		},
		"Tags": [{"Key": "Purpose", "Value": "x"}]
	}}
}}`

// with returns a template with some texts, each of which it must have, in the place of others.
func with(t *testing.T, document string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(document, pairs[i]) {
			t.Fatalf("no %s in the template", pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(document)
}

// stackOf is a deployed stack whose parameters have their defaults.
func stackOf(t *testing.T, document string) deployed {
	t.Helper()
	d := deployed{template: parse(t, document), values: map[string]string{}, outputs: map[string]string{"DatastoreId": "d1"}}
	for name, p := range d.Parameters {
		d.values[name], _ = text(p.Default)
	}
	return d
}

func parse(t *testing.T, document string) (tmpl template) {
	t.Helper()
	if err := json.Unmarshal([]byte(document), &tmpl); err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func TestDecide(t *testing.T) {
	swap := func(pairs ...string) string { return with(t, withParameters, pairs...) }
	endpoint := []string{`https://idp.example/t`, `https://new.example/t`}
	for _, test := range []struct {
		name     string
		before   string
		after    string
		given    []string
		changed  []string
		replaces []string
	}{
		{name: "nothing", before: withParameters, after: withParameters},
		{name: "a tag", before: withParameters, after: swap(`"Value": "x"`, `"Value": "y"`)},
		{name: "the deletion policy", before: withParameters, after: swap(`"Delete"`, `"Retain"`)},
		{name: "an endpoint", before: withParameters, after: swap(endpoint...), changed: []string{"token_endpoint"}},
		{name: "everything in place", before: withParameters, after: swap(append(endpoint, `"a"`, `"b"`, `"SMART_ON_FHIR"`,
			`"SMART_ON_FHIR_V1"`, `": "true"`, `": "false"`, `arn:live`, `arn:other`)...), changed: []string{"DatastoreName",
			"AuthorizationStrategy", "FineGrainedAuthorizationEnabled", "IdpLambdaArn", "token_endpoint"}},
		{name: "preloaded data", before: withParameters, after: swap(`"Tags"`, `"PreloadDataConfig": {"PreloadDataType": "SYNTHEA"}, "Tags"`),
			replaces: []string{"preloadData"}},
		{name: "key, and an endpoint", before: withParameters, after: swap(append(endpoint, `"Tags"`,
			`"SseConfiguration": {"KmsEncryptionConfig": {"KmsKeyId": "k"}}, "Tags"`)...),
			changed: []string{"token_endpoint"}, replaces: []string{"kmsKey"}},
		{name: "version", before: withParameters, after: swap(`"R4"`, `"R5"`), replaces: []string{"DatastoreTypeVersion"}},
		{name: "a property that nobody knows", before: withParameters, after: swap(`"Tags"`, `"Other": {"Fn::Sub": "x"}, "Tags"`),
			replaces: []string{"Other"}},
		{name: "a given parameter", before: withParameters, after: withParameters, given: []string{"--parameters", "p-Datastore:CreatedDatastoreName=b"},
			replaces: []string{"DatastoreName"}},
		{name: "a given parameter of every stack", before: withParameters, after: withParameters,
			given: []string{"--parameters=CreatedMetadata={}"}, replaces: []string{"IdentityProviderConfiguration.Metadata"}},
		{name: "a given parameter of another stack", before: withParameters, after: withParameters,
			given: []string{"--parameters", "p-Secret:CreatedDatastoreName=b"}},
		{name: "a given parameter behind a condition", before: withParameters, after: withParameters,
			given:    []string{"--parameters", "CreatedFineGrainedAuthorizationEnabled=false"},
			replaces: []string{"IdentityProviderConfiguration.FineGrainedAuthorizationEnabled"}},
		{name: "new defaults", before: withParameters, after: swap(endpoint...), given: []string{"--no-previous-parameters"},
			changed: []string{"token_endpoint"}, replaces: []string{"IdentityProviderConfiguration.Metadata"}},
		{name: "new defaults, in another spelling", before: withParameters, after: swap(endpoint...),
			given:   []string{"--previous-parameters", "false"},
			changed: []string{"token_endpoint"}, replaces: []string{"IdentityProviderConfiguration.Metadata"}},
		{name: "another condition", before: withParameters, after: swap(`["CreatedFineGrained", true, false]`, `["CreatedFineGrained", false, true]`),
			replaces: []string{"IdentityProviderConfiguration.FineGrainedAuthorizationEnabled"}},
		{name: "an earlier version", before: literal, after: withParameters},
		{name: "an earlier version, and an endpoint", before: literal, after: swap(endpoint...), changed: []string{"token_endpoint"}},
		{name: "an earlier version, with functions", before: with(t, literal, `"arn:live"`, `{"Fn::GetAtt": ["F", "Arn"]}`),
			after: withParameters, replaces: []string{"IdentityProviderConfiguration.IdpLambdaArn"}},
		{name: "an earlier version, and a given parameter", before: literal, after: withParameters,
			given: []string{"--parameters", "CreatedDatastoreName=b"}, replaces: []string{"DatastoreName"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := decide(stack{Name: "p-Datastore", template: parse(t, test.after)}, stackOf(t, test.before), test.given, nil)
			if !slices.Equal(p.changed, test.changed) || !slices.Equal(p.replaces, test.replaces) || p.removed || p.byHand != nil {
				t.Errorf("got %+v", p)
			}
			if stops := p.refusal() != nil; stops != (len(test.replaces) > 0) {
				t.Errorf("stops: %t", stops)
			}
		})
	}
}

// What the datastore was created with becomes the value of parameters that the stack does not have yet, and of no others.
func TestDecideKeepsWhatWasCreated(t *testing.T) {
	after := stack{Name: "p-Datastore", template: parse(t, with(t, withParameters, "https://idp.example/t", "https://new.example/t"))}
	p := decide(after, stackOf(t, literal), nil, nil)
	want := map[string]string{
		"CreatedDatastoreName": "a", "CreatedAuthorizationStrategy": "SMART_ON_FHIR",
		"CreatedFineGrainedAuthorizationEnabled": "true", "CreatedIdpLambdaArn": "arn:live",
		"CreatedMetadata": `{"authorization_endpoint":"https://idp.example/a","token_endpoint":"https://idp.example/t","capabilities":["c"]}`,
	}
	if !maps.Equal(p.keeps, want) {
		t.Errorf("got %v, want %v", p.keeps, want)
	}
	if p := decide(after, stackOf(t, withParameters), nil, nil); len(p.keeps) > 0 {
		t.Errorf("gives values to parameters that have some: %v", p.keeps)
	}
}

func TestDecideRemoval(t *testing.T) {
	for name, after := range map[string]string{
		"logical id": with(t, withParameters, `"Datastore":`, `"Other":`), "removal": `{"Resources": {}}`,
	} {
		p := decide(stack{Name: "p-Datastore", template: parse(t, after)}, stackOf(t, withParameters), nil, nil)
		if err := p.refusal(); !p.removed || err == nil || !strings.Contains(err.Error(), "deleted with all its records") {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestDecideByHand(t *testing.T) {
	live := contract.DatastoreSettings{DatastoreName: "a", AuthorizationStrategy: "SMART_ON_FHIR",
		FineGrainedAuthorizationEnabled: "true", IdpLambdaArn: "arn:live",
		Metadata: `{"capabilities": ["c"], "authorization_endpoint": "https://idp.example/a", "token_endpoint": "https://idp.example/t"}`}
	s := stack{Name: "p-Datastore", template: parse(t, withParameters)}
	for _, document := range []string{withParameters, literal} {
		if p := decide(s, stackOf(t, document), nil, &live); p.byHand != nil {
			t.Errorf("got %+v", p)
		}
	}
	live.DatastoreName = "b"
	for given, applies := range map[string]bool{"": false, "p-Datastore:ApplySettings=": false, "p-Datastore:ApplySettings=1": true} {
		p := decide(s, stackOf(t, withParameters), []string{"--parameters", given}, &live)
		if !slices.Equal(p.byHand, []string{"DatastoreName"}) || p.applies != applies {
			t.Errorf("%s: got %+v", given, p)
		}
	}
}

func TestReport(t *testing.T) {
	for name, test := range map[string]struct {
		plan plan
		want string
	}{
		"nothing": {plan{}, "p-Datastore, the datastore:\n  no change\n"},
		"all": {plan{replaces: []string{"kmsKey"}, changed: []string{"DatastoreName", "token_endpoint"}}, "p-Datastore, the datastore:\n" +
			"  would replace:    kmsKey\n" +
			"  changes in place: DatastoreName, token_endpoint\n"},
		"by hand": {plan{byHand: []string{"issuer\x1b"}}, "p-Datastore, the datastore:\n" +
			"  changed by hand:  issuer\ufffd\n" +
			"  Somebody changed issuer\ufffd on the datastore itself since the last deploy.\n" +
			"  This deploy leaves that. To set what the context has:\n" +
			"    make deploy CDK_OPTIONS=\"--parameters p-Datastore:ApplySettings=2026-11-24T12:00:00Z\"\n"},
		"by hand, and set again": {plan{byHand: []string{"issuer"}, applies: true}, "p-Datastore, the datastore:\n" +
			"  changed by hand:  issuer\n" +
			"  Somebody changed issuer on the datastore itself since the last deploy.\n" +
			"  This deploy sets every setting as the context has it.\n"},
	} {
		test.plan.stack = "p-Datastore"
		var b strings.Builder
		test.plan.report(&b, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
		if b.String() != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, b.String(), test.want)
		}
	}
}
