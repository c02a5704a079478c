package docs

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"text/template"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/secret"
)

var update = flag.Bool("update", false, "write docs/reference/scaling.md")

const (
	month     = 730 * 3600.0 // seconds
	ownTime   = 2            // milliseconds that a call takes besides the provider's
	provider  = 20           // milliseconds of the provider, where a table has no column for it
	alarms    = 6            // of a deployment: stacks/alarms.go
	lineSize  = 370          // bytes of the function's log line
	linesSize = 770          // the same, with the lines that Lambda adds
	wireSize  = 500          // bytes sent to the provider for a call
)

// processor has Lambda's prices of a GB-second.
type processor struct {
	name        string
	there, busy float64
}

var (
	processors = []processor{{"arm64", 0.0000033334, 0.0000077778}, {"x86_64", 0.0000041667, 0.0000097222}}
	rates      = []float64{1, 10, 100, 1_000, 10_000}
)

// provisioned is how many instances a rate needs.
func provisioned(rate, milliseconds float64) float64 {
	return math.Ceil(max(inFlight(rate, milliseconds)/0.7, rate/10))
}

func inFlight(rate, milliseconds float64) float64 { return rate * (milliseconds + ownTime) / 1000 }

// lambda is the price of a month with so many provisioned instances.
func (p processor) lambda(memory int, instances, rate float64) float64 {
	return month * (float64(memory)/1024*(instances*p.there+inFlight(rate, provider)*p.busy) + rate*0.20/1_000_000)
}

// readEvery is the time in seconds between an instance's reads of the secret, on average: up to half as much again is drawn.
var readEvery = 1.25 * secret.Limits.RefreshAfter.Seconds()

func secretReads(rate float64) float64 { return provisioned(rate, provider) * month / readEvery }

// cells are those of a row, one for each column.
func cells(columns []float64, cell func(float64) string) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = cell(c)
	}
	return strings.Join(texts, " | ")
}

func number(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// digits writes a number with two digits at least.
func digits(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%#.2g", v)
	}
	return number(v)
}

func dollars(v float64) string {
	if v < 10 {
		return fmt.Sprintf("$%.2f", v)
	}
	return "$" + number(v)
}

// defaults are those of a deployment that sets only what it must.
func defaults(t *testing.T) config.Config {
	var context map[string]any
	if err := json.Unmarshal([]byte(read(t, root+"/cdk.context.json")), &context); err != nil {
		t.Fatal(err)
	}
	delete(context, "lambdaMemorySize")
	delete(context, "lambdaConcurrentExecutions")
	c, problems := config.Parse(context)
	if config.HasErrors(problems) {
		t.Fatal(problems)
	}
	return c
}

// tables are what the template of the page takes. Prices are those that the page names.
func tables(defaults config.Config) map[string]any {
	monthly := func(price func(rate float64) float64) string {
		return cells(rates, func(rate float64) string { return dollars(price(rate)) })
	}
	own := func(rate float64) float64 {
		return processors[0].lambda(defaults.LambdaMemorySize, provisioned(rate, provider), rate)
	}
	logs := func(rate float64) float64 { return 0.50 * linesSize / 1e9 * month * rate }
	metrics := 0.30 * float64(len(contract.LogMetrics))
	secretPrice := func(rate float64) float64 { return 0.40 + 0.05/10_000*secretReads(rate) }
	fixed := metrics + 3 + alarms*0.10

	var instances, lambda []string
	for _, rate := range rates {
		instances = append(instances, fmt.Sprintf("| %s | %s |", number(rate), cells([]float64{5, 20, 50, 100}, func(ms float64) string {
			return fmt.Sprintf("%s (%s)", number(provisioned(rate, ms)), digits(inFlight(rate, ms)))
		})))
	}
	for _, memory := range []int{128, 256, 512, 1024, 1769} {
		for _, p := range processors {
			lambda = append(lambda, fmt.Sprintf("| %s MB, %s | %s | %s |", number(float64(memory)), p.name, dollars(p.lambda(memory, 1, 0)),
				monthly(func(rate float64) float64 { return p.lambda(memory, provisioned(rate, provider), rate) })))
		}
	}
	return map[string]any{
		"Instances": strings.Join(instances, "\n"), "LambdaByMemory": strings.Join(lambda, "\n"),
		"ReadEvery": readEvery, "Memory": defaults.LambdaMemorySize, "Concurrency": defaults.LambdaConcurrentExecutions,
		"LineSize": lineSize, "LinesSize": linesSize, "WireSize": wireSize, "Alarms": alarms, "LogMetrics": len(contract.LogMetrics),
		"Lambda": monthly(own), "Logs": monthly(logs), "Secret": monthly(secretPrice),
		"Metrics": dollars(metrics), "AlarmsPrice": dollars(alarms * 0.10),
		"Key":      monthly(func(rate float64) float64 { return 1 + 0.03/10_000*secretReads(rate) }),
		"Endpoint": dollars(0.01 * 2 * month / 3600),
		"Wire":     cells(rates, func(rate float64) string { return digits(wireSize/1e9*month*rate) + " GB" }),
		"Sum":      monthly(func(rate float64) float64 { return own(rate) + logs(rate) + secretPrice(rate) + fixed }),
		"Small": dollars(processors[0].lambda(defaults.LambdaMemorySize, float64(defaults.LambdaConcurrentExecutions), 1) +
			logs(1) + fixed + 0.40 + 0.05/10_000*float64(defaults.LambdaConcurrentExecutions)*month/readEvery),
	}
}

func TestScalingPageIsCurrent(t *testing.T) {
	const page = root + "/docs/reference/scaling.md"
	var text strings.Builder
	if err := template.Must(template.ParseFiles(page+".tmpl")).Option("missingkey=error").Execute(&text, tables(defaults(t))); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, page) != text.String() {
		t.Errorf("%s is stale; run make reference", page)
	}
}
