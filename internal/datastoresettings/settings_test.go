package datastoresettings

import (
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestDifferences(t *testing.T) {
	base := contract.DatastoreSettings{
		DatastoreName: "a", AuthorizationStrategy: "SMART_ON_FHIR", FineGrainedAuthorizationEnabled: "true",
		IdpLambdaArn: "arn:live", Metadata: `{"token_endpoint":"https://a/t","capabilities":["x","y"]}`,
	}
	for _, test := range []struct {
		name   string
		change func(*contract.DatastoreSettings)
		want   []string
	}{
		{"nothing", func(*contract.DatastoreSettings) {}, nil},
		{"everything", func(s *contract.DatastoreSettings) { *s = contract.DatastoreSettings{} }, []string{"DatastoreName",
			"AuthorizationStrategy", "FineGrainedAuthorizationEnabled", "IdpLambdaArn", "Metadata"}},
		{"another way to write the document", func(s *contract.DatastoreSettings) {
			s.Metadata = "{\n \"capabilities\": [\"x\", \"y\"], \"token_endpoint\": \"https:\\/\\/a\\/t\"}"
		}, nil},
		{"one field", func(s *contract.DatastoreSettings) {
			s.Metadata = `{"token_endpoint":"https://b/t","capabilities":["x","y"]}`
		}, []string{"token_endpoint"}},
		{"a field more, one less", func(s *contract.DatastoreSettings) {
			s.Metadata = `{"token_endpoint":"https://a/t","issuer":"https://a"}`
		}, []string{"capabilities", "issuer"}},
		{"the order of a list", func(s *contract.DatastoreSettings) {
			s.Metadata = `{"token_endpoint":"https://a/t","capabilities":["y","x"]}`
		}, []string{"capabilities"}},
		{"no document", func(s *contract.DatastoreSettings) { s.Metadata = "null" }, []string{"capabilities", "token_endpoint"}},
		{"no JSON", func(s *contract.DatastoreSettings) { s.Metadata = "x" }, []string{"Metadata"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			other := base
			test.change(&other)
			for _, got := range [][]string{Differences(base, other), Differences(other, base)} {
				if !slices.Equal(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}

// properties are those that CloudFormation sends, of a datastore that has what it was created with.
func properties() map[string]any {
	return map[string]any{
		"ServiceToken": "arn:function", "ServiceTimeout": "720",
		"DatastoreId": "d1", "DatastoreName": "a", "AuthorizationStrategy": "SMART_ON_FHIR",
		"FineGrainedAuthorizationEnabled": "true", "IdpLambdaArn": "arn:live",
		"Metadata": map[string]any{
			"capabilities": []any{"permission-v1"}, "token_endpoint": "https://a/t", "authorization_endpoint": "https://a/a",
			"grant_types_supported": []any{"authorization_code"}, "code_challenge_methods_supported": []any{"S256"},
		},
		"Created": map[string]any{
			"DatastoreName": "a", "AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": "true",
			"IdpLambdaArn": "arn:live", "Metadata": metadata("https://a/t"),
		},
	}
}

func metadata(tokenEndpoint string) string {
	return `{"authorization_endpoint":"https://a/a","token_endpoint":"` + tokenEndpoint + `",` +
		`"grant_types_supported":["authorization_code"],"capabilities":["permission-v1"],"code_challenge_methods_supported":["S256"]}`
}

// with are properties with another token endpoint.
func with(tokenEndpoint string) map[string]any {
	p := properties()
	p["Metadata"].(map[string]any)["token_endpoint"] = tokenEndpoint
	return p
}

func TestRead(t *testing.T) {
	renamed := properties()
	renamed["DatastoreName"], renamed["FineGrainedAuthorizationEnabled"] = "b", "false"
	applied := properties()
	applied["ApplySettings"] = "1"
	all := []string{"DatastoreName", "AuthorizationStrategy", "FineGrainedAuthorizationEnabled", "IdpLambdaArn", "Metadata"}
	replaced := with("https://b/t")
	replaced["DatastoreId"] = "d2"
	for _, test := range []struct {
		name     string
		kind     cfn.RequestType
		now, old map[string]any
		want     []string
	}{
		{"created as wanted", cfn.RequestCreate, properties(), nil, nil},
		{"created otherwise", cfn.RequestCreate, renamed, nil, []string{"DatastoreName", "FineGrainedAuthorizationEnabled"}},
		{"created, to be compared", cfn.RequestCreate, applied, nil, all},
		{"to be compared", cfn.RequestUpdate, applied, properties(), all},
		{"compared before", cfn.RequestUpdate, applied, applied, nil},
		{"back from a comparison", cfn.RequestUpdate, properties(), applied, nil},
		{"update of nothing", cfn.RequestUpdate, with("https://b/t"), with("https://b/t"), nil},
		{"update", cfn.RequestUpdate, with("https://c/t"), with("https://b/t"), []string{"token_endpoint"}},
		{"back to what it was created with", cfn.RequestUpdate, properties(), with("https://b/t"), []string{"token_endpoint"}},
		{"another datastore", cfn.RequestUpdate, replaced, with("https://b/t"), []string{"token_endpoint"}},
		{"deletion", cfn.RequestDelete, with("https://b/t"), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(cfn.Event{RequestType: test.kind, ResourceProperties: test.now, OldResourceProperties: test.old})
			if err != nil || !slices.Equal(got.changes, test.want) {
				t.Errorf("got %q, %v, want %q", got.changes, err, test.want)
			}
			if test.kind != cfn.RequestDelete && got.datastoreID != test.now["DatastoreId"] {
				t.Errorf("datastore %q", got.datastoreID)
			}
		})
	}

	got, err := read(cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: with("https://b/t")})
	want := contract.DatastoreSettings{DatastoreName: "a", AuthorizationStrategy: "SMART_ON_FHIR",
		FineGrainedAuthorizationEnabled: "true", IdpLambdaArn: "arn:live", Metadata: metadata("https://b/t")}
	if err != nil || got.wanted != want {
		t.Errorf("got %+v, %v, want %+v", got.wanted, err, want)
	}
}

func TestReadRefuses(t *testing.T) {
	mistyped := properties()
	mistyped["Metadata"] = "text"
	for name, event := range map[string]cfn.Event{
		"nothing":             {RequestType: cfn.RequestCreate},
		"mistyped":            {RequestType: cfn.RequestCreate, ResourceProperties: mistyped},
		"update from nothing": {RequestType: cfn.RequestUpdate, ResourceProperties: properties()},
	} {
		if got, err := read(event); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
