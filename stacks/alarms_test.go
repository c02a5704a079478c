package stacks

import (
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
