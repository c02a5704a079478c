package config

import (
	"fmt"
	"reflect"
	"testing"
)

func TestVPC(t *testing.T) {
	type m = map[string]any
	const group, vpc = "sg-01234567", "vpc-0123456789abcdef0"
	two := []any{"subnet-01234567", "subnet-0123456789abcdef0"}

	if accepts(t, nil).InVPC() {
		t.Error("in a VPC by default")
	}
	c := accepts(t, m{"vpcSubnets": "subnet-01234567, subnet-0123456789abcdef0", "vpcId": vpc, "vpcSecretsEndpoint": "true"})
	if !c.InVPC() || len(c.VPCSubnets) != 2 || c.VPCID != vpc || !c.VPCSecretsEndpoint {
		t.Errorf("got %+v", c)
	}
	accepts(t, m{"vpcSubnets": two, "vpcSecurityGroups": group})
	accepts(t, m{"vpcSubnets": two, "vpcSecurityGroups": group, "vpcId": vpc, "vpcSecretsEndpoint": true})

	const subnetsToo = ", want vpcSubnets as well, or none of the vpc… keys"
	says(t, m{"vpcId": vpc, "vpcSecurityGroups": group, "vpcSecretsEndpoint": true},
		`error vpcId: got "`+vpc+`"`+subnetsToo, "error vpcSecurityGroups: got "+group+subnetsToo,
		"error vpcSecretsEndpoint: got true"+subnetsToo)
	says(t, m{"vpcSubnets": two}, `error vpcId: got "", want the VPC in which to make the function's security group, or vpcSecurityGroups`)
	says(t, m{"vpcSubnets": two, "vpcSecurityGroups": group, "vpcSecretsEndpoint": true},
		`error vpcId: got "", want the VPC in which to make the endpoint of vpcSecretsEndpoint`)
	says(t, m{"vpcSubnets": two[:1], "vpcId": vpc}, "warning vpcSubnets: got one subnet, "+
		"want two in two availability zones: without the one zone every request is refused")

	var subnets, groups []any
	for i := range 17 {
		subnets, groups = append(subnets, fmt.Sprintf("subnet-012345%02d", i)), append(groups, fmt.Sprintf("sg-012345%02d", i))
	}
	accepts(t, m{"vpcSubnets": subnets[:16], "vpcSecurityGroups": groups[:5]})
	says(t, m{"vpcSubnets": subnets, "vpcSecurityGroups": groups[:6]}, "error vpcSubnets: got 17 subnets, want at most 16, Lambda's limit",
		"error vpcSecurityGroups: got 6 security groups, want at most 5, Lambda's limit")
}

// What the function calls: the deployment opens these endpoints' ports and no others.
func TestEndpoints(t *testing.T) {
	type m = map[string]any
	const more = `[{"issuer": "https://more.example", "jwks": "https://more.example:8443/jwks", "requiredAudience": "datastore"}]`
	for _, test := range []struct {
		changes m
		want    []string
	}{
		{nil, []string{"https://idp.example"}},
		{m{"authEndpointIntrospect": "https://idp.example:9443/introspect", "moreIssuers": more},
			[]string{"https://idp.example:9443", "https://more.example:8443/jwks"}},
		{m{"tokenValidation": "jwt", "authEndpointJwks": "https://idp.example:7443/jwks", "moreIssuers": more},
			[]string{"https://idp.example:7443/jwks", "https://more.example:8443/jwks"}},
	} {
		if got := accepts(t, test.changes).Environment().Endpoints(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: got %q, want %q", test.changes, got, test.want)
		}
	}
}
