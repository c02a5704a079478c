package config

import (
	"math"

	"healthlake-smart-on-fhir/internal/contract"
)

const scalingPage = "[scaling](scaling.md#how-much-provisioned-concurrency)"

// DefaultMemorySize is the function's memory in MiB where the context has none.
const DefaultMemorySize = 128

var functionKeys = []key{
	{
		name: "lambdaArchitecture", byDefault: fixed(ArchitectureARM64),
		value: text(func(c *Config) *string { return &c.LambdaArchitecture },
			oneOf(ArchitectureARM64, ArchitectureX8664)),
		doc: "The processor that the function is built for.",
	},
	{
		name: "lambdaMemorySize", byDefault: fixed(DefaultMemorySize),
		value: number(func(c *Config) *int { return &c.LambdaMemorySize }, between(128, 10240)),
		doc: "The function's memory in MiB. Lambda gives it a share of the processor in proportion. The default is the smallest " +
			"memory size whose p99, with a provider that takes 20 ms, is within a tenth of a whole core's " +
			"([benchmarks](benchmarks.md#as-lambda-runs-it)). Take 256 or more where calls wait for a start, which takes half as " +
			"long then, or with a private key for RSA, whose signature takes more than a millisecond of a whole core.",
	},
	{
		name: KeyLambdaConcurrentExecutions, aliases: []string{"lambdaConcurentExecutions"}, byDefault: fixed(5),
		value: number(func(c *Config) *int { return &c.LambdaConcurrentExecutions }, between(1, math.MaxInt32)),
		doc: "Provisioned concurrency: how many requests are checked at the same time without a cold start. See " +
			scalingPage + ".",
	},
	{
		name: KeyLambdaMaxConcurrentExecutions, byDefault: fixed(0),
		value: number(func(c *Config) *int { return &c.LambdaMaxConcurrentExecutions }, between(0, math.MaxInt32)),
		doc: "Lets provisioned concurrency grow with the load, from `lambdaConcurrentExecutions` up to this; 0 turns " +
			"scaling off. See " + scalingPage + ".",
	},
	{
		name: KeyLambdaReservedConcurrency, byDefault: fixed(0),
		value: number(func(c *Config) *int { return &c.LambdaReservedConcurrency }, between(0, math.MaxInt32)),
		doc: "Reserves this much of the account's concurrency for the function, and limits the function to it: what is " +
			"above is refused. 0 reserves nothing.",
	},
	{
		name: "introspectionCacheSeconds", byDefault: fixed(0),
		value: number(func(c *Config) *int { return &c.IntrospectionCacheSeconds }, between(0, int(contract.MaxIntrospectionCache.Seconds()))),
		doc: "How long the function keeps what the provider said about a token, in seconds. A token that is revoked works " +
			"on for that long. 0 asks the provider for every request. See " +
			"[the cache](../architecture.md#the-token-cache).",
	},
	{
		name: "restrictInvokeToAccount", byDefault: fixed(false),
		value: boolean(func(c *Config) *bool { return &c.RestrictInvokeToAccount }),
		doc: "Lets HealthLake invoke the function only for datastores of this account. Whether HealthLake sends the " +
			"account is not documented: see [how to try it](../security.md#who-may-invoke-the-function).",
	},
}
