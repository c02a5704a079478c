package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

func TestAlarms(t *testing.T) {
	want := []string{"Errors", "ProviderDown", "Slow", "Spillover", "Throttled", "Timeout"}
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		tmpl := s.stacks["CheckToken"]
		topics := tmpl.resources("AWS::SNS::Topic")
		if (len(topics) == 1) != (cfg.AlarmEmail != "") {
			t.Fatalf("%d topics for %q", len(topics), cfg.AlarmEmail)
		}
		actions := `null`
		for id := range topics {
			actions = `[{"Ref": "` + id + `"}]`
			_, subscription := tmpl.one(t, "AWS::SNS::Subscription")
			wantJSON(t, subscription["Properties"],
				`{"Protocol": "email", "Endpoint": "`+cfg.AlarmEmail+`", "TopicArn": {"Ref": "`+id+`"}}`)
		}
		var names []string
		for _, alarm := range tmpl.resources("AWS::CloudWatch::Alarm") {
			p := alarm["Properties"].(map[string]any)
			name := strings.TrimPrefix(p["AlarmName"].(string), cfg.Prefix+"checkToken-")
			names = append(names, name)
			if p["TreatMissingData"] != "notBreaching" || p["ComparisonOperator"] != "GreaterThanThreshold" {
				t.Errorf("%s: %v, %v", name, p["TreatMissingData"], p["ComparisonOperator"])
			}
			// CloudWatch API Reference, PutMetricAlarm.
			if text := p["AlarmDescription"].(string); len(text) < 100 || len(text) > 1024 {
				t.Errorf("%s: description of %d characters", name, len(text))
			}
			wantJSON(t, p["AlarmActions"], actions)
			wantJSON(t, p["OKActions"], actions)
		}
		slices.Sort(names)
		expected := want
		if cfg.TokenValidation == config.TokenValidationJWT {
			expected = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s == "ProviderDown" })
		}
		if !slices.Equal(names, expected) {
			t.Errorf("got %v, want %v", names, expected)
		}
	})
}

