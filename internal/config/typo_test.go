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

func TestTypos(t *testing.T) {
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
	for _, other := range []string{"acct", "client_secret", "authEndpoints2", "Lambda", "", "url"} {
		accepts(t, map[string]any{other: "x"})
	}
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
