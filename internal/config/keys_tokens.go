package config

var tokenKeys = []key{
	{
		name: KeyRequiredAudience, byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.RequiredAudience }, audiences),
		doc: "A token must have one of these in its `aud`, else it is denied. The word `datastore` stands for the " +
			"datastore's endpoint. Required with `tokenValidation` `jwt`, and recommended with `introspection`, where it " +
			"refuses tokens that are meant for other APIs.",
	},
	{
		name: "requiredScope", byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.RequiredScope }, scopes),
		doc:   "A token must have all of these scopes, else it is denied.",
	},
	{
		name: "trustedIssuers", byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.TrustedIssuers }, issuers),
		doc:   "A token's `iss` must be one of these, else it is denied. Without the key any issuer is accepted.",
	},
}
