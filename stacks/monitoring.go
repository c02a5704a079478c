package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

// healthLakeWaits is how long HealthLake waits for the function, in milliseconds.
const healthLakeWaits = 1000

// logMetric is a metric that CloudWatch reads from the function's log lines. The function itself does nothing for it.
type logMetric struct {
	name string
	// pattern is as the CloudWatch Logs User Guide has it, "Filter pattern syntax for metric filters", JSON. A field whose
	// value the metric takes, for itself or a dimension, must be in it (CDK, MetricFilterOptions).
	pattern string
	value   string // 1, or a number of the line
	unit    awscloudwatch.Unit
	// byReason makes a metric of each reason. CloudWatch then takes no default, so that there is no data point for a
	// minute in which the reason did not occur.
	byReason bool
	// asksProvider marks what there is only where tokens are introspected.
	asksProvider bool
}

var logMetrics = []logMetric{
	{name: "Authorized", pattern: `{ ($.msg = "checkToken") && ($.outcome = "authorized") }`},
	{name: "Denied", pattern: `{ ($.msg = "checkToken") && ($.outcome = "denied") && ($.reason = "*") }`, byReason: true},
	{name: "Errors", pattern: `{ ($.msg = "checkToken") && ($.outcome = "error") && ($.reason = "*") }`, byReason: true},
	// The function's own, and the platform's that ended it.
	{name: "Timeouts", pattern: `{ ($.reason = "idp_timeout") || ` +
		`(($.type = "platform.report") && ($.record.status = "timeout")) }`},
	// Its sample count is the number of requests of HealthLake for which the provider was asked.
	{name: "IdpMilliseconds", pattern: `{ ($.msg = "checkToken") && ($.idp_requests > 0) && ($.idp_ms >= 0) }`, value: "$.idp_ms",
		unit: awscloudwatch.Unit_MILLISECONDS, asksProvider: true},
	{name: "IdpSuccesses", pattern: `{ ($.msg = "checkToken") && ($.idp_requests > 0) && ($.reason != "idp_*") }`,
		asksProvider: true},
	{name: "HedgedCalls", pattern: `{ ($.msg = "checkToken") && ($.idp_requests > 1) }`, asksProvider: true},
	{name: "CacheHits", pattern: `{ ($.msg = "checkToken") && ($.cache_hit IS TRUE) }`, asksProvider: true},
}

// newLogMetrics adds the metric filters. The metrics' namespace is the function's name, so that two deployments in one
// account do not add up: a filter's dimensions can only come from the log line.
func newLogMetrics(d deployment, stack awscdk.Stack, logGroup awslogs.ILogGroup) {
	for _, m := range logMetrics {
		if m.asksProvider && !introspects(d.cfg) {
			continue
		}
		props := &awslogs.MetricFilterProps{
			LogGroup:        logGroup,
			FilterPattern:   awslogs.FilterPattern_Literal(jsii.String(m.pattern)),
			MetricNamespace: jsii.String(d.names.function),
			MetricName:      jsii.String(m.name),
			MetricValue:     jsii.String("1"),
			Unit:            awscloudwatch.Unit_COUNT,
		}
		switch {
		case m.value != "":
			props.MetricValue, props.Unit = jsii.String(m.value), m.unit
		case m.byReason:
			props.Dimensions = &map[string]*string{"Reason": jsii.String("$.reason")}
		default:
			props.DefaultValue = jsii.Number(0)
		}
		awslogs.NewMetricFilter(stack, jsii.String("Metric"+m.name), props)
	}
}

func introspects(cfg config.Config) bool {
	return cfg.TokenValidation == config.TokenValidationIntrospection
}

// metrics composes CloudWatch metrics of this deployment from names, so that any stack may show them.
type metrics struct{ names names }

// function is one of Lambda's metrics of the alias, which is what HealthLake calls.
func (m metrics) function(name, statistic string, minutes int) awscloudwatch.IMetric {
	return newMetric("AWS/Lambda", name, statistic, minutes, &map[string]*string{
		"FunctionName": jsii.String(m.names.function),
		"Resource":     jsii.String(m.names.function + ":" + aliasName),
	})
}

// log is one of logMetrics.
func (m metrics) log(name, statistic string, minutes int) awscloudwatch.IMetric {
	return newMetric(m.names.function, name, statistic, minutes, nil)
}

func newMetric(
	namespace, name, statistic string, minutes int, dimensions *map[string]*string,
) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String(namespace),
		MetricName:    jsii.String(name),
		Statistic:     jsii.String(statistic),
		Period:        awscdk.Duration_Minutes(jsii.Number(minutes)),
		DimensionsMap: dimensions,
		Label:         jsii.String(name + " " + statistic),
	})
}

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
				"are slow, raise lambdaConcurentExecutions."},
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
				"lambdaConcurentExecutions, or let it scale with lambdaMaxConcurrentExecutions."},
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

// percentage is the share of calls for which Lambda counted such a metric.
func (m metrics) percentage(name string) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("IF(calls > 0, 100 * counted / calls, 0)"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"counted": m.function(name, "Sum", 1),
			"calls":   m.function("Invocations", "Sum", 1),
		},
		Period: awscdk.Duration_Minutes(jsii.Number(1)),
		Label:  jsii.String(name + " % of calls"),
	})
}

