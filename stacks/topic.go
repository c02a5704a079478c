package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

// AlarmTopic sends e-mails to the address of the key alarmEmail: when an alarm begins and ends, and when somebody has
// changed the secret.
type AlarmTopic struct{ constructs.Construct }

// AlarmTopicProps are the properties of AlarmTopic.
type AlarmTopicProps struct {
	Config    config.Config
	Alarms    []awscloudwatch.Alarm
	SecretARN *string
}

// NewAlarmTopic adds the topic with its subscription, and who may publish to it.
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
	var alarmARNs []*string
	for _, a := range props.Alarms {
		a.AddAlarmAction(action)
		a.AddOkAction(action)
		alarmARNs = append(alarmARNs, a.AlarmArn())
	}
	// The topic's policy takes the place of SNS's default, which lets the whole account publish: without these statements no
	// e-mail is ever sent.
	allowPublish(topic, "AlarmsPublish", "cloudwatch.amazonaws.com", &map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": props.Config.Account},
		"ArnEquals":    map[string]any{"aws:SourceArn": alarmARNs},
	})
	// No conditions: EventBridge does not support them in a topic's policy, and a statement with one would allow nothing
	// (EventBridge User Guide, "Using resource-based policies", Amazon SNS permissions).
	allowPublish(topic, "SecretChangesPublish", "events.amazonaws.com", nil)

	for _, e := range secretEvents(props) {
		e.addRule(construct, topic)
	}
	return AlarmTopic{construct}
}

func allowPublish(topic awssns.Topic, sid, service string, conditions *map[string]any) {
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String(sid),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String(service), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: conditions,
	}))
}

// secretEvent is an event about the secret, and the e-mail that tells of it.
type secretEvent struct {
	id          string
	description string
	pattern     map[string]any
	fields      map[string]*string // of the event, as paths, for <placeholders> in text
	text        string
}

func (e secretEvent) addRule(scope constructs.Construct, topic awssns.Topic) {
	awsevents.NewCfnRule(scope, jsii.String(e.id), &awsevents.CfnRuleProps{
		Description:  jsii.String(e.description),
		EventPattern: e.pattern,
		Targets: []awsevents.CfnRule_TargetProperty{{
			Id:  jsii.String("AlarmTopic"),
			Arn: topic.TopicArn(),
			InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
				InputPathsMap: e.fields,
				InputTemplate: jsii.String(`"` + e.text + `"`),
			},
		}},
	})
}

// secretEvents has two rows, since neither event is enough. Secrets Manager itself tells that the value is another one, in
// every account, but not who wrote it. CloudTrail tells who wrote the value or the policy, but reaches EventBridge only
// where the account has a trail (Secrets Manager User Guide, "Secret event notifications" and "Match Secrets Manager
// events with EventBridge").
func secretEvents(props AlarmTopicProps) []secretEvent {
	secret := "The secret " + props.Config.SecretName + " of " + props.Config.Names().Function
	const meaning = " Who writes it decides who is let in. If nobody planned this, follow 'Who may change the secret' in " +
		"docs/security.md."
	return []secretEvent{
		{
			id:          "SecretValueChanged",
			description: secret + " has another value",
			pattern: map[string]any{
				"source":      []string{"aws.secretsmanager"},
				"detail-type": []string{"Secret Label Updated"},
				"resources":   []*string{props.SecretARN},
			},
			fields: map[string]*string{"time": jsii.String("$.time"), "version": jsii.String("$.detail.versionId")},
			text:   secret + " has another value since <time>, version <version>." + meaning,
		},
		{
			id:          "SecretChangedBy",
			description: secret + " was changed by a call that CloudTrail recorded",
			// Calls that read have no response elements, and failed calls have none either.
			pattern: map[string]any{
				"source":      []string{"aws.secretsmanager"},
				"detail-type": []string{"AWS API Call via CloudTrail"},
				"detail": map[string]any{
					"eventSource":      []string{"secretsmanager.amazonaws.com"},
					"responseElements": map[string]any{"arn": []*string{props.SecretARN}},
				},
			},
			fields: map[string]*string{
				"time": jsii.String("$.time"), "call": jsii.String("$.detail.eventName"),
				"who": jsii.String("$.detail.userIdentity.arn"), "address": jsii.String("$.detail.sourceIPAddress"),
			},
			text: secret + " was changed at <time>: <call> by <who> from <address>." + meaning,
		},
	}
}
