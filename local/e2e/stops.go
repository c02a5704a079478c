package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
)

// The commands that come more than once.
const (
	makeDeploy = "CLIENT_SECRET=… SRV_API_KEY=… make deploy"
	invoke     = "aws lambda invoke --function-name <prefix>checkToken:live --payload fileb://event.json answer.json && " +
		"cat answer.json"
	putToken     = `sed "s|<valid[^>]*>|$TOKEN|" events/search.json > event.json`
	replacements = "npx cdk diff <prefix>Datastore --exclusively --method template --fail-on destructive"
	// answered gives the command a terminal, without which the CDK asks nobody, and an answer to its question.
	answered = "printf 'y\\n' | script -qec 'stty cols 160; %s' /dev/null"
	logTail  = "aws logs tail /aws/lambda/<prefix>checkToken "
)

// before is what there is to do before the first deployment.
func (t *tour) before(ctx context.Context) bool {
	t.in("Before anything is deployed")
	return t.take(ctx,
		stop{
			about: "The context has an issuer, names and the introspection endpoint, which Hydra's discovery document does not name.\n" +
				"CLIENT_SECRET and SRV_API_KEY are set in the environment.",
			command: "make preflight ARGS=--write",
			fails:   true,
			wants: []string{"authEndpointToken: ", "failed   AWS CDK bootstrap", "npx cdk bootstrap aws://", "failed 1,",
				"not https"},
		},
		stop{about: "What preflight asked for:", command: "npx cdk bootstrap",
			wants: []string{"Environment aws://" + awslocal.Account + "/" + awslocal.Region + " bootstrapped"}},
		stop{about: "Nothing fails any more. The warnings are of a provider on this machine.", command: "make preflight",
			last: 13, wants: []string{"failed 0,", "ok       AWS CDK bootstrap", "make deploy"}},
		stop{about: "With an access token of an app:", command: "make preflight ARGS='--token-stdin' < token.txt",
			last: 30, wants: []string{"ok       token ", `"isAuthorized": true`, `"scope": "` + backendScope + `"`}},
		stop{about: "Without network:", command: "make preflight ARGS='--offline'", wants: []string{"skipped 13"}},
		stop{about: "For another region, and a program: it is not bootstrapped there.",
			command: "make preflight ARGS='-c region=eu-west-1 --json'", fails: true,
			last: 30, wants: []string{`"status": "failed"`, `"check": "AWS CDK bootstrap"`}},
	)
}

func (t *tour) deployment(ctx context.Context) bool {
	t.in("Deploy")
	return t.take(ctx, stop{
		about: "Nobody is asked here whether a role may be made: CDK_REQUIRE_APPROVAL is set to never.", command: makeDeploy,
		wants: []string{"✅  sof-hl-Roles", "✅  sof-hl-Secret", "✅  sof-hl-CheckToken", "✅  sof-hl-Datastore",
			"sof-hl-Datastore.DiscoveryDocumentUrl = https://healthlake."},
	}) && t.steps.do(ctx, "read back what was deployed", func(ctx context.Context) error {
		d, err := t.readBack(ctx, t.prefix)
		if err != nil {
			return err
		}
		t.id = d.datastore.DatastoreId
		return nil
	}) && t.take(ctx, stop{about: "From now on preflight knows the names as its own.", command: "make preflight",
		last: 13, wants: []string{"failed 0,", "ok       AWS secret", "ok       AWS function"}})
}

