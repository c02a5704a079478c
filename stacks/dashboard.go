package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// healthLakeWaits is how long HealthLake waits for the function, in milliseconds.
const healthLakeWaits = 1000

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
		return search(fmt.Sprintf(`{"%s",Reason} MetricName="%s"`, d.names.Function, outcome), "Sum", "${PROP('Dim.Reason')}")
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
		DashboardName: jsii.String(d.names.Function),
		Widgets:       &rows,
	})
	// The CDK knows of tags on dashboards, not every copy of CloudFormation's schema does, and a property that
	// CloudFormation does not know fails the whole deploy.
	awscdk.Tags_Of(dashboard).Remove(jsii.String(d.cfg.TagName), nil)
}
