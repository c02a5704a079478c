package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/contract"
)

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

// percentage is the share of calls that one of Lambda's metrics counted.
func (m metrics) percentage(name string) awscloudwatch.IMetric {
	return expression("IF(calls > 0, 100 * counted / calls, 0)", name+" % of calls", 1, map[string]awscloudwatch.IMetric{
		"counted": m.function(name, "Sum", 1),
		"calls":   m.function("Invocations", "Sum", 1),
	})
}

// providerDown is 1 where the provider was asked in the last five minutes and no call succeeded, and 0 otherwise.
func (m metrics) providerDown() awscloudwatch.IMetric {
	return expression("IF(FILL(calls, 0) > 0 AND FILL(successes, 0) == 0, 1, 0)",
		"Provider asked, and no call succeeded", 5, map[string]awscloudwatch.IMetric{
			"calls":     m.log("IdpMilliseconds", "SampleCount", 5),
			"successes": m.log("IdpSuccesses", "Sum", 5),
		})
}

func expression(text, label string, minutes int, using map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String(text),
		UsingMetrics: &using,
		Period:       awscdk.Duration_Minutes(jsii.Number(minutes)),
		Label:        jsii.String(label),
	})
}

// search shows every metric that matches, those that come later included.
func search(terms, statistic, label string) awscloudwatch.IMetric {
	return expression(fmt.Sprintf(`SEARCH('%s', '%s', 60)`, terms, statistic), label, 1, nil)
}