func (t *tour) operation(ctx context.Context) bool {
	t.in("Look at it")
	if !t.take(ctx,
		stop{about: "What a deployment is called:", command: "aws cloudformation describe-stacks --stack-name <prefix>Datastore " +
			"--query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' --output table", wants: []string{"DatastoreEndpoint", t.id}},
		stop{about: "The datastore's state, CREATING for its first half hour:", command: "aws healthlake describe-fhir-datastore " +
			"--datastore-id <id> --query DatastoreProperties.DatastoreStatus --output text", wants: []string{"ACTIVE"}},
		stop{about: "Who may invoke the function. `restrictInvokeToAccount` is true here, hence the condition.", command: "aws lambda get-policy --function-name <prefix>checkToken " +
			"--qualifier live --query Policy --output text", wants: []string{"healthlake.amazonaws.com", "checkToken:live", "SourceAccount"}},
		stop{about: "The same as the service sends it:", command: "aws lambda get-policy --function-name <prefix>checkToken " +
			"--qualifier live", wants: []string{"healthlake.amazonaws.com"}},
		stop{about: "Provisioned concurrency:", command: "aws lambda get-provisioned-concurrency-config " +
			"--function-name <prefix>checkToken --qualifier live --output table", wants: []string{"READY"}},
	) {
		return false
	}
	t.in("Run it by hand")
	if !t.take(ctx,
		stop{about: "With an access token of an app in TOKEN:", command: putToken},
		stop{about: "The answer that HealthLake would get:", command: invoke,
			wants: []string{`"isAuthorized":true`, `"scope":"` + backendScope + `"`, t.prefix + "Role-for-HealthLake"}},
		stop{about: "With TOKEN=made-up:", command: putToken, shell: "TOKEN=made-up; %s"},
		stop{about: "The answer is no:", command: invoke, wants: []string{`"isAuthorized":false`, `"scope":""`}},
	) {
		return false
	}
	frozen := t.steps.do(ctx, "the provider does not answer", func(context.Context) error { return t.hydra.Freeze() })
	failed := frozen && t.take(ctx, stop{about: "The same while the provider does not answer: an error, and no answer.",
		command: invoke, wants: []string{`"FunctionError": "Unhandled"`, "idp_timeout"}})
	if frozen {
		frozen = t.steps.do(ctx, "the provider answers again", func(context.Context) error { return t.hydra.Thaw() })
	}
	if !frozen || !failed {
		return false
	}
	t.in("Read its log")
	return t.take(ctx,
		stop{about: "The requests that were refused, and why:", command: logTail + "--since 15m --format short --filter-pattern " +
			`'{ $.outcome = "denied" || $.outcome = "error" }'`, cli: 2, wants: []string{`"inactive"`, `"idp_timeout"`}},
		stop{about: "The log as it comes, until it is interrupted:", command: logTail + "--follow --format short", cli: 2,
			shell: "timeout -s INT 5 %s || true", wants: []string{`"msg":"start"`, `"outcome":"authorized"`}},
		stop{about: "One short line a call:", command: logTail + "--since 1h --format short | cut -d' ' -f2- | jq -rR " +
			`'fromjson? | select(.msg == "checkToken") | "\(.time[:19])  \(.operation)  \(.outcome)  \(.reason)  idp \(.idp_ms) ms  ` +
			`\(.error // "")"'`, cli: 2, wants: []string{"SearchWithGet  authorized  active  idp ", "denied  inactive",
			"error  idp_timeout  idp "}},
		stop{about: "How often tokens were denied, by reason:", command: logTail + "--since 1h --format short --filter-pattern " +
			`'{ $.outcome = "denied" }' | cut -d' ' -f2- | jq -rR 'fromjson? | .reason' | sort | uniq -c`, cli: 2, wants: []string{"1 inactive\n"}},
		stop{about: "All that there is, with the log stream:", command: logTail + "--since 5m", cli: 2,
			wants: []string{`"msg":"checkToken"`}},
	) && t.metrics(ctx)
}

// metrics looks at what CloudWatch has counted: one token authorized, one denied, and one call without an answer.
func (t *tour) metrics(ctx context.Context) bool {
	t.in("See it at a glance")
	return t.take(ctx,
		stop{about: "The metrics that CloudWatch has made of the log lines. A reason appears with its first occurrence.",
			command: "aws cloudwatch list-metrics --namespace <prefix>checkToken " +
				"--query 'Metrics[].[MetricName,Dimensions[0].Value]' --output text | sort -u",
			wants: []string{"Authorized", "inactive", "idp_timeout", "HedgedCalls"}},
		stop{about: "The alarms. The local AWS does not evaluate them.",
			command: "aws cloudwatch describe-alarms --alarm-name-prefix <prefix>checkToken " +
				"--query 'MetricAlarms[].[AlarmName,StateValue]' --output table",
			wants: []string{"-Slow", "-Timeout", "-Errors", "-Throttled", "-Spillover", "-ProviderDown"}},
	) && t.steps.do(ctx, "the metric filters have counted these three calls, each where it belongs",
		func(ctx context.Context) error {
			var wrong []error
			for _, want := range []struct {
				metric, reason   string
				sum, sampleCount float64 // -1: not known beforehand
			}{
				{"Authorized", "", 1, -1},
				{"Denied", "inactive", 1, 1},
				{"Errors", "idp_timeout", 1, 1},
				{"Timeouts", "", 1, -1},
				{"IdpMilliseconds", "", -1, 3},
				{"IdpSuccesses", "", 2, -1},
				{"HedgedCalls", "", 1, -1},
				{"CacheHits", "", 0, -1},
			} {
				sum, count, err := t.statistics(ctx, want.metric, want.reason)
				if err != nil {
					return err
				}
				if want.sum >= 0 {
					wrong = append(wrong, equal("sum of "+want.metric, sum, want.sum))
				}
				if want.sampleCount >= 0 {
					wrong = append(wrong, equal("samples of "+want.metric, count, want.sampleCount))
				}
			}
			return errors.Join(wrong...)
		})
}

