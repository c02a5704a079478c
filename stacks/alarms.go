package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"
)

// alarm is a threshold, and what to do when it is crossed.
type alarm struct {
	id          string
	metric      awscloudwatch.IMetric
	over        float64
	periods     int // of them, points must be over the threshold
	points      int
	description string
}

func alarms(d deployment) []alarm {
	m := metrics{d.names}
	all := []alarm{
		{"Slow", m.function("Duration", "p99", 1), 800, 5, 3,
			"The function's p99 is over 800 ms, and HealthLake waits 1,000. Look at the provider's latency in the dashboard " +
				"(idp_ms in the log). If the provider is fast, raise lambdaMemorySize; if the first calls of an instance " +
				"are slow, raise lambdaConcurrentExecutions."},
		{"Timeout", m.log("Timeouts", "Sum", 1), 0, 1, 1,
			"A call found no answer in time, and its FHIR request was refused. Look in the log for the reason idp_timeout: " +
				"the provider is slow or unreachable. A platform.report with status timeout means that the function hung; " +
				"keep that log."},
		{"Errors", m.percentage("Errors"), 1, 5, 3,
			"More than 1% of the calls ended in an error, each a FHIR request refused. Look in the log for outcome error; " +
				"the section on refused requests in docs/operations.md has the mend for every reason."},
		{"Throttled", m.function("Throttles", "Sum", 1), 0, 1, 1,
			"Lambda turned calls away, each a FHIR request refused. Raise lambdaReservedConcurrency if it is set, or have " +
				"the account's quota of concurrent executions raised."},
		{"Spillover", m.function("ProvisionedConcurrencySpilloverInvocations", "Sum", 1), 0, 5, 3,
			"Calls run on instances that start only then, which may take too long for HealthLake. Raise " +
				"lambdaConcurrentExecutions, or let it scale with lambdaMaxConcurrentExecutions."},
	}
	if introspects(d.cfg) {
		all = append(all, alarm{"ProviderDown", awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String("IF(FILL(calls, 0) > 0 AND FILL(successes, 0) == 0, 1, 0)"),
			UsingMetrics: &map[string]awscloudwatch.IMetric{
				"calls":     m.log("IdpMilliseconds", "SampleCount", 5),
				"successes": m.log("IdpSuccesses", "Sum", 5),
			},
			Period: awscdk.Duration_Minutes(jsii.Number(5)),
			Label:  jsii.String("Provider asked, and no call succeeded"),
		}), 0, 1, 1,
			"The identity provider was asked, and for 5 minutes no call succeeded: every FHIR request is refused. Look in " +
				"the log for reasons that begin with idp_. idp_unauthorized: the provider refuses our credentials, put valid " +
				"ones into the secret. Others: see whether the provider is up and reachable."})
	}
	return all
}

// newAlarms adds the alarms, and a topic that sends them to the e-mail address where there is one.
func newAlarms(d deployment, stack awscdk.Stack) {
	var action awscloudwatch.IAlarmAction
	if d.cfg.AlarmEmail != "" {
		// Without a key of its own: CloudWatch cannot use the account's key aws/sns, and what a customer key would hide on
		// the way, metric names and numbers, leaves in an e-mail. No request or token is in an alarm.
		topic := awssns.NewTopic(stack, jsii.String("AlarmTopic"), &awssns.TopicProps{
			DisplayName: jsii.String(d.names.Function + " alarms"),
			EnforceSSL:  jsii.Bool(true),
		})
		topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(d.cfg.AlarmEmail), nil))
		action = awscloudwatchactions.NewSnsAction(topic)
	}
	for _, a := range alarms(d) {
		made := awscloudwatch.NewAlarm(stack, jsii.String("Alarm"+a.id), &awscloudwatch.AlarmProps{
			AlarmName:          jsii.String(d.names.Function + "-" + a.id),
			AlarmDescription:   jsii.String(a.description),
			Metric:             a.metric,
			Threshold:          jsii.Number(a.over),
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			EvaluationPeriods:  jsii.Number(a.periods),
			DatapointsToAlarm:  jsii.Number(a.points),
			// No calls, no metrics: a quiet night is no fault.
			TreatMissingData: awscloudwatch.TreatMissingData_NOT_BREACHING,
		})
		if action != nil {
			made.AddAlarmAction(action)
			made.AddOkAction(action)
		}
	}
}
