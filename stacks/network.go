package stacks

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// Network is how the function reaches its provider and its secret from inside a VPC. Nothing is looked up in the account: the
// context has the ids.
type Network struct {
	constructs.Construct
	SubnetIDs, SecurityGroupIDs []*string
	// SecretsManagerURL is the only way to the secret where the deployment makes one; nil: AWS's own name for the service.
	SecretsManagerURL *string
}

// NetworkProps are the properties of Network.
type NetworkProps struct {
	Config    config.Config // one that is in a VPC
	SecretARN *string
}

// NewNetwork adds the function's security group, unless the context names some, and the endpoint, if the context asks for it.
func NewNetwork(scope constructs.Construct, id string, props NetworkProps) Network {
	cfg := props.Config
	network := Network{
		Construct:        constructs.NewConstruct(scope, jsii.String(id)),
		SubnetIDs:        *jsii.Strings(cfg.VPCSubnets...),
		SecurityGroupIDs: *jsii.Strings(cfg.VPCSecurityGroups...),
	}
	if len(cfg.VPCSecurityGroups) == 0 {
		group := newSecurityGroup(network.Construct, cfg).AttrGroupId()
		network.SecurityGroupIDs = []*string{group}
		output(scope, "SecurityGroupId", "Security group of the function; let it in where the provider is", group)
	}
	if cfg.VPCSecretsEndpoint {
		endpoint := newSecretsEndpoint(network.Construct, props, network.SecurityGroupIDs)
		// The first entry is the name in all zones, "<hosted zone>:<name>" (CloudFormation, AWS::EC2::VPCEndpoint).
		name := awscdk.Fn_Select(jsii.Number(1), awscdk.Fn_Split(jsii.String(":"),
			awscdk.Fn_Select(jsii.Number(0), endpoint.AttrDnsEntries()), nil))
		network.SecretsManagerURL = jsii.String("https://" + *name)
	}
	return network
}

// connect connects the function to the VPC. The function's class would want the VPC itself, with its zones, for which the CDK
// looks into the account.
func (n Network) connect(function awslambda.Function) {
	resource := function.Node().DefaultChild().(awslambda.CfnFunction)
	resource.SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{
		SubnetIds: &n.SubnetIDs, SecurityGroupIds: &n.SecurityGroupIDs,
	})
	if n.SecretsManagerURL != nil {
		function.AddEnvironment(jsii.String(contract.SecretsManagerURL), n.SecretsManagerURL, nil)
	}
}

// newSecurityGroup adds a group that lets nothing in, and out only to HTTPS and the providers' ports. Addresses are left open: the
// provider's are not known here, and names are looked up at the VPC's own resolver, which no security group restricts.
func newSecurityGroup(scope constructs.Construct, cfg config.Config) awsec2.CfnSecurityGroup {
	var rules []awsec2.CfnSecurityGroup_EgressProperty
	for _, port := range egressPorts(cfg) {
		rules = append(rules, awsec2.CfnSecurityGroup_EgressProperty{
			Description: jsii.String("Secrets Manager and the identity provider"),
			IpProtocol:  jsii.String("tcp"), FromPort: jsii.Number(port), ToPort: jsii.Number(port), CidrIp: jsii.String("0.0.0.0/0"),
		})
	}
	return awsec2.NewCfnSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.CfnSecurityGroupProps{
		GroupDescription:    jsii.String(cfg.Names().Function + " asks the identity provider"),
		VpcId:               jsii.String(cfg.VPCID),
		SecurityGroupEgress: rules,
	})
}

