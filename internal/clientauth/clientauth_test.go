package clientauth_test

import (
	"testing"

	"healthlake-smart-on-fhir/internal/clientauth"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]clientauth.Method{
		"": clientauth.Auto, "auto": clientauth.Auto, "bearer": clientauth.Bearer, "basic": clientauth.Basic,
		"post": clientauth.Post, "none": clientauth.None,
		"client_secret_basic": clientauth.Basic, "client_secret_post": clientauth.Post,
	} {
		if got, err := clientauth.Parse(name); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"Basic", "digest", "auto ", "client_secret_jwt", "Client_Secret_Basic"} {
		if got, err := clientauth.Parse(name); err == nil {
			t.Errorf("%q: got %q, want an error", name, got)
		}
	}
}

func TestResolve(t *testing.T) {
	for _, test := range []struct {
		method                     clientauth.Method
		hasAPIKey, hasClientSecret bool
		want                       clientauth.Method
	}{
		{clientauth.Auto, true, true, clientauth.Bearer},
		{clientauth.Auto, true, false, clientauth.Bearer},
		{clientauth.Auto, false, true, clientauth.Basic},
		{clientauth.Auto, false, false, clientauth.None},
		{clientauth.Post, true, true, clientauth.Post},
		{clientauth.Basic, true, false, clientauth.Basic},
		{clientauth.Bearer, false, true, clientauth.Bearer},
		{clientauth.None, true, true, clientauth.None},
	} {
		if got := test.method.Resolve(test.hasAPIKey, test.hasClientSecret); got != test.want {
			t.Errorf("%s with a key %t, with a secret %t: got %s, want %s",
				test.method, test.hasAPIKey, test.hasClientSecret, got, test.want)
		}
	}
}

// What Resolve chooses is never in need of a credential that is not there.
func TestAutoNeedsNothingThatIsNotThere(t *testing.T) {
	for _, hasAPIKey := range []bool{false, true} {
		for _, hasClientSecret := range []bool{false, true} {
			m := clientauth.Auto.Resolve(hasAPIKey, hasClientSecret)
			if m.NeedsAPIKey() == clientauth.Required && !hasAPIKey ||
				m.NeedsClientSecret() == clientauth.Required && !hasClientSecret {
				t.Errorf("with a key %t, with a secret %t: %s", hasAPIKey, hasClientSecret, m)
			}
		}
	}
}
