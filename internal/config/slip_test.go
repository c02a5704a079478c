package config

import (
	"strings"
	"testing"
)

func TestOneSlip(t *testing.T) {
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
		if got := oneSlip(test.a, test.b); got != test.want {
			t.Errorf("oneSlip(%q, %q) = %v", test.a, test.b, got)
		}
		if got := oneSlip(test.b, test.a); got != test.want {
			t.Errorf("oneSlip(%q, %q) = %v", test.b, test.a, got)
		}
	}
}

func TestSlips(t *testing.T) {
	for slip, meant := range map[string]string{
		"acount":                        "account",
		"authEndpiont":                  "authEndpoint",
		"authendpoint":                  "authEndpoint",
		"authEndPointToken":             "authEndpointToken",
		"clientID":                      "clientId",
		"ClientSecret":                  "clientSecret",
		"clientSecert":                  "clientSecret",
		"srvApiKey":                     "srvAPIKey",
		"lambdaConcurrentExecution":     "lambdaConcurrentExecutions",
		"lambdaConcurentExecution":      "lambdaConcurentExecutions",
		"lambdaMaxConcurentExecutions":  "lambdaMaxConcurrentExecutions",
		"lambdaMaxConcurrentExecutionS": "lambdaMaxConcurrentExecutions",
		"kmskey":                        "kmsKey",
	} {
		says(t, map[string]any{slip: "its value is not shown"}, "error unknown key "+slip+", did you mean "+meant+"?")
	}
	for _, other := range []string{"acct", "client_secret", "authEndpoints2", "Lambda", "", "url"} {
		accepts(t, map[string]any{other: "x"})
	}
	// What slipped into a key cannot garble the terminal.
	says(t, map[string]any{"pre\x1bfix": 1.0}, `error unknown key "pre\x1bfix", did you mean prefix?`)
	// A slip of a required key is reported beside the key that is missing.
	says(t, map[string]any{"acount": "210987654321", "account": nil},
		"error account: got nothing, want 12 digits",
		"error unknown key acount, did you mean account?")
}

// Many keys differ little from each other; none may pass for a slip of another.
func TestKnownKeysAreNoSlips(t *testing.T) {
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
		t.Errorf("%d spellings of %d keys, want two keys with a second one and no key twice", len(position), len(keys))
	}
}
