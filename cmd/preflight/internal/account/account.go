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

// Open connects to the account, and adds the row about it. problem is why there is no connection, "" if there is one.
func Open(ctx context.Context, cfg config.Config, l *checklist.List) (connection aws.Config, problem string) {
	connection, id, err := awsaccess.Open(ctx, cfg.Region, "")
	var failure *awsaccess.Error
	switch {
	case errors.As(err, &failure) && failure.NoCredentials:
		l.Skip(checkAccount, failure.Problem+": "+failure.Fix)
		return connection, failure.Problem
	case errors.As(err, &failure):
		l.Fail(checkAccount, failure.Problem, failure.Fix)
		return connection, "the account is not known"
	case id != cfg.Account:
		l.Fail(checkAccount, "the credentials belong to account "+id+", the context says "+cfg.Account,
			"use credentials of account "+cfg.Account+", or correct account")
		return connection, "the credentials belong to another account"
	}
	l.OK(checkAccount, id)
	return connection, ""
}

// Check makes all checks. Without any credentials it skips them. qualifier is the CDK's bootstrap qualifier.
func Check(ctx context.Context, cfg config.Config, qualifier string, l *checklist.List) {
	connection, problem := Open(ctx, cfg, l)
	if problem != "" {
		skipRest(l, problem)
		return
	}
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
