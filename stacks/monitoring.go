package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// Monitoring is the metrics of the function's log and the queries over it, the alarms, and the topic that tells of them.
type Monitoring struct{ constructs.Construct }

// MonitoringProps are the properties of Monitoring.
type MonitoringProps struct {
	Config    config.Config
	LogGroup  awslogs.ILogGroup // the function's
	SecretARN *string           // the secret whose changes are told of
}

// NewMonitoring adds the metrics and the alarms, and with alarmEmail the topic.
func NewMonitoring(scope constructs.Construct, id string, props MonitoringProps) Monitoring {
	construct := constructs.NewConstruct(scope, jsii.String(id))
	addLogMetrics(construct, props)
	addQueries(construct, props)
	alarms := addAlarms(construct, props.Config)
	if props.Config.AlarmEmail != "" {
		NewAlarmTopic(construct, "AlarmTopic", AlarmTopicProps{
			Config: props.Config, Alarms: alarms, SecretARN: props.SecretARN,
		})
	}
	return Monitoring{construct}
}

// addLogMetrics adds the metric filters. The metrics' namespace is the function's name, so that two deployments in one
// account do not add up: a filter's dimensions can only come from the log line.
func addLogMetrics(scope constructs.Construct, props MonitoringProps) {
	for _, m := range contract.LogMetrics {
		if m.OfIntrospection && !introspects(props.Config) {
			continue
		}
		filter := &awslogs.MetricFilterProps{
			LogGroup:        props.LogGroup,
			FilterPattern:   awslogs.FilterPattern_Literal(jsii.String(m.Pattern())),
			MetricNamespace: jsii.String(props.Config.Names().Function),
			MetricName:      jsii.String(m.Name),
			MetricValue:     jsii.String("1"),
			Unit:            awscloudwatch.Unit_COUNT,
		}
		switch {
		case m.Value != "":
			filter.MetricValue, filter.Unit = jsii.String("$."+m.Value), awscloudwatch.Unit_MILLISECONDS
		case m.ByReason:
			filter.Dimensions = &map[string]*string{"Reason": jsii.String("$." + contract.FieldReason)}
		default:
			filter.DefaultValue = jsii.Number(0)
		}
		awslogs.NewMetricFilter(scope, jsii.String("Metric"+m.Name), filter)
	}
}

func introspects(cfg config.Config) bool {
	return cfg.TokenValidation == config.TokenValidationIntrospection
}
