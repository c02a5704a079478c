package account

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/contract"
)

// secret: a name is taken until its secret is deleted for good.
func (a account) secret(ctx context.Context, l *checklist.List) {
	name := a.cfg.SecretName
	got, err := secretsmanager.NewFromConfig(a.aws).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	if awsaccess.IsCode(err, "ResourceNotFoundException") {
		l.OK(checkSecret, "the name "+name+" is free")
		return
	}
	if err != nil {
		unknown(checkSecret, err, l)
		return
	}
	if got.DeletedDate != nil {
		l.Fail(checkSecret, "the secret "+name+" is scheduled for deletion, and its name is taken until then",
			"wait, choose another secretName, or delete it at once with: aws secretsmanager delete-secret --secret-id "+
				name+" --force-delete-without-recovery --region "+a.cfg.Region)
		return
	}
	tags := map[string]string{}
	for _, t := range got.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	ownership(checkSecret, "the secret "+name, tags, a.cfg.Names().Stack(contract.SecretStack), "secretName", l)
}

func (a account) function(ctx context.Context, l *checklist.List) {
	name := a.cfg.Names().Function
	got, err := lambda.NewFromConfig(a.aws).GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	if awsaccess.IsCode(err, "ResourceNotFoundException") {
		l.OK(checkFunction, "the name "+name+" is free")
		return
	}
	if err != nil {
		unknown(checkFunction, err, l)
		return
	}
	ownership(checkFunction, "the function "+name, got.Tags, a.cfg.Names().Stack(contract.CheckTokenStack), "prefix", l)
}

// stackTag is the tag that CloudFormation sets on what it creates.
const stackTag = "aws:cloudformation:stack-name"

// ownership tells whether what has a name already belongs to this deployment's stack. key is the one that sets the name.
func ownership(check, what string, tags map[string]string, stack, key string, l *checklist.List) {
	switch owner := tags[stackTag]; owner {
	case stack:
		l.OK(check, what+" exists and belongs to this deployment")
	case "":
		l.Fail(check, what+" exists and does not belong to this deployment", "choose another "+key+", or remove it")
	default:
		l.Fail(check, what+" exists and belongs to the stack "+owner, "choose another "+key+", or remove that stack")
	}
}