// egressPorts are 443 and the ports of what the function calls at the providers, in order.
func egressPorts(cfg config.Config) []int {
	ports := []int{443}
	for _, endpoint := range cfg.Environment().Endpoints() {
		if u, err := url.Parse(endpoint); err == nil && u.Port() != "" {
			port, _ := strconv.Atoi(u.Port()) // the configuration has checked it
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// newSecretsEndpoint adds an interface endpoint for the function alone. It has no private DNS name: that would lead everybody
// in the VPC here, whom the policy refuses.
func newSecretsEndpoint(scope constructs.Construct, props NetworkProps, callers []*string) awsec2.CfnVPCEndpoint {
	cfg := props.Config
	var ingress []awsec2.CfnSecurityGroup_IngressProperty
	for _, caller := range callers {
		ingress = append(ingress, awsec2.CfnSecurityGroup_IngressProperty{
			Description: jsii.String("The function reads its secret"), SourceSecurityGroupId: caller,
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(443), ToPort: jsii.Number(443),
		})
	}
	group := awsec2.NewCfnSecurityGroup(scope, jsii.String("EndpointSecurityGroup"), &awsec2.CfnSecurityGroupProps{
		GroupDescription:     jsii.String("Secrets Manager for " + cfg.Names().Function),
		VpcId:                jsii.String(cfg.VPCID),
		SecurityGroupIngress: ingress,
		// Without a rule, everything would be allowed: this one is for an address that nobody has.
		SecurityGroupEgress: []awsec2.CfnSecurityGroup_EgressProperty{{
			Description: jsii.String("Nothing"), IpProtocol: jsii.String("icmp"), CidrIp: jsii.String("255.255.255.255/32"),
			FromPort: jsii.Number(252), ToPort: jsii.Number(86),
		}},
	})
	return awsec2.NewCfnVPCEndpoint(scope, jsii.String("SecretsEndpoint"), &awsec2.CfnVPCEndpointProps{
		VpcEndpointType:   jsii.String("Interface"),
		ServiceName:       jsii.String("com.amazonaws." + cfg.Region + ".secretsmanager"),
		VpcId:             jsii.String(cfg.VPCID),
		SubnetIds:         anyValues(cfg.VPCSubnets),
		SecurityGroupIds:  &[]any{group.AttrGroupId()},
		PrivateDnsEnabled: jsii.Bool(false),
		PolicyDocument: awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Principals: &[]awsiam.IPrincipal{awsiam.NewStarPrincipal()}, // not every endpoint takes another (AWS PrivateLink Guide)
				Actions:    jsii.Strings("secretsmanager:GetSecretValue"),
				Resources:  &[]*string{props.SecretARN},
				Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": cfg.Names().LambdaRoleARN}},
			}),
		}}),
	})
}

func anyValues(values []string) *[]any {
	converted := make([]any, 0, len(values))
	for _, value := range values {
		converted = append(converted, value)
	}
	return &converted
}

// statements let Lambda make and remove the function's network interfaces, with its role, and keep the function's own code from
// doing the same (Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC").
func (n Network) statements(cfg config.Config) []awsiam.PolicyStatement {
	arn := func(resource string) *string { return jsii.String(cfg.Names().EC2ARN(resource)) }
	interfaces := arn("network-interface/*")
	createdFrom := []*string{interfaces}
	for _, subnet := range n.SubnetIDs {
		createdFrom = append(createdFrom, arn("subnet/"+*subnet))
	}
	for _, group := range n.SecurityGroupIDs {
		createdFrom = append(createdFrom, arn("security-group/"+*group))
	}
	const create = "ec2:CreateNetworkInterface"
	look := []string{"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"}
	change := []string{"ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"}
	return []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(create), Resources: &createdFrom}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(change...), Resources: &[]*string{interfaces}}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings(look...), Resources: jsii.Strings("*"), // EC2 has no resource for these
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Effect:     awsiam.Effect_DENY,
			Actions:    jsii.Strings(slices.Concat([]string{create}, change, look)...),
			Resources:  jsii.Strings("*"),
			Conditions: &map[string]any{"ArnEquals": map[string]any{"lambda:SourceFunctionArn": cfg.Names().FunctionARN}},
		}),
	}
}
