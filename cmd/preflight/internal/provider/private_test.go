package provider

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

// Whether a provider is out of reach is asked only in a VPC, and answered by trying, since this machine may be in its network.
func TestOutOfReach(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(up.Close)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	private := func(netip.Addr) Reach { return Private }
	for name, test := range map[string]struct {
		endpoint string
		subnets  []string
		reach    func(netip.Addr) Reach
		want     string // "" for within reach
	}{
		"not in a VPC":              {down.URL, nil, private, ""},
		"private, connects":         {up.URL, []string{"subnet-01234567"}, private, ""},
		"private, does not connect": {down.URL, []string{"subnet-01234567"}, private, "127.0.0.1 has the private address 127.0.0.1, to which this machine does not connect; "},
		"public, does not connect":  {down.URL, []string{"subnet-01234567"}, func(netip.Addr) Reach { return Public }, ""},
		"no name here":              {"https://sso.clinic.invalid/", []string{"subnet-01234567"}, nil, "sso.clinic.invalid does not resolve on this machine; "},
	} {
		p := New(config.Config{AuthEndpointIntrospect: test.endpoint, VPCSubnets: test.subnets}, Options{Reach: test.reach})
		got := p.OutOfReach(t.Context())
		if !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if got != "" && !strings.HasSuffix(got, "make preflight from-lambda asks from there") {
			t.Errorf("%s: %q does not say what to do", name, got)
		}
	}
}
