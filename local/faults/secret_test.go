package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/sandbox"
	"healthlake-smart-on-fhir/local/secretsmanager"
)

var slowSecrets = secretsmanager.Slow(5 * time.Second)

// secretFault is what Secrets Manager does, or what the secret has become.
type secretFault struct {
	name  string
	fault secretsmanager.Fault
	value func(good map[string]any) string // nil leaves the value
	gone  bool
}

func secretFaults() []secretFault {
	page := func(status int, body string) secretsmanager.Fault {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	text := func(value string) func(map[string]any) string { return func(map[string]any) string { return value } }
	without := func(field string) func(map[string]any) string {
		return func(good map[string]any) string { delete(good, field); return string(encoded(good)) }
	}
	with := func(field string, value any) func(map[string]any) string {
		return func(good map[string]any) string { good[field] = value; return string(encoded(good)) }
	}
	return []secretFault{
		{name: "Secrets Manager takes 5 s", fault: slowSecrets},
		{name: "Secrets Manager throttles", fault: secretsmanager.Throttled},
		{name: "Secrets Manager denies", fault: secretsmanager.Denied},
		{name: "Secrets Manager resets the connection", fault: func(w http.ResponseWriter, _ *http.Request) bool {
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				reset(c)
			}
			return true
		}},
		{name: "Secrets Manager answers 500", fault: page(500, `{"__type":"InternalServiceError"}`)},
		{name: "Secrets Manager answers 200 with HTML", fault: page(200, "<html></html>")},
		{name: "Secrets Manager answers 200 with `{}`", fault: page(200, "{}")},
		{name: "the secret is binary", fault: page(200, `{"Name":"SOF-HL","SecretBinary":"e30="}`)},
		{name: "the secret is gone", gone: true},
		{name: "the secret is empty", value: text("")},
		{name: "the secret is not JSON", value: text("client_id=1")},
		{name: "the secret is an array", value: text("[]")},
		{name: "the secret is cut off", value: text(`{"client_id":"1",`)},
		{name: "the secret is 60 KB of rubbish", value: text(strings.Repeat("x", 60<<10))},
		{name: "the secret lacks `auth_endpoint_introspect`", value: without("auth_endpoint_introspect")},
		{name: "the secret lacks `auth_endpoint_token`", value: without("auth_endpoint_token")},
		{name: "the secret lacks `hl_role_arn`", value: without("hl_role_arn")},
		{name: "the secret's `hl_role_arn` is empty", value: with("hl_role_arn", "")},
		{name: "the secret's `auth_endpoint_introspect` is a number", value: with("auth_endpoint_introspect", 7)},
	}
}

// extra is no fault to the function.
func extra() secretFault {
	return secretFault{name: "the secret has fields that nobody knows", value: func(good map[string]any) string {
		good["note"], good["nested"], good["lambda_enhanced_logging"] = "x", map[string]any{"a": []int{1}}, 7
		return string(encoded(good))
	}}
}

func (f secretFault) strike(s *scene) {
	s.Secrets.SetFault(f.fault)
	if f.gone {
		s.Secrets.Delete(sandbox.SecretName)
	}
	if f.value != nil {
		var good map[string]any
		if err := json.Unmarshal(encoded(s.Document), &good); err != nil {
			panic(err) // it was marshalled a moment ago
		}
		s.Secrets.Put(sandbox.SecretName, f.value(good))
	}
}

func secretFaultsAtStart() group {
	g := group{title: "Secrets Manager, from the start"}
	for _, f := range append(secretFaults(), extra()) {
		want := failed("secret_unavailable")
		if f.name == extra().name {
			want = authorized
		}
		g.rows = append(g.rows, row{
			fault: "at the start, " + f.name, want: []string{want}, cold: true,
			before: func(s *scene, _ map[string]string) { f.strike(s) },
		})
	}
	settings := func(name, want string, before func(*scene, map[string]string)) row {
		return row{fault: name, want: []string{want}, cold: true, again: 61 * time.Second, slow: true, before: before}
	}
	g.rows = append(g.rows,
		settings("the introspection endpoint has no TLS", failed("idp_settings"), func(s *scene, _ map[string]string) {
			s.Document.AuthEndpointIntrospect = "http://idp.example.com/introspect"
		}),
		settings("the secret names an introspection endpoint on another server", failed("idp_settings"), func(s *scene, _ map[string]string) {
			s.Document.AuthEndpointIntrospect = "https://idp.example.com/introspect"
		}),
		settings("the introspection endpoint is not a URL", failed("idp_settings"), func(s *scene, _ map[string]string) {
			s.Document.AuthEndpointIntrospect = "https://%zz/"
		}),
		settings("the API key is wrong", failed("idp_unauthorized"), func(s *scene, _ map[string]string) {
			s.Document.APIKey = "srv_pat_wrong"
		}),
		settings("the API key has a line break in it", failed("idp_settings"), func(s *scene, _ map[string]string) {
			s.Document.APIKey = "srv_pat\r\nX-Injected: 1"
		}),
		settings("the API key is missing where it is asked for", failed("idp_settings"),
			func(s *scene, env map[string]string) {
				s.Document.APIKey, env["INTROSPECTION_AUTH"] = "", "bearer"
			}),
	)
	return g
}

func secretFaultsAtRefresh() group {
	g := group{title: "Secrets Manager, when the secret is a minute old"}
	for _, f := range append(secretFaults(), extra()) {
		g.rows = append(g.rows, row{
			fault: "after a minute, " + f.name, want: []string{authorized}, age: 61 * time.Second, slow: true,
			strike: f.strike,
		})
	}
	slow := secretFault{fault: slowSecrets}
	g.rows = append(g.rows,
		row{
			fault: "after half a minute, Secrets Manager takes 5 s", want: []string{authorized},
			age: 35 * time.Second, slow: true, strike: slow.strike,
		},
		row{
			fault: "after a minute, Secrets Manager takes 5 s and the provider's first request is never answered",
			want:  []string{authorized}, age: 61 * time.Second, slow: true,
			strike: func(s *scene) {
				slow.strike(s)
				s.front.strike(fault{answer: func(n int, w http.ResponseWriter, r *http.Request) bool {
					return n == 1 && raw(hold)(n, w, r)
				}})
			},
		},
		row{
			fault: "after a minute, Secrets Manager takes 5 s and the provider never answers",
			want:  timeout, age: 61 * time.Second, slow: true,
			strike: func(s *scene) {
				slow.strike(s)
				s.front.strike(fault{answer: raw(hold)})
			},
		},
	)
	return g
}
