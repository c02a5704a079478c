package stacks

import (
	"encoding/json"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
)

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
		`Namespace=\"AWS/HealthLake\" Latency \"0123456789abcdef0123456789abcdef\"', 'Average'`,
		`Namespace=\"AWS/HealthLake\" Latency \"0123456789abcdef0123456789abcdef\"', 'Maximum'`,
	} {
		if !strings.Contains(b.String(), shown) {
			t.Errorf("it does not show %s: %s", shown, b.String())
		}
	}
}
