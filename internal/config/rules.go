package config

import (
	"fmt"
	"slices"
	"strings"
)

// rule is what several keys must fulfil together, or what is allowed but hardly meant. It is asked only if every key it
// reads holds something sensible by itself, so that one fault is reported once.
type rule struct {
	reads []string
	ask   func(Config) []Problem
}

var rules = []rule{
	{[]string{"region"}, regionRule},
	{[]string{"prefix"}, prefixRule},
	{[]string{"prefix", "datastoreName"}, datastoreNameRule},
	{[]string{"authEndpoint", "authIssuer", "authEndpointJwks", "smartCapabilities"}, ssoRule},
	{[]string{"authorizationStrategy", "smartCapabilities"}, capabilityRule},
	{[]string{"authorizationStrategy", "smartCapabilities", "smartScopes"}, scopeRule},
	{[]string{"tokenValidation", "requiredAudience", "authEndpoint", "authIssuer", "authEndpointJwks"}, jwtRule},
	{[]string{"kmsKey", "region"}, kmsKeyRule},
	{[]string{"secretName"}, secretNameRule},
	{[]string{"lambdaConcurentExecutions", "lambdaMaxConcurrentExecutions"}, maxConcurrencyRule},
	{[]string{"lambdaConcurentExecutions", "lambdaMaxConcurrentExecutions", "lambdaReservedConcurrency"},
		reservedConcurrencyRule},
}

// healthLakeRegions are the regions known to have HealthLake. AWS adds regions, so another one is no error.
var healthLakeRegions = []string{"us-east-1", "us-east-2", "us-west-2", "ap-south-1", "ap-southeast-2", "ca-central-1",
	"eu-west-1", "eu-west-2"}

func regionRule(c Config) []Problem {
	if slices.Contains(healthLakeRegions, c.Region) {
		return nil
	}
	return []Problem{{Key: "region", Got: show(c.Region), Warning: true,
		Want: "a region with HealthLake; known are " + strings.Join(healthLakeRegions, ", ")}}
}

// jwtRule: a key signs for every audience that its provider serves, so verifying takes more than the key.
func jwtRule(c Config) (problems []Problem) {
	if c.TokenValidation != TokenValidationJWT {
		return nil
	}
	for _, needed := range []struct {
		key, want string
		empty     bool
	}{
		{"authIssuer", "the provider's issuer, byte for byte", c.AuthIssuer == ""},
		{"authEndpointJwks", "where the provider publishes its keys", c.AuthEndpointJwks == ""},
		{"requiredAudience", "the audience that a token must be for", len(c.RequiredAudience) == 0},
	} {
		if needed.empty {
			problems = append(problems, Problem{Key: needed.key, Got: "nothing",
				Want: needed.want + ", because tokenValidation is " + TokenValidationJWT})
		}
	}
	return problems
}

// kmsKeyRule: HealthLake encrypts with keys of its own region only.
func kmsKeyRule(c Config) []Problem {
	arn := strings.Split(c.KMSKey, ":") // arn:aws:kms:<region>:<account>:key/<id>
	if len(arn) < 4 || arn[3] == c.Region {
		return nil
	}
	return []Problem{{Key: "kmsKey", Got: fmt.Sprintf("a key in %s", arn[3]), Want: "a key in region " + c.Region}}
}

func maxConcurrencyRule(c Config) []Problem {
	if c.LambdaMaxConcurrentExecutions == 0 || c.LambdaMaxConcurrentExecutions >= c.LambdaConcurrentExecutions {
		return nil
	}
	return []Problem{{Key: "lambdaMaxConcurrentExecutions", Got: fmt.Sprint(c.LambdaMaxConcurrentExecutions),
		Want: fmt.Sprintf("0 for no scaling, or at least %d, which lambdaConcurentExecutions asks for",
			c.LambdaConcurrentExecutions)}}
}

// reservedConcurrencyRule: Lambda refuses to provision more than it may run.
func reservedConcurrencyRule(c Config) []Problem {
	least := max(c.LambdaConcurrentExecutions, c.LambdaMaxConcurrentExecutions)
	if c.LambdaReservedConcurrency == 0 || c.LambdaReservedConcurrency >= least {
		return nil
	}
	return []Problem{{Key: "lambdaReservedConcurrency", Got: fmt.Sprint(c.LambdaReservedConcurrency),
		Want: fmt.Sprintf("0 for none, or at least %d, the most that is provisioned", least)}}
}
