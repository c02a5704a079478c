package account

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/healthlake"
	"github.com/aws/aws-sdk-go-v2/service/healthlake/types"
	"github.com/aws/aws-sdk-go-v2/service/lakeformation"
	lakeformationtypes "github.com/aws/aws-sdk-go-v2/service/lakeformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
)

// minBootstrap is the oldest bootstrap stack that can take the function's package (CDK, DefaultStackSynthesizer).
const minBootstrap = 6

// minUnreserved is what Lambda keeps for functions without reserved concurrency (Lambda Developer Guide, "Quotas").
const minUnreserved = 100

// region asks HealthLake itself, which is not in every region.
func (a account) region(ctx context.Context, l *checklist.List) {
	name := a.cfg.Names().Datastore
	found, err := healthlake.NewFromConfig(a.aws).ListFHIRDatastores(ctx, &healthlake.ListFHIRDatastoresInput{
		Filter: &types.DatastoreFilter{DatastoreName: &name},
	})
	if err != nil {
		if awsaccess.Explain(err).NoSuchHost {
			l.Fail(checkRegion, "there is no HealthLake in "+a.cfg.Region, "choose a region with HealthLake")
			return
		}
		unknown(checkRegion, err, l)
		return
	}
	exists := slices.ContainsFunc(found.DatastorePropertiesList, func(d types.DatastoreProperties) bool {
		return d.DatastoreStatus != types.DatastoreStatusDeleted
	})
	reason := "HealthLake is available in " + a.cfg.Region
	if exists {
		reason += "; a datastore " + name + " exists"
	}
	l.OK(checkRegion, reason)
}

// lakeFormation: HealthLake needs Lake Formation rights of the role that creates a datastore (HealthLake Developer Guide,
// "Getting started"); with the CDK that is CloudFormation's execution role.
func (a account) lakeFormation(ctx context.Context, l *checklist.List) {
	got, err := lakeformation.NewFromConfig(a.aws).GetDataLakeSettings(ctx, &lakeformation.GetDataLakeSettingsInput{})
	if err != nil {
		unknown(checkLakeFormation, err, l)
		return
	}
	var admins []lakeformationtypes.DataLakePrincipal
	if got.DataLakeSettings != nil {
		admins = got.DataLakeSettings.DataLakeAdmins
	}
	role := "role/cdk-" + a.qualifier + "-cfn-exec-role-" + a.cfg.Account + "-" + a.cfg.Region
	if isAdmin(admins, a.cfg.Account, role) {
		l.OK(checkLakeFormation, "the CDK's CloudFormation execution role is a data lake administrator")
		return
	}
	l.Warn(checkLakeFormation, "the CDK's CloudFormation execution role is not a data lake administrator, so HealthLake may "+
		"refuse to create the datastore", "in the Lake Formation console of "+a.cfg.Region+", under Administrative roles and "+
		"tasks, add "+strings.TrimPrefix(role, "role/")+" to the data lake administrators")
}

// isAdmin compares ARNs without their partition, which the configuration does not have.
func isAdmin(admins []lakeformationtypes.DataLakePrincipal, account, role string) bool {
	return slices.ContainsFunc(admins, func(p lakeformationtypes.DataLakePrincipal) bool {
		return strings.HasSuffix(aws.ToString(p.DataLakePrincipalIdentifier), ":iam::"+account+":"+role)
	})
}

func (a account) bootstrap(ctx context.Context, l *checklist.List) {
	fix := fmt.Sprintf("npx cdk bootstrap aws://%s/%s", a.cfg.Account, a.cfg.Region)
	got, err := ssm.NewFromConfig(a.aws).GetParameter(ctx, &ssm.GetParameterInput{
		Name: aws.String("/cdk-bootstrap/" + a.qualifier + "/version"),
	})
	if awsaccess.IsCode(err, "ParameterNotFound") {
		l.Fail(checkBootstrap, "account and region are not bootstrapped for the CDK", fix)
		return
	}
	if err != nil {
		unknown(checkBootstrap, err, l)
		return
	}
	var text string
	if got.Parameter != nil {
		text = aws.ToString(got.Parameter.Value)
	}
	version, err := strconv.Atoi(text)
	switch {
	case err != nil:
		l.Fail(checkBootstrap, "its version is not a number", fix)
	case version < minBootstrap:
		l.Fail(checkBootstrap, fmt.Sprintf("version %d; at least %d is needed", version, minBootstrap), fix)
	default:
		l.OK(checkBootstrap, fmt.Sprintf("version %d", version))
	}
}

func (a account) concurrency(ctx context.Context, l *checklist.List) {
	got, err := lambda.NewFromConfig(a.aws).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		unknown(checkConcurrency, err, l)
		return
	}
	if got.AccountLimit == nil || got.AccountLimit.UnreservedConcurrentExecutions == nil {
		l.Warn(checkConcurrency, "unknown: Lambda does not say how much concurrency is unreserved", "look in the Lambda console")
		return
	}
	unreserved := int(*got.AccountLimit.UnreservedConcurrentExecutions)
	key, wanted := requestedConcurrency(a.cfg)
	reason := fmt.Sprintf("%s asks for %d; %d are unreserved, of which Lambda keeps %d", key, wanted, unreserved, minUnreserved)
	if unreserved-wanted < minUnreserved {
		l.Fail(checkConcurrency, reason, "ask for less, or request a higher quota \"Concurrent executions\" (Service Quotas, "+
			"Lambda); what this deployment already has counts as taken")
		return
	}
	l.OK(checkConcurrency, reason)
}

// requestedConcurrency is the most concurrency that the deployment can take from the account, and the key that says so.
func requestedConcurrency(cfg config.Config) (key string, wanted int) {
	switch {
	case cfg.LambdaReservedConcurrency > 0:
		return config.KeyLambdaReservedConcurrency, cfg.LambdaReservedConcurrency
	case cfg.LambdaMaxConcurrentExecutions > 0:
		return config.KeyLambdaMaxConcurrentExecutions, cfg.LambdaMaxConcurrentExecutions
	}
	return config.KeyLambdaConcurrentExecutions, cfg.LambdaConcurrentExecutions
}
