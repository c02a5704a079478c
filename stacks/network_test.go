package stacks

import (
	"maps"
	"slices"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

const twoSubnets = `["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]`

// Only the function that asks the provider is in the VPC, and only where the context says so.
func TestWhoIsInTheVPC(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		for name, tmpl := range s.stacks {
			inVPC := cfg.InVPC() && name == "CheckToken"
			for _, function := range tmpl.resources("AWS::Lambda::Function") {
				if got := at(function, "Properties", "VpcConfig") != nil; got != inVPC {
					t.Errorf("%s: a function in a VPC: %t", name, got)
				}
			}
			groups, endpoints := 0, 0
			if inVPC && len(cfg.VPCSecurityGroups) == 0 {
				groups++
			}
			if inVPC && cfg.VPCSecretsEndpoint {
				groups, endpoints = groups+1, 1
			}
			if n := len(tmpl.resources("AWS::EC2::SecurityGroup")); n != groups {
				t.Errorf("%s has %d security groups, want %d", name, n, groups)
			}
			if n := len(tmpl.resources("AWS::EC2::VPCEndpoint")); n != endpoints {
				t.Errorf("%s has %d endpoints, want %d", name, n, endpoints)
			}
		}
	})
}

// securityGroup is the id and the resource of the group with a description.
func securityGroup(t *testing.T, tmpl template, description string) (id string, properties map[string]any) {
	t.Helper()
	for id, group := range tmpl.resources("AWS::EC2::SecurityGroup") {
		if at(group, "Properties", "GroupDescription") == description {
			properties = maps.Clone(group["Properties"].(map[string]any))
			delete(properties, "Tags")
			return id, properties
		}
	}
	t.Fatalf("no security group %q", description)
	return "", nil
}

// The function's group lets nothing in, and out what the function calls: HTTPS, and the ports of all its providers.
func TestSecurityGroup(t *testing.T) {
	tmpl := get(t, "vpc").stacks["CheckToken"]
	id, group := securityGroup(t, tmpl, "sof-hl-checkToken asks the identity provider")
	rule := func(port string) string {
		return `{"Description": "Secrets Manager and the identity provider", "IpProtocol": "tcp", "CidrIp": "0.0.0.0/0",
			"FromPort": ` + port + `, "ToPort": ` + port + `}`
	}
	wantJSON(t, group, `{
		"GroupDescription": "sof-hl-checkToken asks the identity provider",
		"VpcId": "vpc-0123456789abcdef0",
		"SecurityGroupEgress": [`+rule("443")+`, `+rule("8443")+`, `+rule("9443")+`]
	}`)
	_, function := tmpl.one(t, "AWS::Lambda::Function")
	wantJSON(t, at(function, "Properties", "VpcConfig"), `{
		"SubnetIds": `+twoSubnets+`, "SecurityGroupIds": [{"Fn::GetAtt": ["`+id+`", "GroupId"]}]
	}`)
	wantJSON(t, at(tmpl.json, "Outputs", "SecurityGroupId", "Value"), `{"Fn::GetAtt": ["`+id+`", "GroupId"]}`)

	_, function = get(t, "vpcGroups").stacks["CheckToken"].one(t, "AWS::Lambda::Function")
	wantJSON(t, at(function, "Properties", "VpcConfig"), `{
		"SubnetIds": `+twoSubnets+`, "SecurityGroupIds": ["sg-0123456789abcdef0", "sg-0123456789abcdef1"]
	}`)
	if at(function, "Properties", "Environment", "Variables", contract.SecretsManagerURL) != nil {
		t.Error("the function has another way to Secrets Manager, and there is none")
	}
}

func TestEgressPorts(t *testing.T) {
	issuer := func(jwks string) contract.Issuer { return contract.Issuer{JWKS: jwks} }
	for _, test := range []struct {
		cfg  config.Config
		want []int
	}{
		{config.Config{AuthEndpointIntrospect: "https://a.example/introspect"}, []int{443}},
		{config.Config{AuthEndpointIntrospect: "https://a.example:444/introspect"}, []int{443, 444}},
		{config.Config{AuthEndpointIntrospect: "https://a.example:443/", AuthEndpointJwks: "https://a.example:1/jwks"}, []int{443}},
		{config.Config{TokenValidation: "jwt", AuthEndpointIntrospect: "https://a.example:1/", AuthEndpointJwks: "https://[fd00::1]:8443/jwks"},
			[]int{443, 8443}},
		{config.Config{AuthEndpointIntrospect: "https://a.example:9443/", MoreIssuers: []contract.Issuer{
			issuer("https://b.example:9443/jwks"), issuer("https://c.example:80/jwks"), issuer("https://d.example/jwks")}}, []int{80, 443, 9443}},
	} {
		if got := egressPorts(test.cfg); !slices.Equal(got, test.want) {
			t.Errorf("%+v: got %d, want %d", test.cfg, got, test.want)
		}
	}
}

