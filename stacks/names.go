package stacks

import (
	"fmt"
	"strings"

	"healthlake-smart-on-fhir/internal/config"
)

// aliasName is the function's alias that the datastore calls. The datastore holds its ARN for life.
const aliasName = "live"

// names holds every fixed name and the ARNs that follow from them. Stacks refer to each other's resources by these
// rather than by CloudFormation exports: an ARN that is known beforehand cannot change under the stack that uses it,
// and above all not under the datastore, which CloudFormation would replace.
type names struct {
	lambdaRole     string
	lambdaRoleARN  string
	serviceRole    string
	serviceRoleARN string
	function       string
	aliasARN       string
	logGroup       string
	datastore      string
	datastores     string // ARN pattern of all datastores of the account in the region
}

func namesOf(cfg config.Config) names {
	partition := partitionOf(cfg.Region)
	n := names{
		lambdaRole:  cfg.Prefix + "Lambda-Role",
		serviceRole: cfg.Prefix + "Role-for-HealthLake",
		function:    cfg.Prefix + "checkToken",
		datastore:   cfg.Prefix + cfg.DatastoreName,
	}
	n.lambdaRoleARN = fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, cfg.Account, n.lambdaRole)
	n.serviceRoleARN = fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, cfg.Account, n.serviceRole)
	n.aliasARN = fmt.Sprintf("arn:%s:lambda:%s:%s:function:%s:%s",
		partition, cfg.Region, cfg.Account, n.function, aliasName)
	n.logGroup = "/aws/lambda/" + n.function
	n.datastores = fmt.Sprintf("arn:%s:healthlake:%s:%s:datastore/fhir/*", partition, cfg.Region, cfg.Account)
	return n
}

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

// ServiceRoleARN is the ARN of the role that HealthLake assumes, which every answer of the function names.
func ServiceRoleARN(cfg config.Config) string {
	return namesOf(cfg).serviceRoleARN
}