// statistics are a metric's, over the last hour.
func (t *tour) statistics(ctx context.Context, metric, reason string) (sum, count float64, err error) {
	parameters := map[string]string{
		"Namespace": t.prefix + "checkToken", "MetricName": metric, "Period": "3600",
		"StartTime": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "EndTime": time.Now().Add(time.Minute).UTC().Format(time.RFC3339),
		"Statistics.member.1": "Sum", "Statistics.member.2": "SampleCount",
	}
	if reason != "" {
		parameters["Dimensions.member.1.Name"], parameters["Dimensions.member.1.Value"] = "Reason", reason
	}
	var answer struct {
		Points []struct {
			Sum         float64
			SampleCount float64
		} `xml:"GetMetricStatisticsResult>Datapoints>member"`
	}
	if err := t.aws.Query(ctx, "monitoring", "2010-08-01", "GetMetricStatistics", parameters, &answer); err != nil {
		return 0, 0, err
	}
	if len(answer.Points) == 0 {
		return 0, 0, fmt.Errorf("CloudWatch has no metric %s %s", metric, reason)
	}
	for _, point := range answer.Points {
		sum, count = sum+point.Sum, count+point.SampleCount
	}
	return sum, count, nil
}

func (t *tour) change(ctx context.Context) bool {
	t.in("Change what can be changed")
	revocation := t.hydra.PublicURL() + "oauth2/revoke"
	if !t.edit(ctx, "more memory", func(c map[string]any) { c["lambdaMemorySize"] = 1024 }) ||
		!t.take(ctx,
			stop{about: "`lambdaMemorySize` is 1024 now.", command: "npx cdk diff --method template",
				wants: []string{"[~] MemorySize", "[-] 512", "[+] 1024", "Number of stacks with differences: 1"}},
			stop{about: "The datastore stays.", command: replacements, wants: []string{"There were no differences"}},
			stop{about: "So it is deployed.", command: makeDeploy, last: 30, wants: []string{"✅  sof-hl-CheckToken\n", "✅  sof-hl-Datastore (no changes)"}},
		) {
		return false
	}
	t.in("Change what can't be changed")
	if !t.edit(ctx, "another revocation endpoint", func(c map[string]any) { c["authEndpointRevoke"] = revocation + "d" }) ||
		!t.take(ctx,
			stop{about: "`authEndpointRevoke` has another value, and the datastore's metadata shows it.", command: replacements,
				fails: true, wants: []string{"will be replaced"}},
			stop{about: "Nothing is deployed.", command: makeDeploy, fails: true,
				wants: []string{"Stopped: ", "IdentityProviderConfiguration.Metadata (revocation_endpoint)", "CONFIRM_REPLACEMENT=yes"}},
			stop{about: "idp.json then has", command: "make idp-config > idp.json", shell: "%s && cat idp.json",
				wants: []string{"revoked"}},
			stop{about: "With that in place, the other stacks alone:",
				command: "npx cdk deploy --exclusively <prefix>Roles <prefix>Secret <prefix>CheckToken",
				wants:   []string{"✅  sof-hl-Roles (no changes)", "✅  sof-hl-Secret (no changes)", "✅  sof-hl-CheckToken (no changes)"}},
		) {
		return false
	}
	return t.edit(ctx, "the revocation endpoint as it was", func(c map[string]any) { c["authEndpointRevoke"] = revocation })
}