// newAlarms adds the alarms, and a topic that sends them to the e-mail address where there is one.
func newAlarms(d deployment, stack awscdk.Stack) {
	var action awscloudwatch.IAlarmAction
	if d.cfg.AlarmEmail != "" {
		// Without a key of its own: CloudWatch cannot use the account's key aws/sns, and what a customer key would hide on
		// the way, metric names and numbers, leaves in an e-mail. No request or token is in an alarm.
		topic := awssns.NewTopic(stack, jsii.String("AlarmTopic"), &awssns.TopicProps{
			DisplayName: jsii.String(d.names.function + " alarms"),
			EnforceSSL:  jsii.Bool(true),
		})
		topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(d.cfg.AlarmEmail), nil))
		action = awscloudwatchactions.NewSnsAction(topic)
	}
	for _, a := range alarms(d) {
		made := awscloudwatch.NewAlarm(stack, jsii.String("Alarm"+a.id), &awscloudwatch.AlarmProps{
			AlarmName:          jsii.String(d.names.function + "-" + a.id),
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

// newDashboard adds the dashboard. It stands in the datastore's stack, where the datastore's id is known, and says of
// the function nothing but names: what changes there changes nothing here.
func newDashboard(d deployment, stack awscdk.Stack, datastoreID *string) {
	m := metrics{d.names}
	graph := func(
		title string, lines []*awscloudwatch.HorizontalAnnotation, shown ...awscloudwatch.IMetric,
	) awscloudwatch.IWidget {
		return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title:           jsii.String(title),
			Region:          jsii.String(d.cfg.Region),
			Width:           jsii.Number(12),
			Left:            &shown,
			LeftAnnotations: &lines,
			LeftYAxis:       &awscloudwatch.YAxisProps{Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
		})
	}
	perReason := func(outcome string) awscloudwatch.IMetric {
		return search(fmt.Sprintf(`{"%s",Reason} MetricName="%s"`, d.names.function, outcome), "Sum", "${PROP('Dim.Reason')}")
	}
	rows := []*[]awscloudwatch.IWidget{
		{
			graph("Duration, ms", []*awscloudwatch.HorizontalAnnotation{
				{Value: jsii.Number(healthLakeWaits), Label: jsii.String("HealthLake stops waiting"),
					Color: awscloudwatch.Color_RED()},
			}, m.function("Duration", "p50", 1), m.function("Duration", "p99", 1), m.function("Duration", "Maximum", 1)),
			graph("Calls", nil, m.function("Invocations", "Sum", 1), m.log("Authorized", "Sum", 1)),
		},
		{
			graph("Denied, by reason", nil, perReason("Denied")),
			graph("Errors, by reason", nil, perReason("Errors")),
		},
		{
			graph("Provisioned concurrency", nil,
				m.function("ProvisionedConcurrencyUtilization", "Maximum", 1),
				m.function("ProvisionedConcurrencySpilloverInvocations", "Sum", 1)),
			graph("Throttles, errors and timeouts", nil, m.function("Throttles", "Sum", 1),
				m.function("Errors", "Sum", 1), m.log("Timeouts", "Sum", 1)),
		},
	}
	if introspects(d.cfg) {
		rows = append(rows, &[]awscloudwatch.IWidget{
			graph("Identity provider, ms", nil, m.log("IdpMilliseconds", "p50", 1), m.log("IdpMilliseconds", "p99", 1),
				m.log("IdpMilliseconds", "Maximum", 1)),
			graph("Identity provider, calls", nil, m.log("IdpMilliseconds", "SampleCount", 1),
				m.log("IdpSuccesses", "Sum", 1), m.log("HedgedCalls", "Sum", 1), m.log("CacheHits", "Sum", 1)),
		})
	}
	// Whatever HealthLake reports about this datastore, found by the id: its guide names the metrics' dimensions in prose.
	healthLake := func(term, statistic string) awscloudwatch.IMetric {
		return search(fmt.Sprintf(`Namespace="AWS/HealthLake" %s "%s"`, term, *datastoreID), statistic, "")
	}
	rows = append(rows, &[]awscloudwatch.IWidget{
		graph("HealthLake: latency", nil, healthLake("Latency", "p99")),
		graph("HealthLake: all but latency", nil, healthLake("NOT Latency", "Sum")),
	})
	dashboard := awscloudwatch.NewDashboard(stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName: jsii.String(d.names.function),
		Widgets:       &rows,
	})
	// The CDK knows of tags on dashboards, not every copy of CloudFormation's schema does, and a property that
	// CloudFormation does not know fails the whole deploy.
	awscdk.Tags_Of(dashboard).Remove(jsii.String(d.cfg.TagName), nil)
}

// search shows every metric that matches, those that come later included.
func search(terms, statistic, label string) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String(fmt.Sprintf(`SEARCH('%s', '%s', 60)`, terms, statistic)),
		Period:     awscdk.Duration_Minutes(jsii.Number(1)),
		Label:      jsii.String(label),
	})
}
