// Package account checks a configuration against the AWS account that it will be deployed to. It only reads.
package account

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
)

const (
	checkAccount       = "AWS account"
	checkRegion        = "AWS region"
	checkLakeFormation = "AWS Lake Formation"
	checkBootstrap     = "AWS CDK bootstrap"
	checkConcurrency   = "AWS Lambda concurrency"
	checkSecret        = "AWS secret"
	checkFunction      = "AWS function"
)

// account is the account and the region of one configuration.
type account struct {
	cfg       config.Config
	qualifier string // of the CDK's bootstrap
	aws       aws.Config
}

// checks are made at once, when the credentials are known to be the account's.
var checks = []struct {
	name string
	make func(account, context.Context, *checklist.List)
}{
	{checkRegion, account.region},
	{checkLakeFormation, account.lakeFormation},
	{checkBootstrap, account.bootstrap},
	{checkConcurrency, account.concurrency},
	{checkSecret, account.secret},
	{checkFunction, account.function},
}

// Offline lists what Check would check, as skipped.
func Offline(l *checklist.List, reason string) {
	l.Skip(checkAccount, reason)
	skipRest(l, reason)
}

func skipRest(l *checklist.List, reason string) {
	for _, c := range checks {
		l.Skip(c.name, reason)
	}
}

// Check makes all checks. Without any credentials it skips them. qualifier is the CDK's bootstrap qualifier.
func Check(ctx context.Context, cfg config.Config, qualifier string, l *checklist.List) {
	connection, id, err := awsaccess.Open(ctx, cfg.Region, "")
	var problem *awsaccess.Error
	switch {
	case errors.As(err, &problem) && problem.NoCredentials:
		l.Skip(checkAccount, problem.Problem+": "+problem.Fix)
		skipRest(l, problem.Problem)
		return
	case errors.As(err, &problem):
		l.Fail(checkAccount, problem.Problem, problem.Fix)
		skipRest(l, "the account is not known")
		return
	case id != cfg.Account:
		l.Fail(checkAccount, "the credentials belong to account "+id+", the context says "+cfg.Account,
			"use credentials of account "+cfg.Account+", or correct account")
		skipRest(l, "the credentials belong to another account")
		return
	}
	l.OK(checkAccount, id)

	a := account{cfg: cfg, qualifier: qualifier, aws: connection}
	lists := make([]checklist.List, len(checks))
	var wait sync.WaitGroup
	for i, c := range checks {
		wait.Go(func() { c.make(a, ctx, &lists[i]) })
	}
	wait.Wait()
	for _, rows := range lists {
		*l = append(*l, rows...)
	}
}

// unknown reports a check that could not be made: missing rights to look are no fault of the configuration.
func unknown(check string, err error, l *checklist.List) {
	problem := awsaccess.Explain(err)
	l.Warn(check, "unknown: "+problem.Problem, problem.Fix)
}
