package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/healthlake"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/datastoresettings"
)

// cloudFormation is the part of CloudFormation's client that is used here.
type cloudFormation interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (
		*cloudformation.DescribeStacksOutput, error)
	GetTemplate(context.Context, *cloudformation.GetTemplateInput, ...func(*cloudformation.Options)) (
		*cloudformation.GetTemplateOutput, error)
}

// healthLake is the part of HealthLake's client that is used here.
type healthLake interface {
	DescribeFHIRDatastore(context.Context, *healthlake.DescribeFHIRDatastoreInput, ...func(*healthlake.Options)) (
		*healthlake.DescribeFHIRDatastoreOutput, error)
}

// clients are those that a deploy asks.
type clients struct {
	cloudFormation
	healthLake
	secretsManager
}

// connect returns the clients. It fails if the credentials belong to another account than the stacks: each stack would look
// as if it had never been deployed.
func connect(ctx context.Context, stacks []stack, profile string) (clients, error) {
	cfg, account, err := awsaccess.Open(ctx, stacks[0].Region, profile)
	if err != nil {
		return clients{}, err
	}
	for _, s := range stacks {
		if s.Account != account {
			return clients{}, fmt.Errorf("the credentials belong to account %s, but stack %s to account %s; use credentials of "+
				"account %[3]s, or correct account in cdk.context.json", account, s.Name, s.Account)
		}
	}
	return clients{cloudformation.NewFromConfig(cfg), healthlake.NewFromConfig(cfg), secretsmanager.NewFromConfig(cfg)}, nil
}

// unusable are the states of a stack without resources. Its parameters keep no values: the CDK deletes it and creates it
// again.
var unusable = []types.StackStatus{
	types.StackStatusReviewInProgress, types.StackStatusRollbackComplete, types.StackStatusDeleteComplete,
}

// in makes a call in the stack's region.
func (s stack) in(o *cloudformation.Options) { o.Region = s.Region }

// find returns what CloudFormation says of a stack, nil if there is no such stack.
func find(ctx context.Context, client cloudFormation, s stack) (*types.Stack, error) {
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.Name}, s.in)
	if err != nil {
		// CloudFormation has no error code of its own for this.
		if awsaccess.IsCode(err, "ValidationError") && strings.Contains(err.Error(), "does not exist") {
			return nil, nil
		}
		return nil, fmt.Errorf("stack %s: %w", s.Name, awsaccess.Explain(err))
	}
	if len(described.Stacks) != 1 {
		return nil, nil
	}
	return &described.Stacks[0], nil
}

// deployed is a stack as CloudFormation has it. The zero value is a stack that is not deployed.
type deployed struct {
	template
	values  map[string]string // of its parameters; those with NoEcho are masked
	outputs map[string]string
	updated time.Time // when its last deploy began
}

// describe returns what is deployed of a stack.
func describe(ctx context.Context, client cloudFormation, s stack) (deployed, error) {
	found, err := find(ctx, client, s)
	if err != nil || found == nil || slices.Contains(unusable, found.StackStatus) {
		return deployed{}, err
	}
	got, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &s.Name}, s.in)
	if err != nil {
		return deployed{}, fmt.Errorf("stack %s: %w", s.Name, awsaccess.Explain(err))
	}
	d := deployed{values: map[string]string{}, outputs: map[string]string{},
		updated: aws.ToTime(cmp.Or(found.LastUpdatedTime, found.CreationTime))}
	if err := json.Unmarshal([]byte(aws.ToString(got.TemplateBody)), &d.template); err != nil {
		return deployed{}, fmt.Errorf("the deployed template of stack %s is not JSON as the CDK writes it", s.Name)
	}
	for _, p := range found.Parameters {
		d.values[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, o := range found.Outputs {
		d.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return d, nil
}

// liveSettings returns what the datastore of a deployed stack has, nil if the stack has none.
func liveSettings(ctx context.Context, client healthLake, d deployed) (*contract.DatastoreSettings, error) {
	id := d.outputs[contract.DatastoreOutput]
	if id == "" {
		return nil, nil
	}
	described, err := client.DescribeFHIRDatastore(ctx, &healthlake.DescribeFHIRDatastoreInput{DatastoreId: &id})
	if err != nil {
		return nil, awsaccess.Explain(err)
	}
	settings := datastoresettings.Of(*described.DatastoreProperties)
	return &settings, nil
}
