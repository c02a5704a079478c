package config

import (
	"strings"
	"testing"
)

func TestOneEdit(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"prefix", "prefix", false},
		{"", "", false},
		{"prefix", "prefi", true},
		{"prefix", "refix", true},
		{"prefix", "preffix", true},
		{"prefix", "prefixx", true},
		{"prefix", "prefox", true},
		{"prefix", "perfix", true},
		{"prefix", "prefxi", true},
		{"aab", "aba", true},
		{"aa", "aaa", true},
		{"prefix", "prexif", false}, // swapped, but not with its neighbour
		{"prefix", "prefixes", false},
		{"prefix", "Prefixx", false},
		{"größe", "grösse", false},
		{"größe", "große", true},
		{"a", "", true},
		{"ab", "", false},
	} {
		if got := oneEdit(test.a, test.b); got != test.want {
			t.Errorf("oneEdit(%q, %q) = %v", test.a, test.b, got)
		}
		if got := oneEdit(test.b, test.a); got != test.want {
			t.Errorf("oneEdit(%q, %q) = %v", test.b, test.a, got)
		}
	}
}

func TestUnknownKeys(t *testing.T) {
	for typo, meant := range map[string]string{
		"acount":                        "account",
		"authEndpiont":                  "authEndpoint",
		"authendpoint":                  "authEndpoint",
		"authEndPointToken":             "authEndpointToken",
		"clientID":                      "clientId",
		"ClientSecret":                  "clientSecret",
		"clientSecert":                  "clientSecret",
		"srvApiKey":                     "srvAPIKey",
		"lambdaConcurrentExecution":     "lambdaConcurrentExecutions",
		"lambdaConcurentExecution":      "lambdaConcurrentExecutions", // a typo of the alias
		"lambdaMaxConcurentExecutions":  "lambdaMaxConcurrentExecutions",
		"lambdaMaxConcurrentExecutionS": "lambdaMaxConcurrentExecutions",
		"kmskey":                        "kmsKey",
	} {
		says(t, map[string]any{typo: "its value is not shown"}, "error unknown key "+typo+", did you mean "+meant+"?")
	}
	for unknown, meant := range map[string]string{
		"audience":      "did you mean clientAssertionAudience or requiredAudience?",
		"jwksUri":       "did you mean authEndpointJwks?",
		"jwks_uri":      "did you mean authEndpointJwks?",
		"scopes":        "did you mean requiredScope or smartScopes?",
		"issuer":        "did you mean authIssuer, trustedIssuers or moreIssuers?",
		"lambdaMemory":  "did you mean lambdaMemorySize?",
		"client_secret": "did you mean clientSecret?",
		"kms-key-id":    "did you mean kmsKey?",
		"acct":          "all keys are in docs/reference/configuration.md",
		"url":           "all keys are in docs/reference/configuration.md",
		"":              "all keys are in docs/reference/configuration.md",
	} {
		says(t, map[string]any{unknown: "x"}, "error unknown key "+unknown+", "+meant)
	}
	accepts(t, map[string]any{"audience": nil})
	// Control characters in a key cannot garble the terminal.
	says(t, map[string]any{"pre\x1bfix": 1.0}, `error unknown key "pre\x1bfix", did you mean prefix?`)
	// A typo of a required key is reported beside the key that is missing.
	says(t, map[string]any{"acount": "210987654321", "account": nil},
		"error account: got nothing, want 12 digits",
		"error unknown key acount, did you mean account?")
}

// Many keys differ little from each other; none may pass for a typo of another.
func TestKnownKeysAreNoTypos(t *testing.T) {
	for _, k := range keys {
		for _, s := range k.spellings() {
			for _, line := range lines(map[string]any{s: "x"}) {
				if strings.Contains(line, UnknownKey) {
					t.Errorf("%s: %s", s, line)
				}
			}
		}
	}
	if len(position) != len(keys)+2 {
		t.Errorf("%d spellings of %d keys, want two aliases and no name twice", len(position), len(keys))
	}
}

// What the CDK's command line and library put into the context of this project or of another one.
func TestCDKsKeys(t *testing.T) {
	accepts(t, map[string]any{
		"@aws-cdk/core:bootstrapQualifier":                                  "x",
		"@aws-cdk-containers/ecs-service-extensions:enableDefaultLogDriver": true,
		"aws:cdk:enable-path-metadata":                                      true,
		"aws-cdk:enableDiffNoFail":                                          true,
		"availability-zones:account=123456789012:region=us-east-1":          []any{"us-east-1a"},
		"ssm:account=123456789012:parameterName=/x:region=us-east-1":        "x",
		"hosted-zone:account=210987654321:domainName=a.example:region=foo":  map[string]any{"Id": "x"},
		"aws:cdk:bundling-stacks":                                           []any{"**"},
		"acknowledged-issue-numbers":                                        []any{1.0},
		"cli-telemetry":                                                     false,
	})
	for _, other := range []string{"aws", "@aws-cdk", "cdk:x", "region:x"} {
		faults(t, other, map[string]any{other: "x"})
	}
}
