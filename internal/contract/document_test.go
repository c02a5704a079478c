package contract_test

import (
	"encoding/json"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

const complete = `{"client_id":"id","client_secret":"s3cret","auth_endpoint":"https://idp/","auth_endpoint_token":"https://idp/t",` +
	`"auth_endpoint_introspect":"https://idp/i","api_key":"k3y","hl_role_arn":"arn:role","hl_datastore_name":"ds",` +
	`"lambda_enhanced_logging":"true"}`

func TestDocumentIsWrittenAsItIsRead(t *testing.T) {
	d, err := contract.ParseDocument([]byte(complete), true)
	if err != nil {
		t.Fatal(err)
	}
	want := contract.Document{
		ClientID: "id", ClientSecret: "s3cret", AuthEndpoint: "https://idp/", AuthEndpointToken: "https://idp/t",
		AuthEndpointIntrospect: "https://idp/i", APIKey: "k3y", HLRoleARN: "arn:role", HLDatastoreName: "ds",
		LambdaEnhancedLogging: true,
	}
	if d != want {
		t.Errorf("read %+v, want %+v", d, want)
	}
	text, err := json.Marshal(d)
	if err != nil || string(text) != complete {
		t.Errorf("wrote %s, %v, want %s", text, err, complete)
	}
}

func TestParseNamesWhatIsWrongAndQuotesNothing(t *testing.T) {
	for text, want := range map[string]string{
		``:               "not a JSON object",
		`null`:           "missing auth_endpoint_token, auth_endpoint_introspect, hl_role_arn",
		`{}`:             "missing auth_endpoint_token, auth_endpoint_introspect, hl_role_arn",
		`s3cret`:         "not a JSON object",
		`["s3cret"]`:     "not a JSON object",
		complete + `x`:   "not a JSON object",
		complete[:40]:    "not a JSON object",
		`{"api_key": 7}`: "field api_key is not a string",
		strings.Replace(complete, "arn:role", "", 1):          "missing hl_role_arn",
		strings.Replace(complete, `"https://idp/i"`, `{}`, 1): "field auth_endpoint_introspect is not a string",
	} {
		_, err := contract.ParseDocument([]byte(text), true)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "k3y")) {
			t.Errorf("%s: the error quotes the secret: %v", text, err)
		}
	}
}

func TestFlag(t *testing.T) {
	for text, want := range map[string]contract.Flag{
		`"true"`: true, `"True"`: true, `true`: true,
		`"false"`: false, `false`: false, `""`: false, `"yes"`: false, `1`: false, `null`: false, `{}`: false,
	} {
		var got contract.Flag
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %t, %v, want %t", text, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{complete, `{}`, `null`, `{"api_key":1}`, `{"lambda_enhanced_logging":true}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := contract.ParseDocument(text, true)
		if (err == nil) != (d.AuthEndpointToken != "" && d.AuthEndpointIntrospect != "" && d.HLRoleARN != "") {
			t.Errorf("%v with %+v", err, d)
		}
	})
}

func TestTheIntrospectionEndpointIsNeededOnlyForIntrospection(t *testing.T) {
	without := []byte(strings.Replace(complete, "https://idp/i", "", 1))
	if _, err := contract.ParseDocument(without, true); err == nil || !strings.Contains(err.Error(), "auth_endpoint_introspect") {
		t.Errorf("with introspection: %v", err)
	}
	if _, err := contract.ParseDocument(without, false); err != nil {
		t.Errorf("without: %v", err)
	}
}