// The topic's policy takes the place of SNS's default, so whom it does not name cannot publish.
func TestAlarmTopicPolicy(t *testing.T) {
	tmpl := get(t, "ownKey").stacks["CheckToken"]
	topic, _ := tmpl.one(t, "AWS::SNS::Topic")
	var arns []string
	for _, id := range slices.Sorted(maps.Keys(tmpl.resources("AWS::CloudWatch::Alarm"))) {
		arns = append(arns, `{"Fn::GetAtt": ["`+id+`", "Arn"]}`)
	}
	_, policy := tmpl.one(t, "AWS::SNS::TopicPolicy")
	document := at(policy, "Properties", "PolicyDocument")
	// The alarms' order means nothing.
	sources := at(document.(map[string]any)["Statement"].([]any)[1], "Condition", "ArnEquals", "aws:SourceArn").([]any)
	slices.SortFunc(sources, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	wantJSON(t, at(policy, "Properties", "Topics"), `[{"Ref": "`+topic+`"}]`)
	wantJSON(t, document, `{
		"Version": "2012-10-17",
		"Statement": [
			{
				"Sid": "AllowPublishThroughSSLOnly",
				"Effect": "Deny",
				"Principal": "*",
				"Action": "sns:Publish",
				"Resource": {"Ref": "`+topic+`"},
				"Condition": {"Bool": {"aws:SecureTransport": "false"}}
			},
			{
				"Sid": "AlarmsPublish",
				"Effect": "Allow",
				"Principal": {"Service": "cloudwatch.amazonaws.com"},
				"Action": "sns:Publish",
				"Resource": {"Ref": "`+topic+`"},
				"Condition": {
					"StringEquals": {"aws:SourceAccount": "123456789012"},
					"ArnEquals": {"aws:SourceArn": [`+strings.Join(arns, ",")+`]}
				}
			},
			{
				"Sid": "SecretChangesPublish",
				"Effect": "Allow",
				"Principal": {"Service": "events.amazonaws.com"},
				"Action": "sns:Publish",
				"Resource": {"Ref": "`+topic+`"}
			}
		]
	}`)
}

// With an address for alarms, every change of the secret is told: by Secrets Manager's own event, and by CloudTrail's.
func TestSecretChangesAreTold(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		tmpl := s.stacks["CheckToken"]
		rules := tmpl.resources("AWS::Events::Rule")
		if cfg.AlarmEmail == "" {
			if len(rules) != 0 {
				t.Errorf("%d rules, and no topic to tell", len(rules))
			}
			return
		}
		topic, _ := tmpl.one(t, "AWS::SNS::Topic")
		const secret = `{"Fn::ImportValue": "sof-hl-Secret:ExportsOutputRefSecret34AA9512"}`
		patterns := map[string]string{
			"Secret Label Updated": `{"source": ["aws.secretsmanager"], "detail-type": ["Secret Label Updated"],
				"resources": [` + secret + `]}`,
			"AWS API Call via CloudTrail": `{"source": ["aws.secretsmanager"], "detail-type": ["AWS API Call via CloudTrail"],
				"detail": {"eventSource": ["secretsmanager.amazonaws.com"], "responseElements": {"arn": [` + secret + `]}}}`,
		}
		for _, rule := range rules {
			kind := at(rule, "Properties", "EventPattern", "detail-type").([]any)[0].(string)
			wantJSON(t, at(rule, "Properties", "EventPattern"), patterns[kind])
			delete(patterns, kind)
			targets := at(rule, "Properties", "Targets").([]any)
			if len(targets) != 1 {
				t.Fatalf("%s has %d targets", kind, len(targets))
			}
			wantJSON(t, at(targets[0], "Arn"), `{"Ref": "`+topic+`"}`)
			text := at(targets[0], "InputTransformer", "InputTemplate").(string)
			if !strings.HasPrefix(text, `"The secret SOF-HL of sof-hl-checkToken `) || !json.Valid([]byte(text)) {
				t.Errorf("%s is told as %s", kind, text)
			}
			for field := range at(targets[0], "InputTransformer", "InputPathsMap").(map[string]any) {
				if !strings.Contains(text, "<"+field+">") {
					t.Errorf("%s is told without its %s", kind, field)
				}
			}
		}
		if len(patterns) != 0 {
			t.Errorf("no rule for %v", patterns)
		}
	})
}

func TestAlarmConditions(t *testing.T) {
	const alias = `"Namespace": "AWS/Lambda", "Dimensions": [
		{"Name": "FunctionName", "Value": "sof-hl-checkToken"}, {"Name": "Resource", "Value": "sof-hl-checkToken:live"}]`
	lambda := func(name, statistic string) string {
		return `{"Metric": {"MetricName": "` + name + `", ` + alias + `}, "Period": 60, "Stat": "` + statistic + `"}`
	}
	want := map[string]string{
		"Slow": lambda("Duration", "p99"),
		"Timeout": `{"Metric": {"MetricName": "Timeouts", "Namespace": "sof-hl-checkToken"}, "Period": 60,
			"Stat": "Sum"}`,
		"Throttled": lambda("Throttles", "Sum"),
		"Spillover": lambda("ProvisionedConcurrencySpilloverInvocations", "Sum"),
	}
	thresholds := map[string]float64{"Slow": 800, "Errors": 1}
	expressions := map[string]string{
		"Errors":       "IF(calls > 0, 100 * counted / calls, 0)",
		"ProviderDown": "IF(FILL(calls, 0) > 0 AND FILL(successes, 0) == 0, 1, 0)",
	}
	for _, alarm := range get(t, "default").stacks["CheckToken"].resources("AWS::CloudWatch::Alarm") {
		p := alarm["Properties"].(map[string]any)
		name := strings.TrimPrefix(p["AlarmName"].(string), "sof-hl-checkToken-")
		if p["Threshold"] != thresholds[name] {
			t.Errorf("%s: threshold %v, want %v", name, p["Threshold"], thresholds[name])
		}
		if w, ok := want[name]; ok {
			wantJSON(t, at(p["Metrics"].([]any)[0], "MetricStat"), w)
		}
		if e := expressions[name]; e != "" {
			if got := at(p["Metrics"].([]any)[0], "Expression"); got != e {
				t.Errorf("%s: expression %v, want %s", name, got, e)
			}
		}
	}
}
