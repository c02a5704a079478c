package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

// AlarmTopic sends to the address of the key alarmEmail.
type AlarmTopic struct{ constructs.Construct }

// AlarmTopicProps are the properties of AlarmTopic.
type AlarmTopicProps struct {
	Config config.Config
	Alarms []awscloudwatch.Alarm // what it tells of, when they begin and when they end
}

// NewAlarmTopic adds the topic with its subscription.
func NewAlarmTopic(scope constructs.Construct, id string, props AlarmTopicProps) AlarmTopic {
	construct := constructs.NewConstruct(scope, jsii.String(id))
	// Without a key of its own: CloudWatch cannot use the account's key aws/sns, and what a customer key would hide on
	// the way, metric names and numbers, leaves in an e-mail. No request or token is in an alarm.
	topic := awssns.NewTopic(construct, jsii.String(defaultID), &awssns.TopicProps{
		DisplayName: jsii.String(props.Config.Names().Function + " alarms"),
		EnforceSSL:  jsii.Bool(true),
	})
	topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(props.Config.AlarmEmail), nil))
	action := awscloudwatchactions.NewSnsAction(topic)
	for _, a := range props.Alarms {
		a.AddAlarmAction(action)
		a.AddOkAction(action)
	}
	return AlarmTopic{construct}
}
