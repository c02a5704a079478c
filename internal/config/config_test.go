package config

import (
	"maps"
	"reflect"
	"testing"
)

// valid is a context with the required keys and an audience, without which there is a warning, and none of the sample's
// placeholders.
func valid() map[string]any {
	return map[string]any{
		"account":                "210987654321",
		"region":                 "us-east-1",
		"tagName":                "Purpose",
		"tagValue":               "smart",
		"prefix":                 "fhir-",
		"datastoreName":          "records",
		"clientId":               "resource-server",
		"authEndpoint":           "https://idp.example",
		"authEndpointToken":      "https://idp.example/oauth2/token",
		"authEndpointIntrospect": "https://idp.example/admin/oauth2/introspect",
		"requiredAudience":       "datastore",
	}
}

// with is the valid context with changes; a nil value removes a key.
func with(changes map[string]any) map[string]any {
	context := valid()
	maps.Copy(context, changes)
	maps.DeleteFunc(context, func(_ string, v any) bool { return v == nil })
	return context
}

// lines is what Parse says about the context, errors and warnings marked.
func lines(context map[string]any) []string {
	_, problems := Parse(context)
	var l []string
	for _, p := range problems {
		mark := "error "
		if p.Warning {
			mark = "warning "
		}
		l = append(l, mark+p.String())
	}
	return l
}

// says checks every line that Parse reports about the valid context with changes.
func says(t *testing.T, changes map[string]any, want ...string) {
	t.Helper()
	if got := lines(with(changes)); !reflect.DeepEqual(got, want) {
		t.Errorf("context with %v\n got %q\nwant %q", changes, got, want)
	}
}

// accepts checks that Parse has no objection and returns what it read.
func accepts(t *testing.T, changes map[string]any) Config {
	t.Helper()
	says(t, changes)
	c, _ := Parse(with(changes))
	return c
}

// faults checks that the valid context with changes has exactly one problem, an error about the key.
func faults(t *testing.T, key string, changes map[string]any) {
	t.Helper()
	_, problems := Parse(with(changes))
	if len(problems) != 1 || problems[0].Key != key || problems[0].Warning {
		t.Errorf("context with %v\n got %v\nwant one error about %s", changes, problems, key)
	}
}
