package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
)

// cloudFormation is the part of CloudFormation's client that is used here.
type cloudFormation interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (
		*cloudformation.DescribeStacksOutput, error)
	GetTemplate(context.Context, *cloudformation.GetTemplateInput, ...func(*cloudformation.Options)) (
		*cloudformation.GetTemplateOutput, error)
}

// connect returns a client for CloudFormation. It fails if the credentials belong to another account than the stacks: each
// stack would look as if it had never been deployed.
func connect(ctx context.Context, stacks []stack, profile string) (cloudFormation, error) {
	cfg, account, err := awsaccess.Open(ctx, stacks[0].Region, profile)
	if err != nil {
		return nil, err
	}
	for _, s := range stacks {
		if s.Account != account {
			return nil, fmt.Errorf("the credentials belong to account %s, but stack %s to account %s; use credentials of "+
				"account %[3]s, or correct account in cdk.context.json", account, s.Name, s.Account)
		}
	}
	return cloudformation.NewFromConfig(cfg), nil
}

// unusable are the states of a stack without resources. Its parameters keep no values: the CDK deletes it and creates it
// again.
var unusable = []types.StackStatus{
	types.StackStatusReviewInProgress, types.StackStatusRollbackComplete, types.StackStatusDeleteComplete,
}

// in makes a call in the stack's region.
func (s stack) in(o *cloudformation.Options) { o.Region = s.Region }

// status returns the state of a stack in CloudFormation, "" if there is no such stack.
func status(ctx context.Context, client cloudFormation, s stack) (types.StackStatus, error) {
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.Name}, s.in)
	if err != nil {
		// CloudFormation has no error code of its own for this.
		if awsaccess.IsCode(err, "ValidationError") && strings.Contains(err.Error(), "does not exist") {
			return "", nil
		}
		return "", fmt.Errorf("stack %s: %w", s.Name, awsaccess.Explain(err))
	}
	if len(described.Stacks) != 1 {
		return "", nil
	}
	return described.Stacks[0].StackStatus, nil
}

// deployedTemplate returns the stack's template in CloudFormation, an empty one if the stack is not deployed.
func deployedTemplate(ctx context.Context, client cloudFormation, s stack) (template, error) {
	state, err := status(ctx, client, s)
	if err != nil || state == "" || slices.Contains(unusable, state) {
		return template{}, err
	}
	got, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &s.Name}, s.in)
	if err != nil {
		return template{}, fmt.Errorf("stack %s: %w", s.Name, awsaccess.Explain(err))
	}
	var t template
	if err := json.Unmarshal([]byte(aws.ToString(got.TemplateBody)), &t); err != nil {
		return template{}, fmt.Errorf("the deployed template of stack %s is not JSON as the CDK writes it", s.Name)
	}
	return t, nil
}
