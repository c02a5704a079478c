package config

import (
	"fmt"

	"healthlake-smart-on-fhir/internal/contract"
)

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
		name: KeyTrustedIssuers, byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.TrustedIssuers }, issuers),
		doc:   "A token's `iss` must be one of these, else it is denied. Without the key any issuer is accepted.",
	},
	{
		name: KeyMoreIssuers, byDefault: fixed([]string{}), value: moreIssuers,
		doc: "Issuers beside the main provider, each with its own keys and rules, for example `[{\"issuer\": " +
			"\"https://patients.example\", \"jwks\": \"https://patients.example/jwks\", \"requiredAudience\": " +
			"[\"https://fhir.clinic.example\"], \"claimNames\": {\"fhirUser\": \"https://patients.example/fhirUser\"}}]`. A JWT whose " +
			"`iss` is exactly one of them is verified as with `tokenValidation` `jwt`. Every other token is the main provider's. See " +
			"[several issuers](../security.md#several-issuers).",
	},
	{
		name: "maxTokenLifetimeSeconds", byDefault: fixed(0),
		value: number(func(c *Config) *int { return &c.MaxTokenLifetimeSeconds },
			between(0, int(contract.MaxTokenLifetime.Seconds()))),
		doc: "The longest time from a token's `iat` to its `exp`, for example `3600`. A token that lives longer, or lacks one " +
			"of the two, is denied. `0` accepts any. A verified JWT works until it expires, even if it is revoked.",
	},
	{
		name: "senderConstrainedTokens", byDefault: fixed(contract.SenderConstrainedDeny),
		value: text(func(c *Config) *string { return &c.SenderConstrainedTokens },
			oneOf(contract.SenderConstrainedDeny, contract.SenderConstrainedAccept)),
		doc: fmt.Sprintf("What happens to a token that is bound to a key of the app (`cnf`; DPoP, RFC 9449; client "+
			"certificates, RFC 8705). HealthLake's event has no proof of the key, so nobody can check the binding (RFC 9449 "+
			"section 7.2, RFC 8705 section 3). `%s` treats it as a plain bearer token: whoever gets hold of it can use it.",
			contract.SenderConstrainedAccept),
	},
}
