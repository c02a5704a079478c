package stacks

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

// filters are the metric filters of a variant, by metric name.
func filters(t *testing.T, variantName string) map[string]map[string]any {
	t.Helper()
	found := map[string]map[string]any{}
	for _, filter := range get(t, variantName).stacks["CheckToken"].resources("AWS::Logs::MetricFilter") {
		properties := filter["Properties"].(map[string]any)
		transformations := properties["MetricTransformations"].([]any)
		if len(transformations) != 1 {
			t.Fatalf("got %d transformations, want 1", len(transformations))
		}
		found[at(transformations[0], "MetricName").(string)] = properties
	}
	return found
}

func TestLogMetrics(t *testing.T) {
	logs, _ := get(t, "default").stacks["CheckToken"].one(t, "AWS::Logs::LogGroup")
	const one = `"MetricValue": "1", "Unit": "Count"`
	want := map[string][2]string{
		"Authorized": {`{ ($.msg = "checkToken") && ($.outcome = "authorized") }`, one + `, "DefaultValue": 0`},
		"Denied": {`{ ($.msg = "checkToken") && ($.outcome = "denied") && ($.reason = "*") }`,
			one + `, "Dimensions": [{"Key": "Reason", "Value": "$.reason"}]`},
		"Errors": {`{ ($.msg = "checkToken") && ($.outcome = "error") && ($.reason = "*") }`,
			one + `, "Dimensions": [{"Key": "Reason", "Value": "$.reason"}]`},
		"Timeouts": {`{ ($.reason = "idp_timeout") || (($.type = "platform.report") && ($.record.status = "timeout")) }`,
			one + `, "DefaultValue": 0`},
		"IdpMilliseconds": {`{ ($.msg = "checkToken") && ($.idp_requests > 0) && ($.idp_ms >= 0) }`,
			`"MetricValue": "$.idp_ms", "Unit": "Milliseconds"`},
		"IdpSuccesses": {`{ ($.msg = "checkToken") && ($.idp_requests > 0) && ($.reason != "idp_*") }`,
			one + `, "DefaultValue": 0`},
		"HedgedCalls": {`{ ($.msg = "checkToken") && ($.idp_requests > 1) }`, one + `, "DefaultValue": 0`},
		"CacheHits":   {`{ ($.msg = "checkToken") && ($.cache_hit IS TRUE) }`, one + `, "DefaultValue": 0`},
	}
	got := filters(t, "default")
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("got the metrics %v", names)
	}
	for name, w := range want {
		pattern, err := json.Marshal(w[0])
		if err != nil {
			t.Fatal(err)
		}
		wantJSON(t, got[name], `{
			"LogGroupName": {"Ref": "`+logs+`"},
			"FilterPattern": `+string(pattern)+`,
			"MetricTransformations": [{"MetricName": "`+name+`", "MetricNamespace": "sof-hl-checkToken", `+w[1]+`}]
		}`)
	}
	// Where tokens are verified by keys, nobody is asked about them.
	if names := slices.Sorted(maps.Keys(filters(t, "givenKey"))); !slices.Equal(names,
		[]string{"Authorized", "Denied", "Errors", "Timeouts"}) {
		t.Errorf("with JWTs there are the metrics %v", names)
	}
}

// The function writes every field and every word that a filter looks for. Those of the platform are not ours.
func TestLogMetricsMatchTheLogLine(t *testing.T) {
	var source strings.Builder
	for _, file := range []string{"log.go", "handler.go"} {
		b, err := os.ReadFile("../lambda/checktoken/" + file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	platform := []string{"type", "record.status", "platform.report", "timeout"}
	written := func(word string) bool {
		return slices.Contains(platform, word) || word == "msg" || strings.Contains(source.String(), `"`+word+`"`)
	}
	field, text := regexp.MustCompile(`\$\.([a-z_.]+)`), regexp.MustCompile(`"([^"]+)"`)
	seen := 0
	for name, filter := range filters(t, "default") {
		transformation := filter["MetricTransformations"].([]any)[0]
		pattern := filter["FilterPattern"].(string)
		taken := at(transformation, "MetricValue").(string)
		if dimensions, ok := at(transformation, "Dimensions").([]any); ok {
			taken += " " + at(dimensions[0], "Value").(string)
		}
		for _, m := range field.FindAllString(taken, -1) {
			if !strings.Contains(pattern, m) {
				t.Errorf("%s takes %s, which its pattern does not match", name, m)
			}
		}
		for _, m := range field.FindAllStringSubmatch(pattern+" "+taken, -1) {
			seen++
			if !written(m[1]) {
				t.Errorf("%s: the function's line has no field %s", name, m[1])
			}
		}
		for _, m := range text.FindAllStringSubmatch(pattern, -1) {
			// idp_timeout and idp_* are put together from the reason's beginning and introspection's kinds.
			if word := m[1]; word != "*" && !written(word) && !(strings.HasPrefix(word, "idp_") && written("idp_")) {
				t.Errorf("%s: the function never writes %s", name, word)
			}
		}
	}
	if seen == 0 {
		t.Error("no filter reads a field")
	}
}

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

func TestDashboard(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		if n := len(s.stacks["Datastore"].resources("AWS::CloudWatch::Dashboard")); (n == 1) != cfg.Dashboard || n > 1 {
			t.Errorf("%d dashboards", n)
		}
	})
	_, dashboard := get(t, "default").stacks["Datastore"].one(t, "AWS::CloudWatch::Dashboard")
	if name := at(dashboard, "Properties", "DashboardName"); name != "sof-hl-checkToken" {
		t.Errorf("it is named %v", name)
	}
	// As CloudFormation fills it in.
	var b strings.Builder
	for _, part := range at(dashboard, "Properties", "DashboardBody", "Fn::Join").([]any)[1].([]any) {
		if text, ok := part.(string); ok {
			b.WriteString(text)
			continue
		}
		wantJSON(t, part, `{"Fn::GetAtt": ["Datastore", "DatastoreId"]}`)
		b.WriteString("0123456789abcdef0123456789abcdef")
	}
	var body struct {
		Widgets []struct {
			Properties struct {
				Title       string
				Metrics     []any
				Annotations struct{ Horizontal []struct{ Value float64 } }
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &body); err != nil {
		t.Fatalf("%v in %s", err, b.String())
	}
	lines := 0
	for _, widget := range body.Widgets {
		for _, line := range widget.Properties.Annotations.Horizontal {
			lines++
			if widget.Properties.Title != "Duration, ms" || line.Value != 1000 {
				t.Errorf("%s has a line at %v", widget.Properties.Title, line.Value)
			}
		}
		if len(widget.Properties.Metrics) == 0 {
			t.Errorf("%s shows nothing", widget.Properties.Title)
		}
	}
	if lines != 1 {
		t.Errorf("%d lines, want one", lines)
	}
	for _, shown := range []string{
		`"Duration"`, `"p50"`, `"p99"`, `"Maximum"`, `"Authorized"`, `MetricName=\"Denied\"`, `MetricName=\"Errors\"`,
		`"IdpMilliseconds"`, `"HedgedCalls"`, `"CacheHits"`, `"ProvisionedConcurrencyUtilization"`,
		`"ProvisionedConcurrencySpilloverInvocations"`, `"Throttles"`, `"Timeouts"`,
		`Namespace=\"AWS/HealthLake\" Latency \"0123456789abcdef0123456789abcdef\"`,
	} {
		if !strings.Contains(b.String(), shown) {
			t.Errorf("it does not show %s: %s", shown, b.String())
		}
	}
}
