package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

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

// search shows every metric that matches, those that come later included.
func search(terms, statistic, label string) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String(fmt.Sprintf(`SEARCH('%s', '%s', 60)`, terms, statistic)),
		Period:     awscdk.Duration_Minutes(jsii.Number(1)),
		Label:      jsii.String(label),
	})
}
