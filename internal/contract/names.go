package contract

import (
	"slices"
	"strings"
)

// The parts of names that users know; a name is made of the prefix of the deployment and one of these.
const (
	RolesStack      = "Roles"
	SecretStack     = "Secret"
	CheckTokenStack = "CheckToken"
	DatastoreStack  = "Datastore"

	checkTokenFunction = "checkToken"
	lambdaRole         = "Lambda-Role"
	settingsFunction   = "datastoreSettings"
	settingsRole       = "Settings-Role"
	dataAccessRole     = "Role-for-HealthLake-Data-Access"
)

const (
	// DefaultSecretName is the secret's name where the deployment gives none.
	DefaultSecretName = "SOF-HL"
	// AliasName is the function's alias that the datastore calls. The datastore knows the function by the alias's ARN.
	AliasName = "live"
	// MaxDatastoreName is HealthLake's limit in characters, the prefix included (API Reference, CreateFHIRDatastore).
	MaxDatastoreName = 256
)

// PrefixedName is a kind of name that begins with the prefix, and AWS's limits for it.
type PrefixedName struct {
	Kind      string // of the resource, for a message
	Name      string // what follows the prefix
	MaxLength int    // characters, the prefix included
	Allowed   string // the characters, in words
	Pattern   string // the same as a regular expression
}

const (
	stackAllowed, stackPattern       = "ASCII letters, digits and hyphens, a letter first", `^[A-Za-z][A-Za-z0-9-]*$`
	functionAllowed, functionPattern = "ASCII letters, digits, hyphens and underscores", `^[A-Za-z0-9_-]*$`
	roleAllowed, rolePattern         = "ASCII letters, digits and _+=,.@-", `^[\w+=,.@-]*$`
)

// PrefixedNames returns all of them but the datastore's, for a deployment with these service roles, those with the narrowest set of characters first.
func PrefixedNames(roles []ServiceRole) []PrefixedName {
	names := slices.Clone(fixedNames)
	for _, role := range roles {
		names = append(names, PrefixedName{"IAM role", role.Name, 64, roleAllowed, rolePattern})
	}
	if slices.ContainsFunc(roles, func(r ServiceRole) bool { return r.Access.Export }) {
		names = append(names, PrefixedName{"IAM role", dataAccessRole, 64, roleAllowed, rolePattern})
	}
	return names
}

var fixedNames = []PrefixedName{
	{"CloudFormation stack", RolesStack, 128, stackAllowed, stackPattern},
	{"CloudFormation stack", SecretStack, 128, stackAllowed, stackPattern},
	{"CloudFormation stack", CheckTokenStack, 128, stackAllowed, stackPattern},
	{"CloudFormation stack", DatastoreStack, 128, stackAllowed, stackPattern},
	{"Lambda function", checkTokenFunction, 64, functionAllowed, functionPattern},
	{"Lambda function", settingsFunction, 64, functionAllowed, functionPattern},
	{"IAM role", lambdaRole, 64, roleAllowed, rolePattern},
	{"IAM role", settingsRole, 64, roleAllowed, rolePattern},
}

// Names are the fixed names of one deployment and the ARNs that follow from them. Stacks refer to each other's resources by
// these rather than by CloudFormation exports: an ARN that is known beforehand cannot change under the stack that uses it,
// and above all not under the datastore.
type Names struct {
	Prefix         string
	LambdaRole     string // execution role of the function
	LambdaRoleARN  string
	DataAccessRole string // HealthLake writes exports to their bucket as this role, where there is one
	rolesARN       string // what all ARNs of roles begin with
	Function       string // also the namespace of the function's metrics, and the dashboard's name
	FunctionARN    string // of the function itself, without a version or alias
	AliasARN       string // what the datastore calls
	LogGroup       string
	LogGroupARN    string
	Settings       FunctionNames // of the function that changes the datastore's settings
	Datastore      string
	ec2            string // what ARNs of EC2 resources begin with
	Datastores     string // ARN pattern of all datastores of the account in the region
}

// FunctionNames are the names of a function and of what belongs to it.
type FunctionNames struct{ Function, Role, RoleARN, LogGroup, LogGroupARN string }

// NamesOf returns the names of the deployment with a prefix, which may be empty, in an account and region.
func NamesOf(prefix, datastoreName, account, region string) Names {
	arn := func(service, region, resource string) string {
		return strings.Join([]string{"arn", partitionOf(region), service, region, account, resource}, ":")
	}
	iam := func(role string) string {
		return strings.Join([]string{"arn", partitionOf(region), "iam", "", account, "role/" + role}, ":")
	}
	function, settings := prefix+checkTokenFunction, prefix+settingsFunction
	return Names{
		Prefix:         prefix,
		LambdaRole:     prefix + lambdaRole,
		LambdaRoleARN:  iam(prefix + lambdaRole),
		DataAccessRole: prefix + dataAccessRole,
		rolesARN:       iam(""),
		Function:       function,
		FunctionARN:    arn("lambda", region, "function:"+function),
		AliasARN:       arn("lambda", region, "function:"+function+":"+AliasName),
		LogGroup:       "/aws/lambda/" + function,
		LogGroupARN:    arn("logs", region, "log-group:/aws/lambda/"+function),
		Settings: FunctionNames{
			Function: settings, Role: prefix + settingsRole, RoleARN: iam(prefix + settingsRole),
			LogGroup: "/aws/lambda/" + settings, LogGroupARN: arn("logs", region, "log-group:/aws/lambda/"+settings),
		},
		Datastore:  prefix + datastoreName,
		ec2:        arn("ec2", region, ""),
		Datastores: arn("healthlake", region, "datastore/fhir/*"),
	}
}

// DatastoreARN is the ARN of the account's datastore with an id.
func (n Names) DatastoreARN(id string) string { return strings.TrimSuffix(n.Datastores, "*") + id }

// EC2ARN is the ARN of a resource of EC2, such as subnet/<id>, or a pattern.
func (n Names) EC2ARN(resource string) string { return n.ec2 + resource }

// Role is the name of one of the service roles.
func (n Names) Role(r ServiceRole) string { return n.Prefix + r.Name }

// RoleARN is its ARN.
func (n Names) RoleARN(r ServiceRole) string { return n.rolesARN + n.Role(r) }

// Stack is the name of one of the deployment's stacks.
func (n Names) Stack(name string) string { return n.Prefix + name }

// partitionOf spells the partition out, so that ARNs in the templates are plain strings in every region, those that the
// CDK does not know yet included.
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}
