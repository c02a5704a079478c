package config

var watchingKeys = []key{
	{
		name: "lambdaEnhancedLogging", byDefault: fixed(false),
		value: boolean(func(c *Config) *bool { return &c.LambdaEnhancedLogging }),
		doc: "Logs each request and response too, with credentials and personal claims replaced. The field " +
			"`lambda_enhanced_logging` of the secret changes it within a minute, without a deploy.",
	},
	{
		name: "logRetentionDays", byDefault: fixed(14),
		value: number(func(c *Config) *int { return &c.LogRetentionDays }, retentionDays),
		doc:   "How many days the function's log is kept.",
	},
	{
		name: "dashboard", byDefault: fixed(true),
		value: boolean(func(c *Config) *bool { return &c.Dashboard }),
		doc: "Makes the CloudWatch dashboard `<prefix>checkToken` with durations, outcomes, provider, concurrency and " +
			"HealthLake. See [dashboard and alarms](../operations.md#dashboard-and-alarms).",
	},
	{
		name: "alarmEmail", byDefault: fixed(""),
		value: text(func(c *Config) *string { return &c.AlarmEmail }, orEmpty(emailAddress)),
		doc: "The address that alarms, and e-mails about every change of the secret, are sent to, once its owner has confirmed " +
			"Amazon SNS's first e-mail. Without it the alarms exist and notify nobody.",
	},
}
