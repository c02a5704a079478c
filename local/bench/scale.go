package main

import (
	"fmt"
	"math"
	"time"
)

// Prices in US dollars, us-east-1, from https://aws.amazon.com/lambda/pricing/, as of November 2026.
const (
	priceRequest = 0.20 / 1e6
	monthHours   = 730
)

// prices of provisioned concurrency, per GB-second: while it is there, and while it works.
var prices = []struct {
	arch        string
	there, busy float64
}{
	{"arm64", 0.0000033334, 0.0000077778},
	{"x86_64", 0.0000041667, 0.0000097222},
}

const (
	// memorySize is the deployment's default.
	memorySize = 512.0 / 1024 // GB
	// perInstance is how many calls a second Lambda lets each unit of concurrency take, however short they are.
	// https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
	perInstance = 10
	// utilization leaves room for calls that do not come one after the other.
	utilization = 0.7
)

// rates are the loads that the table is for, in requests a second.
var rates = []float64{1, 10, 100, 1000, 10000}

// concurrency returns how many calls are in flight on average (Little's law), and how many instances to provision: for that
// at the utilization, and for Lambda's calls a second and instance.
func concurrency(rate float64, service time.Duration) (inFlight float64, provision int) {
	inFlight = rate * service.Seconds()
	return inFlight, int(math.Ceil(max(inFlight/utilization, rate/perInstance)))
}

// monthly returns what provisioned instances cost a month in which the load never pauses.
func monthly(rate float64, service time.Duration, instances int, there, busy float64) float64 {
	const seconds = monthHours * 3600
	billed := math.Ceil(service.Seconds()*1000) / 1000 // whole milliseconds
	return seconds * (memorySize*(float64(instances)*there+rate*billed*busy) + rate*priceRequest)
}

func dollars(v float64) string { return "$" + thousands(int64(v+0.5)) }

func (m *measured) scaling() string {
	need := table{{"requests a second"}}
	cost := table{{"requests a second"}}
	for _, latency := range latencies[1:] {
		need[0] = append(need[0], fmt.Sprintf("provider %d ms", latency.Milliseconds()))
		for _, p := range prices {
			cost[0] = append(cost[0], fmt.Sprintf("%d ms, %s", latency.Milliseconds(), p.arch))
		}
	}
	for _, rate := range rates {
		needs, costs := []string{thousands(int64(rate))}, []string{thousands(int64(rate))}
		for i := range latencies[1:] {
			service := m.service[i+1].mean()
			inFlight, provision := concurrency(rate, service)
			needs = append(needs, fmt.Sprintf("%s (%.*f)", thousands(int64(provision)), digits(inFlight), inFlight))
			for _, p := range prices {
				costs = append(costs, dollars(monthly(rate, service, provision, p.there, p.busy)))
			}
		}
		need, cost = append(need, needs), append(cost, costs)
	}
	service := table{{"the provider's own time", "service time, mean", "p99", "calls a second, one instance"}}
	for i, latency := range latencies {
		s := m.service[i]
		own := fmt.Sprintf("%d ms", latency.Milliseconds())
		service = append(service, []string{own, ms(s.mean()), ms(s.quantile(.99)), rate(s)})
	}
	return "# How it scales\n\n" + generated + m.where() + `
## One instance

Lambda gives an instance one event at a time, so what it serves is the inverse of how long it is busy with one: the
provider's time, network included, and the function's own.

` + service.markdown() + fmt.Sprintf(`
These are this machine's. A function of 512 MB gets 0.29 of a core on Lambda (one core at 1,769 MB [1]): the function's own
%s become several times that where they are computing, which does not matter beside a provider's time over a network.
Measure the mean of the metric Duration in your deployment and put it in the provider's place below.

Lambda sets another limit, and for calls as short as these it is the one that bites: **%d calls a second for every unit of
concurrency**, provisioned or not [2]. Faster answers than 100 ms save the clinician's time, not instances.

## How much provisioned concurrency

Calls in flight are the rate times the service time (Little's law); they stand in brackets. To provision: those at %.0f %%
utilization, since calls do not queue up neatly, and at least a tenth of the rate.

`, ms(m.service[0].mean()), perInstance, utilization*100) + need.markdown() + fmt.Sprintf(`
Set it with the context key `+"`lambdaConcurrentExecutions`"+`. What is above it is served too, by instances that Lambda starts on
demand; a start took %s here (p50), and Lambda adds its own to it.

## What that costs a month

With %d hours of that load, all of it on provisioned concurrency, at 512 MB: instances, duration and requests at Lambda's
prices for us-east-1 [3]. arm64: $%.10f a GB-second provisioned, $%.10f a GB-second of duration. x86_64: $%.10f and
$%.10f. $0.20 a million requests. Durations are billed in whole milliseconds. Logs, NAT gateways and the provider are not in
it, nor is any discount.

`, ms(m.function.start.quantile(.5)), monthHours, prices[0].there, prices[0].busy, prices[1].there, prices[1].busy) +
		cost.markdown() + m.quotas()
}

// digits shows small numbers with two significant digits.
func digits(v float64) int {
	switch {
	case v < 0.1:
		return 3
	case v < 1:
		return 2
	case v < 10:
		return 1
	}
	return 0
}

// quotas is about what stands in the way of ten thousand requests a second.
func (m *measured) quotas() string {
	const most = 10000
	_, provision := concurrency(most, 20*time.Millisecond)
	return fmt.Sprintf(`
## To 10,000 requests a second, and the quotas on the way

Quotas are per account and region unless it says otherwise. "Ask" means that AWS raises it on request.

| quota | by default | reached at | what to do |
| --- | --- | --- | --- |
| HealthLake's own rates [4] | differ by operation, e.g. 20 Bundle requests a second | long before any of the others | ask; it comes first, since HealthLake calls the function once for each request that it takes |
| Lambda, concurrent executions [2] | 1,000, all functions together | %s requests a second (10 for each), or 1,000 in flight, whichever is first | ask for %s and what the other functions need, with room |
| Lambda, requests a second [2] | 10 for each unit of concurrency | as above | rises with the concurrency |
| Lambda, growth [5] | 1,000 instances (10,000 requests a second) more every 10 s, per function | a load that jumps | provision for the peak, or schedule it with Application Auto Scaling |
| Lambda, provisioned | from the same 1,000; 100 of it stay unreserved [2] | 900 | as the first |
| Secrets Manager, GetSecretValue [6] | 10,000 a second, can't be raised | never: %s instances read it once in 30 s, %s times a second; a start of all of them at once is %s | nothing |
| CloudWatch Logs, PutLogEvents [7] | 5,000 a second | Lambda sends many lines at once; one line a call is %s lines a second | watch its throttling metric, ask |
| your provider | – | %s introspections a second, and a tenth more at most when it is slow | `+"`introspectionCacheSeconds`"+`, with what it means for revocation |

With the answer cache on, the provider is asked once per token, instance and time. A call from the cache took %s (p50) here,
but Lambda's 10 calls a second and instance hold for it as well: the cache saves the provider, not instances.

Sources, as published in November 2026 or last seen before:
[1] https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
[2] https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
[3] https://aws.amazon.com/lambda/pricing/
[4] https://docs.aws.amazon.com/healthlake/latest/devguide/reference-healthlake-endpoints-quotas.html
[5] https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
[6] https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
[7] https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
`, thousands(most), thousands(int64(provision)), thousands(int64(provision)), thousands(int64(provision/30)),
		thousands(int64(provision)), thousands(most), thousands(most), ms(m.cached.warm.quantile(.5)))
}