// Nobody else in the VPC notices the endpoint: it takes over no name, takes calls from the function's group alone, and passes
// on one call, to one secret, of one role.
func TestSecretsEndpoint(t *testing.T) {
	tmpl := get(t, "vpc").stacks["CheckToken"]
	callers, _ := securityGroup(t, tmpl, "sof-hl-checkToken asks the identity provider")
	id, group := securityGroup(t, tmpl, "Secrets Manager for sof-hl-checkToken")
	wantJSON(t, group, `{
		"GroupDescription": "Secrets Manager for sof-hl-checkToken",
		"VpcId": "vpc-0123456789abcdef0",
		"SecurityGroupIngress": [{"Description": "The function reads its secret", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
			"SourceSecurityGroupId": {"Fn::GetAtt": ["`+callers+`", "GroupId"]}}],
		"SecurityGroupEgress": [{"Description": "Nothing", "IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}]
	}`)
	endpointID, endpoint := tmpl.one(t, "AWS::EC2::VPCEndpoint")
	properties := maps.Clone(endpoint["Properties"].(map[string]any))
	delete(properties, "Tags")
	wantJSON(t, properties, `{
		"VpcEndpointType": "Interface",
		"ServiceName": "com.amazonaws.us-east-1.secretsmanager",
		"VpcId": "vpc-0123456789abcdef0",
		"SubnetIds": `+twoSubnets+`,
		"SecurityGroupIds": [{"Fn::GetAtt": ["`+id+`", "GroupId"]}],
		"PrivateDnsEnabled": false,
		"PolicyDocument": {"Version": "2012-10-17", "Statement": [{
			"Effect": "Allow",
			"Principal": "*",
			"Action": "secretsmanager:GetSecretValue",
			"Resource": {"Fn::ImportValue": "sof-hl-Secret:ExportsOutputRefSecret34AA9512"},
			"Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/sof-hl-Lambda-Role"}}
		}]}
	}`)
	_, function := tmpl.one(t, "AWS::Lambda::Function")
	wantJSON(t, at(function, "Properties", "Environment", "Variables", contract.SecretsManagerURL), `{"Fn::Join": ["", ["https://",
		{"Fn::Select": [1, {"Fn::Split": [":", {"Fn::Select": [0, {"Fn::GetAtt": ["`+endpointID+`", "DnsEntries"]}]}]}]}]]}`)
}

// networkStatements are those of the function's policy in a VPC, with a comma before each.
func networkStatements(t *testing.T, cfg config.Config, tmpl template) string {
	t.Helper()
	if !cfg.InVPC() {
		return ""
	}
	const ec2 = "arn:aws:ec2:us-east-1:123456789012:"
	const subnets = `"` + ec2 + `subnet/subnet-0123456789abcdef0", "` + ec2 + `subnet/subnet-0123456789abcdef1"`
	from := `"` + ec2 + `security-group/sg-0123456789abcdef0", "` + ec2 + `security-group/sg-0123456789abcdef1", ` + subnets
	if len(cfg.VPCSecurityGroups) == 0 {
		id, _ := securityGroup(t, tmpl, "sof-hl-checkToken asks the identity provider")
		from = subnets + `, {"Fn::Join": ["", ["` + ec2 + `security-group/", {"Fn::GetAtt": ["` + id + `", "GroupId"]}]]}`
	}
	return `, {
		"Effect": "Allow",
		"Action": "ec2:CreateNetworkInterface",
		"Resource": ["` + ec2 + `network-interface/*", ` + from + `]
	}, {
		"Effect": "Allow",
		"Action": ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"],
		"Resource": "` + ec2 + `network-interface/*"
	}, {
		"Effect": "Allow",
		"Action": ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"],
		"Resource": "*"
	}, {
		"Effect": "Deny",
		"Action": ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
			"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"],
		"Resource": "*",
		"Condition": {"ArnEquals": {"lambda:SourceFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:sof-hl-checkToken"}}
	}`
}
