package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
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

// alarmTable has one row for each alarm.
func alarmTable(cfg config.Config) []alarm {
	m := metrics{cfg.Names()}
	rows := []alarm{
		{"Slow", m.function("Duration", "p99", 1), 800, 5, 3,
			"The function's p99 is over 800 ms, and HealthLake waits 1,000. Look at the provider's latency in the dashboard " +
				"(idp_ms in the log). If the provider is fast, raise lambdaMemorySize; if the first calls of an instance " +
				"are slow, raise lambdaConcurrentExecutions."},
		{"Timeout", m.log("Timeouts", "Sum", 1), 0, 1, 1,
			"A call did not finish in time, and its FHIR request was refused. Look in the log for the reason idp_timeout: " +
				"the provider is slow or unreachable. A platform.report with status timeout means that the function hung; " +
				"keep that log."},
		{"Errors", m.percentage("Errors"), 1, 5, 3,
			"More than 1% of the calls ended in an error, each a FHIR request refused. Look in the log for outcome error; " +
				"the section on refused requests in docs/operations.md has the fix for every reason."},
		{"Throttled", m.function("Throttles", "Sum", 1), 0, 1, 1,
			"Lambda turned calls away, each a FHIR request refused. Raise lambdaReservedConcurrency if it is set, or have " +
				"the account's quota of concurrent executions raised."},
		{"Spillover", m.function("ProvisionedConcurrencySpilloverInvocations", "Sum", 1), 0, 5, 3,
			"Calls run on instances that start only then, which may take too long for HealthLake. Raise " +
				"lambdaConcurrentExecutions, or let it scale with lambdaMaxConcurrentExecutions."},
	}
	if introspects(cfg) {
		rows = append(rows, alarm{"ProviderDown", m.providerDown(), 0, 1, 1,
			"The identity provider was asked, and for 5 minutes no call succeeded: every FHIR request is refused. Look in " +
				"the log for reasons that begin with idp_. idp_unauthorized: the provider refuses our credentials, put valid " +
				"ones into the secret. Others: see whether the provider is up and reachable."})
	}
	return rows
}

// addAlarms adds the alarms. They notify nobody by themselves; see AlarmTopic.
func addAlarms(scope constructs.Construct, cfg config.Config) []awscloudwatch.Alarm {
	var added []awscloudwatch.Alarm
	for _, a := range alarmTable(cfg) {
		added = append(added, awscloudwatch.NewAlarm(scope, jsii.String("Alarm"+a.id), &awscloudwatch.AlarmProps{
			AlarmName:          jsii.String(cfg.Names().Function + "-" + a.id),
			AlarmDescription:   jsii.String(a.description),
			Metric:             a.metric,
			Threshold:          jsii.Number(a.over),
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			EvaluationPeriods:  jsii.Number(a.periods),
			DatapointsToAlarm:  jsii.Number(a.points),
			// No calls, no metrics: a quiet night is no fault.
			TreatMissingData: awscloudwatch.TreatMissingData_NOT_BREACHING,
		}))
	}
	return added
}
