package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// newLogMetrics adds the metric filters. The metrics' namespace is the function's name, so that two deployments in one
// account do not add up: a filter's dimensions can only come from the log line.
func newLogMetrics(d deployment, stack awscdk.Stack, logGroup awslogs.ILogGroup) {
	for _, m := range contract.LogMetrics {
		if m.OfIntrospection && !introspects(d.cfg) {
			continue
		}
		props := &awslogs.MetricFilterProps{
			LogGroup:        logGroup,
			FilterPattern:   awslogs.FilterPattern_Literal(jsii.String(m.Pattern())),
			MetricNamespace: jsii.String(d.names.Function),
			MetricName:      jsii.String(m.Name),
			MetricValue:     jsii.String("1"),
			Unit:            awscloudwatch.Unit_COUNT,
		}
		switch {
		case m.Value != "":
			props.MetricValue, props.Unit = jsii.String("$."+m.Value), awscloudwatch.Unit_MILLISECONDS
		case m.ByReason:
			props.Dimensions = &map[string]*string{"Reason": jsii.String("$." + contract.FieldReason)}
		default:
			props.DefaultValue = jsii.Number(0)
		}
		awslogs.NewMetricFilter(stack, jsii.String("Metric"+m.Name), props)
	}
}

func introspects(cfg config.Config) bool {
	return cfg.TokenValidation == config.TokenValidationIntrospection
}

// metrics composes CloudWatch metrics of this deployment from names, so that any stack may show them.
type metrics struct{ names contract.Names }

// function is one of Lambda's metrics of the alias, which is what HealthLake calls.
func (m metrics) function(name, statistic string, minutes int) awscloudwatch.IMetric {
	return newMetric("AWS/Lambda", name, statistic, minutes, &map[string]*string{
		"FunctionName": jsii.String(m.names.Function),
		"Resource":     jsii.String(m.names.Function + ":" + contract.AliasName),
	})
}

// log is one of contract.LogMetrics.
func (m metrics) log(name, statistic string, minutes int) awscloudwatch.IMetric {
	return newMetric(m.names.Function, name, statistic, minutes, nil)
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
