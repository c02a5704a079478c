package config

import "healthlake-smart-on-fhir/internal/contract"

var watchingKeys = []key{
	{
		name: "lambdaEnhancedLogging", byDefault: fixed(false),
		value: boolean(func(c *Config) *bool { return &c.LambdaEnhancedLogging }),
		doc: "Logs each request and response too, with credentials and personal claims replaced. The field " +
			"`lambda_enhanced_logging` of the secret changes it within a minute, without a deploy.",
	},
	{
		name: KeyAuditClaims, byDefault: fixed(contract.DefaultAuditClaims),
		value: list(func(c *Config) *[]string { return &c.AuditClaims }, auditClaims),
		doc: "Claims whose values go into each log line, also of a denial, where the token has them. `client_id` stands for " +
			"`azp`, `cid` and `appid` too. With personal claims, for example `[\"client_id\", \"jti\", \"sub\", \"fhirUser\"]`, the log " +
			"says who asked for what and when (HIPAA, 45 CFR 164.312(b)); the log is then patient data.",
	},
	{
		name: KeyLogRetentionDays, byDefault: fixed(14),
		value: number(func(c *Config) *int { return &c.LogRetentionDays }, retentionDays),
		doc:   "How many days the function's log is kept.",
	},
	{
		name: "tracing", byDefault: fixed(false),
		value: boolean(func(c *Config) *bool { return &c.Tracing }),
		doc: "Traces the function's calls by AWS X-Ray: a trace shows how long Lambda took to start and to run it. It has no " +
			"token and no claim.",
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
