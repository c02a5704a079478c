package config

import (
	"slices"
	"testing"
)

func TestSharedNames(t *testing.T) {
	const (
		prefix = `prefix: got "fhir-" as in cdk.context.prod.json, want another prefix: both environments are in account 210987654321`
		secret = `secretName: got "SOF-HL" as in cdk.context.prod.json, want another secretName: both environments are in account 210987654321, region us-east-1`
		choose = `prefix: got "fhir-" as in cdk.context.prod.json, want -c env=prod if that environment is meant, else another prefix: both environments are in account 210987654321`
	)
	for name, test := range map[string]struct {
		own, other map[string]any
		want       []string
	}{
		"both":          {map[string]any{"env": "dev"}, nil, []string{"error " + prefix, "error " + secret}},
		"prefix":        {map[string]any{"env": "dev"}, map[string]any{"secretName": "PROD"}, []string{"error " + prefix}},
		"secret":        {map[string]any{"env": "dev"}, map[string]any{"prefix": "prod-"}, []string{"error " + secret}},
		"neither":       {map[string]any{"env": "dev", "secretName": "DEV"}, map[string]any{"prefix": "prod-"}, nil},
		"account":       {map[string]any{"env": "dev"}, map[string]any{"account": "000000000000"}, nil},
		"region":        {map[string]any{"env": "dev"}, map[string]any{"region": "eu-west-2"}, []string{"error " + prefix}},
		"no choice":     {nil, map[string]any{"region": "eu-west-2"}, []string{"warning " + choose}},
		"other invalid": {map[string]any{"env": "dev"}, map[string]any{"account": "prod"}, nil},
	} {
		_, problems := Parse(with(test.own), Environment{"prod", "cdk.context.prod.json", with(test.other)})
		var got []string
		for _, p := range problems {
			severity := "error "
			if p.Warning {
				severity = "warning "
			}
			got = append(got, severity+p.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, test.want)
		}
	}
}
