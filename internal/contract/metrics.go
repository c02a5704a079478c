package contract

import (
	"fmt"
	"strings"

	"healthlake-smart-on-fhir/internal/reason"
)

// LogMetric is a metric that CloudWatch reads from the function's log lines. The function itself does nothing for it.
type LogMetric struct {
	Name string
	// Lines says which lines count: those for which all conditions of one of the alternatives hold. A field whose value the
	// metric takes, for itself or a dimension, must be among them (CDK, MetricFilterOptions).
	Lines [][]Condition
	// Value is the field whose number is the metric's value, in milliseconds; "" counts lines.
	Value string
	// ByReason makes one metric of each reason. CloudWatch then takes no default, so there is no data point for a minute in
	// which the reason did not occur.
	ByReason bool
	// OfIntrospection marks what there is only where tokens are introspected.
	OfIntrospection bool
}

// LogMetrics has one row for each metric.
var LogMetrics = []LogMetric{
	{Name: "Authorized", Lines: calls(is(FieldOutcome, string(reason.OutcomeAuthorized)))},
	{Name: "Denied", Lines: calls(is(FieldOutcome, string(reason.OutcomeDenied)), is(FieldReason, "*")), ByReason: true},
	{Name: "Errors", Lines: calls(is(FieldOutcome, string(reason.OutcomeError)), is(FieldReason, "*")), ByReason: true},
	// The function's own timeout, and the platform's that ended the function.
	{Name: "Timeouts", Lines: [][]Condition{
		{is(FieldReason, reason.ProviderTimeout.Word)},
		{is("type", "platform.report"), is("record.status", "timeout")},
	}},
	// Its sample count is the number of calls for which the provider was asked.
	{Name: "IdpMilliseconds", Lines: calls(above(FieldIdPRequests, 0), Condition{FieldIdPMS, ">=", "0"}), Value: FieldIdPMS,
		OfIntrospection: true},
	{Name: "IdpSuccesses", Lines: calls(above(FieldIdPRequests, 0), Condition{FieldReason, "!=", `"` + reason.ProviderPrefix + `*"`}),
		OfIntrospection: true},
	{Name: "HedgedCalls", Lines: calls(above(FieldIdPRequests, 1)), OfIntrospection: true},
	{Name: "CacheHits", Lines: calls(Condition{FieldCacheHit, "IS TRUE", ""}), OfIntrospection: true},
}

// Condition compares a field of a log line, such as record.status, with a value: a number, or a text in quotation marks
// whose last character may be the wildcard *.
type Condition struct{ Field, Operator, Value string }

func is(field, text string) Condition         { return Condition{field, "=", `"` + text + `"`} }
func above(field string, least int) Condition { return Condition{field, ">", fmt.Sprint(least)} }

// calls are the conditions, of the line that the function logs for each call.
func calls(conditions ...Condition) [][]Condition {
	return [][]Condition{append([]Condition{is(FieldMessage, LogMessage)}, conditions...)}
}

func (c Condition) String() string {
	return "(" + strings.TrimSuffix("$."+c.Field+" "+c.Operator+" "+c.Value, " ") + ")"
}

// Pattern is the metric's filter pattern (CloudWatch Logs User Guide, "Filter pattern syntax for metric filters", JSON).
func (m LogMetric) Pattern() string {
	alternatives := make([]string, len(m.Lines))
	for i, conditions := range m.Lines {
		all := make([]string, len(conditions))
		for j, c := range conditions {
			all[j] = c.String()
		}
		alternatives[i] = strings.Join(all, " && ")
		if len(m.Lines) > 1 && len(conditions) > 1 {
			alternatives[i] = "(" + alternatives[i] + ")"
		}
	}
	return "{ " + strings.Join(alternatives, " || ") + " }"
}

// Counts tells whether the metric counts a log line, given as decoded JSON. CloudWatch evaluates Pattern; this evaluates
// the same conditions, so that tests can hold them against lines that the function wrote.
func (m LogMetric) Counts(line map[string]any) bool {
	for _, conditions := range m.Lines {
		all := true
		for _, c := range conditions {
			all = all && c.holds(line)
		}
		if all {
			return true
		}
	}
	return false
}

func (c Condition) holds(line map[string]any) bool {
	var value any = line
	for name := range strings.SplitSeq(c.Field, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	switch value := value.(type) {
	case bool:
		return c.Operator == "IS TRUE" && value
	case float64:
		var limit float64
		if _, err := fmt.Sscan(c.Value, &limit); err != nil {
			return false
		}
		return c.Operator == ">" && value > limit || c.Operator == ">=" && value >= limit
	case string:
		wanted, wildcard := strings.CutSuffix(strings.Trim(c.Value, `"`), "*")
		same := value == wanted || wildcard && strings.HasPrefix(value, wanted)
		return c.Operator == "=" && same || c.Operator == "!=" && !same
	}
	return false
}
