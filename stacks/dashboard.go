package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

// healthLakeWaits is how long HealthLake waits for the function, in milliseconds.
const healthLakeWaits = 1000

// Dashboard shows the function, the identity provider and the datastore. It refers to the function by names alone: what
// changes there changes nothing here.
type Dashboard struct{ constructs.Construct }

// DashboardProps are the properties of Dashboard.
type DashboardProps struct {
	Config      config.Config
	DatastoreID *string
}

// NewDashboard adds the dashboard.
func NewDashboard(scope constructs.Construct, id string, props DashboardProps) Dashboard {
	construct := constructs.NewConstruct(scope, jsii.String(id))
	rows := functionWidgets(props.Config)
	if introspects(props.Config) {
		rows = append(rows, providerWidgets(props.Config))
	}
	rows = append(rows, healthLakeWidgets(props))
	awscloudwatch.NewDashboard(construct, jsii.String(defaultID), &awscloudwatch.DashboardProps{
		DashboardName: jsii.String(props.Config.Names().Function),
		Widgets:       &rows,
	})
	// The CDK knows of tags on dashboards, not every copy of CloudFormation's schema does, and a property that
	// CloudFormation does not know fails the whole deploy.
	awscdk.Tags_Of(construct).Remove(jsii.String(props.Config.TagName), nil)
	return Dashboard{construct}
}

func functionWidgets(cfg config.Config) []*[]awscloudwatch.IWidget {
	m := metrics{cfg.Names()}
	perReason := func(outcome string) awscloudwatch.IMetric {
		terms := fmt.Sprintf(`{"%s",Reason} MetricName="%s"`, cfg.Names().Function, outcome)
		return search(terms, "Sum", "${PROP('Dim.Reason')}")
	}
	limit := &awscloudwatch.HorizontalAnnotation{
		Value: jsii.Number(healthLakeWaits), Label: jsii.String("HealthLake stops waiting"), Color: awscloudwatch.Color_RED(),
	}
	return []*[]awscloudwatch.IWidget{
		{
			graph(cfg, "Duration, ms", limit,
				m.function("Duration", "p50", 1), m.function("Duration", "p99", 1), m.function("Duration", "Maximum", 1)),
			graph(cfg, "Calls", nil, m.function("Invocations", "Sum", 1), m.log("Authorized", "Sum", 1)),
		},
		{
			graph(cfg, "Denied, by reason", nil, perReason("Denied")),
			graph(cfg, "Errors, by reason", nil, perReason("Errors")),
		},
		{
			graph(cfg, "Provisioned concurrency", nil,
				m.function("ProvisionedConcurrencyUtilization", "Maximum", 1),
				m.function("ProvisionedConcurrencySpilloverInvocations", "Sum", 1)),
			graph(cfg, "Throttles, errors and timeouts", nil,
				m.function("Throttles", "Sum", 1), m.function("Errors", "Sum", 1), m.log("Timeouts", "Sum", 1)),
		},
	}
}

func providerWidgets(cfg config.Config) *[]awscloudwatch.IWidget {
	m := metrics{cfg.Names()}
	return &[]awscloudwatch.IWidget{
		graph(cfg, "Identity provider, ms", nil,
			m.log("IdpMilliseconds", "p50", 1), m.log("IdpMilliseconds", "p99", 1), m.log("IdpMilliseconds", "Maximum", 1)),
		graph(cfg, "Identity provider, calls", nil, m.log("IdpMilliseconds", "SampleCount", 1),
			m.log("IdpSuccesses", "Sum", 1), m.log("HedgedCalls", "Sum", 1), m.log("CacheHits", "Sum", 1)),
	}
}

// healthLakeWidgets show whatever HealthLake reports about this datastore, found by the id: its guide names the metrics'
// dimensions in prose, documents no percentiles of the latency, and leaves open whether every FHIR call is counted.
func healthLakeWidgets(props DashboardProps) *[]awscloudwatch.IWidget {
	reported := func(term, statistic string) awscloudwatch.IMetric {
		return search(fmt.Sprintf(`Namespace="AWS/HealthLake" %s "%s"`, term, *props.DatastoreID), statistic, "")
	}
	return &[]awscloudwatch.IWidget{
		graph(props.Config, "HealthLake: latency", nil, reported("Latency", "Average"), reported("Latency", "Maximum")),
		graph(props.Config, "HealthLake: all but latency", nil, reported("NOT Latency", "Sum")),
	}
}

// graph is half a row of the dashboard. limit may be nil.
func graph(
	cfg config.Config, title string, limit *awscloudwatch.HorizontalAnnotation, shown ...awscloudwatch.IMetric,
) awscloudwatch.IWidget {
	var lines []*awscloudwatch.HorizontalAnnotation
	if limit != nil {
		lines = append(lines, limit)
	}
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title:           jsii.String(title),
		Region:          jsii.String(cfg.Region),
		Width:           jsii.Number(12),
		Left:            &shown,
		LeftAnnotations: &lines,
		LeftYAxis:       &awscloudwatch.YAxisProps{Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
	})
}
