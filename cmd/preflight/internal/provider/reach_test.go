package provider

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/config"
)

func TestReachOf(t *testing.T) {
	for address, want := range map[string]Reach{
		"93.184.216.34": Public, "2606:2800:220:1::1": Public, "100.63.255.255": Public, "172.32.0.1": Public,
		"10.0.0.1": Private, "172.16.0.1": Private, "192.168.1.1": Private, "fd00::1": Private, "100.64.0.1": Private,
		"127.0.0.1": Local, "127.1.2.3": Local, "::1": Local, "0.0.0.0": Local, "::": Local, "169.254.169.254": Local,
		"fe80::1": Local, "224.0.0.1": Local, "::ffff:127.0.0.1": Local, "::ffff:10.0.0.1": Private,
	} {
		if got := ReachOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestCheckReach(t *testing.T) {
	p := New(config.Config{}, Options{})
	for _, test := range []struct {
		from      Reach
		endpoint  string
		forbidden bool
	}{
		{Public, "https://93.184.216.34/x", false},
		{Public, "https://10.0.0.1/x", true},
		{Public, "http://127.0.0.1:1/x", true},
		{Public, "http://localhost:1/x", true},
		{Public, "http://LOCALHOST/x", true},
		{Public, "http://[::1]/x", true},
		{Public, "http://[::ffff:127.0.0.1]/x", true},
		{Public, "https://169.254.169.254/latest/meta-data", true},
		{Private, "https://10.0.0.1/x", false},
		{Private, "http://127.0.0.1/x", true},
		{Local, "http://127.0.0.1/x", false},
		{Local, "https://10.0.0.1/x", false},
	} {
		for _, e := range elements {
			text, err := json.Marshal(map[string]string{e.name: test.endpoint})
			if err != nil {
				t.Fatal(err)
			}
			set, err := claims.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			err = p.CheckReach(context.Background(), Document{reach: test.from, set: set})
			if (err != nil) != test.forbidden || err != nil && !strings.Contains(err.Error(), e.name+" is "+test.endpoint) {
				t.Errorf("from %v, %s %s: %v", test.from, e.name, test.endpoint, err)
			}
		}
	}
}
