package config

import "healthlake-smart-on-fhir/internal/contract"

var deploymentKeys = []key{
	{
		name: KeyEnv, byDefault: fixed(""),
		value: text(func(c *Config) *string { return &c.Env }, anyText),
		doc: "The environment, such as `dev`: the keys in `cdk.context.dev.json` then override those in `cdk.context.json`. " +
			"See [environments](../environments.md).",
	},
	{
		name: keyAccount, byDefault: required,
		value: digits(func(c *Config) *string { return &c.Account }, accountID),
		doc:   "The AWS account that everything is deployed to.",
	},
	{
		name: KeyRegion, byDefault: required,
		value: text(func(c *Config) *string { return &c.Region }, regionName),
		doc:   "The AWS region. These are the ones with HealthLake; if AWS has added one, update this project and its CDK.",
	},
	{
		name: "tagName", byDefault: required,
		value: text(func(c *Config) *string { return &c.TagName }, tagName),
		doc:   "Name of the tag that every resource gets.",
	},
	{
		name: "tagValue", byDefault: required,
		value: text(func(c *Config) *string { return &c.TagValue }, tagValue),
		doc:   "Value of that tag. It may be empty.",
	},
	{
		// names.go checks the prefix as a part of each name that begins with it.
		name: KeyPrefix, byDefault: required,
		value: text(func(c *Config) *string { return &c.Prefix }, anyText),
		doc: "What the names of all stacks and resources begin with, for example `sof-hl-`. It may be empty. Another " +
			"prefix is another deployment: the stacks with the old one stay as they are.",
	},
	{
		name: KeySecretName, byDefault: fixed(contract.DefaultSecretName),
		value: text(func(c *Config) *string { return &c.SecretName }, secretName),
		doc:   "Name of the secret in Secrets Manager. Each deployment in an account and region needs its own.",
	},
	{
		name: "secretAdmins", byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.SecretAdmins }, principals),
		doc: "ARNs of the IAM roles and users that may read and change the secret, besides the function, which may read " +
			"it. Everybody else is denied to read it, administrators included.",
	},
}
