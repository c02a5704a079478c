package config

const vpcPage = "[in a VPC](../vpc.md)"

var vpcKeys = []key{
	{
		name: KeyVPCSubnets, byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.VPCSubnets }, subnets),
		doc: "Connects the function to these private subnets, from where it reaches a provider in a private network. Give two, in " +
			"two availability zones, for example `[\"subnet-0a1b2c3d4e5f60718\", \"subnet-1a2b3c4d5e6f70819\"]`. See " + vpcPage + ".",
	},
	{
		name: KeyVPCID, byDefault: fixed(""),
		value: text(func(c *Config) *string { return &c.VPCID }, vpcID),
		doc: "The VPC of these subnets, for example `vpc-0a1b2c3d4e5f60718`. Needed where the deployment makes something in it: a " +
			"security group or the endpoint.",
	},
	{
		name: KeyVPCSecurityGroups, byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.VPCSecurityGroups }, securityGroups),
		doc: "The function's security groups, for example `[\"sg-0a1b2c3d4e5f60718\"]`. Left out, the deployment makes one: nothing " +
			"in, and out only to port 443 and the ports of the provider's endpoints.",
	},
	{
		name: KeyVPCSecretsEndpoint, byDefault: fixed(false),
		value: boolean(func(c *Config) *bool { return &c.VPCSecretsEndpoint }),
		doc: "Makes an interface endpoint, through which this function alone reads this secret alone. For subnets without another way " +
			"to Secrets Manager, such as a NAT gateway. It [costs](scaling.md#what-the-rest-costs-a-month) by the hour and subnet.",
	},
}