// adoption takes all stacks away, as one deletes the stack of the project from which one comes. The datastore stays.
func (t *tour) adoption(ctx context.Context) bool {
	t.in("Protect the datastore")
	if !t.edit(ctx, "protect the datastore", func(c map[string]any) { c["protectDatastore"] = true }) ||
		!t.take(ctx,
			stop{about: "`protectDatastore` is true now.", command: makeDeploy, last: 10},
			stop{about: "Then nothing removes it:", command: "npx cdk destroy --all", shell: answered, fails: true,
				wants: []string{"TerminationProtection"}},
		) {
		return false
	}
	t.in("Adopt a datastore")
	if !t.steps.do(ctx, "all stacks are deleted, and the datastore stays", func(ctx context.Context) error {
		for _, name := range []string{"Datastore", "CheckToken", "Secret", "Roles"} {
			for _, action := range []string{"UpdateTerminationProtection", "DeleteStack"} {
				err := t.aws.Query(ctx, "cloudformation", "2010-05-15", action,
					map[string]string{"StackName": t.prefix + name, "EnableTerminationProtection": "false"}, new(struct{}))
				if err != nil {
					return err
				}
			}
		}
		_, err := t.describeDatastore(ctx, t.id)
		return errors.Join(err, t.gone(ctx, t.prefix, "SOF-HL"))
	}) {
		return false
	}
	return t.take(ctx,
		stop{about: "No stack is left, and the datastore was retained. First what it calls:",
			command: "npx cdk deploy --exclusively <prefix>Roles <prefix>Secret <prefix>CheckToken " +
				"--parameters <prefix>Secret:ClientSecret=… --parameters <prefix>Secret:SrvAPIKey=…",
			wants: []string{"✅  sof-hl-Roles\n", "✅  sof-hl-Secret\n", "✅  sof-hl-CheckToken\n"}},
		stop{about: "Its id:", command: `echo '{"Datastore": {"DatastoreId": "<id>"}}' > datastore.json`},
		stop{about: "Its stack is made anew, around it.",
			command: "npx cdk import <prefix>Datastore --resource-mapping datastore.json",
			wants:   []string{"importing using DatastoreId=" + t.id, "✅  sof-hl-Datastore"}},
		stop{about: "What a deploy would add:", command: replacements, wants: []string{"[+] AWS::IAM::ManagedPolicy"}},
		stop{about: "It adds that.", command: "npx cdk deploy --exclusively <prefix>Datastore",
			wants: []string{"sof-hl-Datastore.DatastoreId = " + t.id}},
	) && t.steps.do(ctx, "the datastore is the same one, and the service role's policy is on it",
		func(ctx context.Context) error {
			d, err := t.readBack(ctx, t.prefix)
			if err != nil {
				return err
			}
			return errors.Join(
				equal("datastore", d.datastore.DatastoreId, t.id),
				t.checkRoles(ctx, &target{prefix: t.prefix, d: d}),
			)
		})
}

// lookInside is the page on providers' way to see a token's claims.
func (t *tour) lookInside(ctx context.Context) bool {
	t.in("Look into a token")
	return t.take(ctx, stop{about: "With a JWT in TOKEN:", command: "python3 -c 'import base64, sys", whole: true,
		wants: []string{`"client_id":"tour"`, `"iss":"` + t.hydra.PublicURL()}})
}

func (t *tour) removal(ctx context.Context) bool {
	t.in("Remove")
	return t.edit(ctx, "no protection", func(c map[string]any) { delete(c, "protectDatastore") }) &&
		t.take(ctx,
			stop{about: "`protectDatastore` is false again, and that is deployed first.", command: makeDeploy, last: 10},
			stop{about: "It asks, and was answered with y.", command: "npx cdk destroy --all", shell: answered,
				wants: []string{"sof-hl-Datastore: destroyed"}},
		) &&
		t.steps.do(ctx, "no stack, secret, function, log group, role or datastore is left", func(ctx context.Context) error {
			left, err := t.datastores(ctx)
			return errors.Join(err, equal("datastores", len(left), 0), t.gone(ctx, t.prefix, "SOF-HL"))
		}) &&
		t.cognito(ctx)
}

// cognito is not of this deployment, but its page has commands.
func (t *tour) cognito(ctx context.Context) bool {
	t.in("Amazon Cognito's resource servers")
	return t.take(ctx, stop{
		about: "As the page on Cognito has it, with a user pool of the local AWS.",
		command: "aws cognito-idp create-resource-server --user-pool-id $pool --identifier launch --name launch " +
			`--scopes "[$patient]"`,
		whole: true,
		shell: "made=$(aws cognito-idp create-user-pool --pool-name clinic --query UserPool.Id --output text) && " +
			"sed 's/^pool=.*/pool='$made/ >script <<'END'\n%s\nEND\nsh -e script",
		wants: []string{`"Identifier": "patient"`, `"Identifier": "launch"`, `"ScopeName": "*.rs"`},
	})
}
