package config

import (
	"fmt"
	"strings"
)

// Lambda API Reference, VpcConfig.
const (
	maxSubnets        = 16
	maxSecurityGroups = 5
)

// vpcRule is what the four keys of a VPC require of each other.
func vpcRule(c Config) (problems []Problem) {
	add := func(wrong bool, key, got, want string) {
		if wrong {
			problems = append(problems, Problem{Key: key, Got: got, Want: want})
		}
	}
	if !c.InVPC() {
		const want = KeyVPCSubnets + " as well, or none of the vpc… keys"
		add(c.VPCID != "", KeyVPCID, show(c.VPCID), want)
		add(len(c.VPCSecurityGroups) > 0, KeyVPCSecurityGroups, strings.Join(c.VPCSecurityGroups, ", "), want)
		add(c.VPCSecretsEndpoint, KeyVPCSecretsEndpoint, "true", want)
		return problems
	}
	add(len(c.VPCSubnets) > maxSubnets, KeyVPCSubnets, fmt.Sprintf("%d subnets", len(c.VPCSubnets)),
		fmt.Sprintf("at most %d, Lambda's limit", maxSubnets))
	add(len(c.VPCSecurityGroups) > maxSecurityGroups, KeyVPCSecurityGroups, fmt.Sprintf("%d security groups", len(c.VPCSecurityGroups)),
		fmt.Sprintf("at most %d, Lambda's limit", maxSecurityGroups))
	switch {
	case c.VPCID != "":
	case len(c.VPCSecurityGroups) == 0:
		add(true, KeyVPCID, `""`, "the VPC in which to make the function's security group, or "+KeyVPCSecurityGroups)
	default:
		add(c.VPCSecretsEndpoint, KeyVPCID, `""`, "the VPC in which to make the endpoint of "+KeyVPCSecretsEndpoint)
	}
	if len(c.VPCSubnets) == 1 {
		problems = append(problems, warning(KeyVPCSubnets, "one subnet",
			"two in two availability zones: without the one zone every request is refused")...)
	}
	return problems
}
