// Package account checks a configuration against the AWS account that it is to be deployed to, by the AWS command line:
// whatever credentials that finds are the ones that a deployment would use. It changes nothing there.
package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
)

const (
	checkAccount     = "AWS account"
	checkRegion      = "AWS region"
	checkBootstrap   = "AWS CDK bootstrap"
	checkConcurrency = "AWS Lambda concurrency"
	checkSecret      = "AWS secret"
	checkFunction    = "AWS function"
)

// leastBootstrap is the oldest bootstrap stack that can take the function's package (CDK, DefaultStackSynthesizer).
const leastBootstrap = 6

// leastUnreserved is what Lambda keeps for functions without reserved concurrency (Lambda quotas).
const leastUnreserved = 100

// Offline lists what Check would check, as skipped.
func Offline(l *checklist.List, reason string) {
	for _, check := range []string{checkAccount, checkRegion, checkBootstrap, checkConcurrency, checkSecret, checkFunction} {
		l.Skip(check, reason)
	}
}

// Check makes all checks, or skips them where there is no AWS command line or no credentials. environ is the environment,
// and qualifier the CDK's bootstrap qualifier.
func Check(ctx context.Context, cfg config.Config, environ []string, qualifier string, l *checklist.List) {
	path, err := exec.LookPath("aws")
	if err != nil {
		Offline(l, "the AWS command line (aws) is not installed")
		return
	}
	c := cli{path: path, region: cfg.Region, environ: append(environ, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=2", "AWS_RETRY_MODE=standard")}
	identity, err := c.call(ctx, "sts", "get-caller-identity")
	var refused *refusal
	if errors.As(err, &refused) && refused.noIdentity {
		Offline(l, "no AWS credentials")
		return
	}
	if err != nil {
		l.Fail(checkAccount, err.Error(), "renew the credentials, or see that this machine reaches AWS")
		var rest checklist.List
		Offline(&rest, "the account is not known")
		*l = append(*l, rest[1:]...)
		return
	}
	if account := identity.text("Account"); account != cfg.Account {
		l.Fail(checkAccount, "the credentials are for "+account+", the context says "+cfg.Account,
			"correct account, or use credentials for it")
		var rest checklist.List
		Offline(&rest, "the credentials are for another account")
		*l = append(*l, rest[1:]...)
		return
	}
	l.OK(checkAccount, cfg.Account)

	// Each call starts a process that takes a second, so they run at the same time.
	checks := []func(context.Context, cli, *checklist.List){
		func(ctx context.Context, c cli, l *checklist.List) { region(ctx, c, cfg, l) },
		func(ctx context.Context, c cli, l *checklist.List) { bootstrap(ctx, c, cfg, qualifier, l) },
		func(ctx context.Context, c cli, l *checklist.List) { concurrency(ctx, c, cfg, l) },
		func(ctx context.Context, c cli, l *checklist.List) { secret(ctx, c, cfg, l) },
		func(ctx context.Context, c cli, l *checklist.List) { function(ctx, c, cfg, l) },
	}
	lists := make([]checklist.List, len(checks))
	var wait sync.WaitGroup
	for i, check := range checks {
		wait.Go(func() { check(ctx, c, &lists[i]) })
	}
	wait.Wait()
	for _, rows := range lists {
		*l = append(*l, rows...)
	}
}

// region asks HealthLake itself, which is not in every region.
func region(ctx context.Context, c cli, cfg config.Config, l *checklist.List) {
	name := cfg.Prefix + cfg.DatastoreName
	filter, err := json.Marshal(map[string]string{"DatastoreName": name})
	if err != nil {
		unknown(checkRegion, err, l)
		return
	}
	answer, err := c.call(ctx, "healthlake", "list-fhir-datastores", "--filter", string(filter))
	if err != nil {
		var refused *refusal
		if errors.As(err, &refused) && refused.unreachable {
			l.Fail(checkRegion, "HealthLake does not answer in "+cfg.Region, "choose a region with HealthLake")
			return
		}
		unknown(checkRegion, err, l)
		return
	}
	var datastores []struct{ DatastoreStatus string }
	_ = json.Unmarshal(answer["DatastorePropertiesList"], &datastores)
	for _, d := range datastores {
		if d.DatastoreStatus != "DELETED" {
			l.OK(checkRegion, "HealthLake answers in "+cfg.Region+"; a datastore "+name+" is there already")
			return
		}
	}
	l.OK(checkRegion, "HealthLake answers in "+cfg.Region)
}

func bootstrap(ctx context.Context, c cli, cfg config.Config, qualifier string, l *checklist.List) {
	fix := fmt.Sprintf("npx cdk bootstrap aws://%s/%s", cfg.Account, cfg.Region)
	answer, err := c.call(ctx, "ssm", "get-parameter", "--name", "/cdk-bootstrap/"+qualifier+"/version")
	if isCode(err, "ParameterNotFound") {
		l.Fail(checkBootstrap, "account and region are not bootstrapped for the CDK", fix)
		return
	}
	if err != nil {
		unknown(checkBootstrap, err, l)
		return
	}
	version, err := strconv.Atoi(answer.object("Parameter").text("Value"))
	switch {
	case err != nil:
		l.Fail(checkBootstrap, "its version is not a number", fix)
	case version < leastBootstrap:
		l.Fail(checkBootstrap, fmt.Sprintf("version %d, at least %d is needed", version, leastBootstrap), fix)
	default:
		l.OK(checkBootstrap, fmt.Sprintf("version %d", version))
	}
}

func concurrency(ctx context.Context, c cli, cfg config.Config, l *checklist.List) {
	answer, err := c.call(ctx, "lambda", "get-account-settings")
	if err != nil {
		unknown(checkConcurrency, err, l)
		return
	}
	free, err := strconv.Atoi(string(answer.object("AccountLimit")["UnreservedConcurrentExecutions"]))
	if err != nil {
		unknown(checkConcurrency, errors.New("the answer has no UnreservedConcurrentExecutions"), l)
		return
	}
	key, wanted := asked(cfg)
	reason := fmt.Sprintf("%s asks for %d, %d are unreserved, of which Lambda keeps %d", key, wanted, free, leastUnreserved)
	if free-wanted < leastUnreserved {
		l.Fail(checkConcurrency, reason, "ask for less, or have the quota \"Concurrent executions\" raised (Service Quotas, "+
			"Lambda); what this deployment already has counts as taken")
		return
	}
	l.OK(checkConcurrency, reason)
}

// asked is how much concurrency the deployment takes from the account at the most, and the key that says so.
func asked(cfg config.Config) (key string, wanted int) {
	switch {
	case cfg.LambdaReservedConcurrency > 0:
		return config.KeyLambdaReservedConcurrency, cfg.LambdaReservedConcurrency
	case cfg.LambdaMaxConcurrentExecutions > 0:
		return config.KeyLambdaMaxConcurrentExecutions, cfg.LambdaMaxConcurrentExecutions
	}
	return config.KeyLambdaConcurrentExecutions, cfg.LambdaConcurrentExecutions
}

func secret(ctx context.Context, c cli, cfg config.Config, l *checklist.List) {
	answer, err := c.call(ctx, "secretsmanager", "describe-secret", "--secret-id="+cfg.SecretName)
	if isCode(err, "ResourceNotFoundException") {
		l.OK(checkSecret, "no secret "+cfg.SecretName+" yet")
		return
	}
	if err != nil {
		unknown(checkSecret, err, l)
		return
	}
	if answer.has("DeletedDate") {
		l.Fail(checkSecret, "the secret "+cfg.SecretName+" is scheduled for deletion, and its name is taken until then",
			"wait, choose another secretName, or delete it at once: aws secretsmanager delete-secret --secret-id "+
				cfg.SecretName+" --force-delete-without-recovery --region "+cfg.Region)
		return
	}
	var tags []struct{ Key, Value string }
	_ = json.Unmarshal(answer["Tags"], &tags)
	owner := ""
	for _, t := range tags {
		if t.Key == stackTag {
			owner = t.Value
		}
	}
	owned(checkSecret, "the secret "+cfg.SecretName, owner, cfg.Prefix+"Secret", "secretName", l)
}

func function(ctx context.Context, c cli, cfg config.Config, l *checklist.List) {
	name := cfg.Prefix + "checkToken"
	answer, err := c.call(ctx, "lambda", "get-function", "--function-name", name)
	if isCode(err, "ResourceNotFoundException") {
		l.OK(checkFunction, "no function "+name+" yet")
		return
	}
	if err != nil {
		unknown(checkFunction, err, l)
		return
	}
	owned(checkFunction, "the function "+name, answer.object("Tags").text(stackTag), cfg.Prefix+"CheckToken", "prefix", l)
}

// stackTag is the tag that CloudFormation sets on what it creates.
const stackTag = "aws:cloudformation:stack-name"

// owned: what is there already is this deployment's own, or in its way.
func owned(check, what, owner, stack, key string, l *checklist.List) {
	switch owner {
	case stack:
		l.OK(check, what+" is there, of this deployment")
	case "":
		l.Fail(check, what+" is there already, and not of this deployment", "choose another "+key+", or remove it")
	default:
		l.Fail(check, what+" is there already, of the stack "+owner, "choose another "+key+", or remove that stack")
	}
}

// unknown: not allowed to look is no fault of the configuration.
func unknown(check string, err error, l *checklist.List) {
	l.Warn(check, "not known: "+err.Error(), "allow it for these credentials, or look by hand")
}

// cli is the AWS command line.
type cli struct {
	path    string
	region  string
	environ []string
}

// answer is what a call returned.
type answer map[string]json.RawMessage

func (a answer) text(name string) string {
	var s string
	_ = json.Unmarshal(a[name], &s)
	return s
}

func (a answer) object(name string) answer {
	var o answer
	_ = json.Unmarshal(a[name], &o)
	return o
}

func (a answer) has(name string) bool { return len(a[name]) > 0 && string(a[name]) != "null" }

// refusal is an error that AWS or its command line returned.
type refusal struct {
	operation   string
	code        string // AWS's, "" where the call did not come that far
	unreachable bool
	noIdentity  bool
}

func (r *refusal) Error() string {
	switch {
	case r.unreachable:
		return r.operation + ": AWS does not answer"
	case r.noIdentity:
		return r.operation + ": no credentials"
	case r.code != "":
		return r.operation + ": " + r.code
	}
	return r.operation + ": the AWS command line failed"
}

func isCode(err error, code string) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == code
}

// errorCode finds AWS's error code in the command line's message.
var errorCode = regexp.MustCompile(`An error occurred \(([A-Za-z0-9.]+)\)`)

// call runs one operation. Of the command line's messages only what is known to be harmless is in the error.
func (c cli) call(ctx context.Context, service, operation string, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, c.path, append([]string{service, operation, "--region", c.region, "--output", "json",
		"--cli-connect-timeout", "5", "--cli-read-timeout", "10"}, args...)...)
	command.Env = c.environ
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	if err := command.Run(); err != nil {
		r := &refusal{operation: operation}
		text := complaint.String()
		if m := errorCode.FindStringSubmatch(text); m != nil {
			r.code = m[1]
		}
		r.unreachable = strings.Contains(text, "Could not connect to the endpoint URL") || ctx.Err() != nil
		r.noIdentity = strings.Contains(text, "Unable to locate credentials")
		return nil, r
	}
	var a answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return nil, fmt.Errorf("%s: the answer is not JSON", operation)
	}
	return a, nil
}
