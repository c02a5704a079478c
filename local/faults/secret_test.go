package faults

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/secretsmanager"
)

var silence = secretsmanager.Silent

// secretFault is what Secrets Manager does, or else what the secret has become.
type secretFault struct {
	name  string
	fault http.HandlerFunc
	value func(good object) string
}

func (f secretFault) stage(s *scene) {
	if f.value != nil {
		var good object
		if err := json.Unmarshal([]byte(encoded(s.Document)), &good); err != nil {
			s.t.Error(err)
		}
		f.fault = secretsmanager.Value(f.value(good))
	}
	s.Secrets.SetFault(f.fault)
}

func secretFaults() []secretFault {
	page := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			reset(c)
		}
	}
	with := func(members object) func(object) string {
		return func(good object) string { return good.With(members).String() }
	}
	return []secretFault{
		{name: "Secrets Manager does not respond", fault: silence},
		{name: "Secrets Manager throttles", fault: secretsmanager.Throttled},
		{name: "Secrets Manager denies", fault: secretsmanager.Denied},
		{name: "Secrets Manager resets the connection", fault: cut},
		{name: "Secrets Manager responds with 500", fault: page(500, `{"__type":"InternalServiceError"}`)},
		{name: "Secrets Manager responds with 200 and HTML", fault: page(200, "<html></html>")},
		{name: "Secrets Manager responds with 200 and `{}`", fault: page(200, "{}")},
		{name: "the secret is binary", fault: page(200, `{"Name":"SOF-HL","SecretBinary":"e30="}`)},
		{name: "the secret is gone", fault: secretsmanager.NotFound},
		{name: "the secret is empty", fault: secretsmanager.Value("")},
		{name: "the secret is not JSON", fault: secretsmanager.Value("client_id=1")},
		{name: "the secret is an array", fault: secretsmanager.Value("[]")},
		{name: "the secret is cut off", fault: secretsmanager.Value(`{"client_id":"1",`)},
		{name: "the secret is 60 KB of garbage", fault: secretsmanager.Value(strings.Repeat("x", 60<<10))},
		{name: "the secret lacks `auth_endpoint_introspect`", value: with(object{"auth_endpoint_introspect": nil})},
		{name: "the secret lacks `auth_endpoint_token`", value: with(object{"auth_endpoint_token": nil})},
		{name: "the secret lacks `hl_role_arn`", value: with(object{"hl_role_arn": nil})},
		{name: "the secret's `hl_role_arn` is empty", value: with(object{"hl_role_arn": ""})},
		{name: "the secret's `auth_endpoint_introspect` is a number", value: with(object{"auth_endpoint_introspect": 7})},
	}
}

// unknownFields are no fault to the function.
var unknownFields = secretFault{name: "the secret has unknown fields", value: func(good object) string {
	maps.Copy(good, object{"note": "x", "nested": object{"a": []int{1}}, "lambda_enhanced_logging": 7})
	return good.String()
}}

func secretFaultsAtStart() group {
	g := group{title: "Secrets Manager, from the start"}
	for _, f := range secretFaults() {
		g.rows = append(g.rows, row{fault: "at the start, " + f.name, want: failed("secret_unavailable"), cold: true, stage: f.stage})
	}
	g.rows = append(g.rows,
		row{fault: "at the start, " + unknownFields.name, want: authorized, cold: true, stage: unknownFields.stage},
		document("the introspection endpoint has no TLS", failed("idp_settings"),
			func(s *scene) { s.Document.AuthEndpointIntrospect = "http://idp.example.com/introspect" }),
		document("the secret names an introspection endpoint on another server", failed("idp_settings"),
			func(s *scene) { s.Document.AuthEndpointIntrospect = "https://idp.example.com/introspect" }),
		document("the introspection endpoint is not a URL", failed("idp_settings"),
			func(s *scene) { s.Document.AuthEndpointIntrospect = "https://%zz/" }),
		document("the API key is wrong", failed("idp_unauthorized"), func(s *scene) { s.Document.APIKey = "srv_pat_wrong" }),
		document("the API key has a line break in it", failed("idp_settings"),
			func(s *scene) { s.Document.APIKey = "srv_pat\r\nX-Injected: 1" }),
		document("the API key is missing where it is needed", failed("idp_settings"),
			func(s *scene) { s.Document.APIKey, s.Environment.IntrospectionAuth = "", "bearer" }),
	)
	return g
}

func secretFaultsLater() group {
	g := group{title: "Secrets Manager, when the secret is a minute old"}
	const minute = 61 * time.Second
	for _, f := range append(secretFaults(), unknownFields) {
		g.rows = append(g.rows, row{fault: "after a minute, " + f.name, want: authorized, age: minute, stage: f.stage})
	}
	both := func(x fault) func(*scene) {
		return func(s *scene) { s.Secrets.SetFault(silence); s.front.strike(x) }
	}
	g.rows = append(g.rows,
		row{fault: "after 46 seconds, Secrets Manager does not respond", want: authorized, age: 46 * time.Second,
			stage: both(fault{})},
		row{fault: "after a minute, Secrets Manager does not respond and the provider's first request never gets a response",
			want: authorized, age: minute, stage: both(first(raw(hold)))},
		row{fault: "after a minute, neither Secrets Manager nor the provider responds", want: timeout, age: minute,
			stage: both(raw(hold))},
	)
	return g
}
