package config

import (
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
)

const providerPages = "[provider pages](../providers/README.md)"

const credentialsPage = "[security](../security.md#client-secret-and-api-key)"

var providerKeys = []key{
	{
		name: KeyTokenValidation, byDefault: fixed(TokenValidationIntrospection),
		value: text(func(c *Config) *string { return &c.TokenValidation },
			oneOf(TokenValidationIntrospection, TokenValidationJWT)),
		doc: "How the function checks a token. With `introspection` it asks the provider about each token (RFC 7662). With " +
			"`jwt` it verifies the token's signature with the provider's public keys, and `requiredAudience` is required. " +
			"See [introspection or JWT](../providers/README.md#introspection-or-jwt).",
	},
	{
		name: "clientId", byDefault: requiredToIntrospect,
		value: text(func(c *Config) *string { return &c.ClientID }, clientID),
		doc:   "The function's own client id at the provider, for introspection.",
	},
	{
		name: contract.ClientSecret.Key, byDefault: fixed(""), secret: contract.ClientSecret.Variable,
		value: text(func(c *Config) *string { return &c.ClientSecret }, orReference(clientSecret)),
		doc: "The secret of `clientId`. Leave it out, or refer to another secret. A literal value works, but can be read " +
			"in the templates. See " + credentialsPage + ".",
	},
	{
		name: KeyAuthEndpoint, aliases: []string{"authEndPoint"}, byDefault: required,
		value: text(func(c *Config) *string { return &c.AuthEndpoint }, baseURL),
		doc: "The provider's base URL. The defaults of other endpoints are made from it and are right for ORY Hydra; for " +
			"another provider see the " + providerPages + ".",
	},
	{
		name: KeyAuthEndpointToken, byDefault: required,
		value: text(func(c *Config) *string { return &c.AuthEndpointToken }, endpointURL),
		doc:   "The provider's token endpoint. It is also the `iss` of each response to HealthLake.",
	},
	{
		name: KeyAuthEndpointIntrospect, byDefault: requiredToIntrospect,
		value: text(func(c *Config) *string { return &c.AuthEndpointIntrospect }, endpointURL),
		doc:   "The provider's introspection endpoint (RFC 7662).",
	},
	{
		name: contract.APIKey.Key, byDefault: fixed(""), secret: contract.APIKey.Variable,
		value: text(func(c *Config) *string { return &c.SrvAPIKey }, orReference(apiKey)),
		doc: "API key for introspection, where the provider wants one, as ORY Network does. Leave it out, or refer to " +
			"another secret. See " + credentialsPage + ".",
	},
	{
		name: KeyIntrospectionAuth, byDefault: fixed(string(clientauth.Auto)), value: introspectionAuth,
		doc: "How the function authenticates at the introspection endpoint: `bearer` sends `srvAPIKey`; `basic` and `post` " +
			"send `clientId` and `clientSecret`, as `client_secret_basic` and `client_secret_post` of RFC 7591; " +
			"`private_key_jwt` signs each request with [a private key](../security.md#private-key); `none` sends nothing. `auto` is `bearer` if there is an API key, else `basic` if there is a client secret, else `none`.",
	},
	{
		name: KeyClientAssertionAudience, byDefault: derived(code(KeyAuthIssuer), func(Config) any { return "" }),
		value: text(func(c *Config) *string { return &c.ClientAssertionAudience }, orEmpty(matching("a text without spaces", `^[!-~]+$`))),
		doc: "With `introspectionAuth` `private_key_jwt`: the `aud` of what the function signs, for example " +
			"`https://clinic.okta.com/oauth2/aus1a2b3c4d5e6f7g8h9/v1/introspect`. What the provider wants is on the " +
			providerPages + ".",
	},
	{
		name: "authCaBundle", byDefault: derived("the system's certificate authorities", func(Config) any { return "" }),
		value: text(func(c *Config) *string { return &c.AuthCABundle }, fileName),
		doc: "PEM file with the certificate authorities for the provider's certificate, used instead of the system's. It " +
			"is for a provider with a private certificate authority, and goes into the function's package.",
	},
	{
		name: "claimNames", byDefault: fixed(map[string]any{}), value: claimNames,
		doc: "What the provider calls the claims that HealthLake needs, for example " +
			"`{\"fhirUser\": \"https://clinic.example/fhirUser\", \"patient\": \"custom:patient\"}`.",
	},

	// Clients see these endpoints in the datastore's discovery document. An empty value means that the provider has no such
	// endpoint; HealthLake requires the authorization endpoint.
	{
		name: KeyAuthEndpointAuthorize, byDefault: derivedEndpoint("oauth2/auth"),
		value: text(func(c *Config) *string { return &c.AuthEndpointAuthorize }, endpointURL),
		doc:   "The provider's authorization endpoint.",
	},
	{
		// Clients compare issuers byte for byte (OpenID Connect Core 3.1.3.7). Hydra v2 states its urls.self.issuer as it is
		// written, and neither adds nor removes a trailing slash (v1 always added one).
		name: KeyAuthIssuer, byDefault: derived(code(KeyAuthEndpoint), func(c Config) any { return c.AuthEndpoint }),
		value: text(func(c *Config) *string { return &c.AuthIssuer }, orEmpty(baseURL)),
		doc:   "The issuer, exactly as `issuer` stands in the provider's own discovery document: a slash at the end counts.",
	},
	{
		name: KeyAuthEndpointJwks, byDefault: derivedEndpoint(".well-known/jwks.json"),
		value: text(func(c *Config) *string { return &c.AuthEndpointJwks }, orEmpty(endpointURL)),
		doc:   "Where the provider publishes its public keys (`jwks_uri`).",
	},
	{
		name: KeyAuthEndpointRevoke, byDefault: derivedEndpoint("oauth2/revoke"),
		value: text(func(c *Config) *string { return &c.AuthEndpointRevoke }, orEmpty(endpointURL)),
		doc:   "The provider's revocation endpoint (RFC 7009).",
	},
	{
		// Hydra has dynamic registration turned off by default.
		name: KeyAuthEndpointRegister, byDefault: fixed(""),
		value: text(func(c *Config) *string { return &c.AuthEndpointRegister }, orEmpty(endpointURL)),
		doc:   "The provider's client registration endpoint (RFC 7591).",
	},
	{
		name: KeyAuthEndpointManage, byDefault: fixed(""),
		value: text(func(c *Config) *string { return &c.AuthEndpointManage }, orEmpty(endpointURL)),
		doc:   "The page where users see and withdraw the access that they have granted to apps.",
	},
}

// introspectionAuth is the name of a method of client authentication.
var introspectionAuth = reading(func(c *Config) *clientauth.Method { return &c.IntrospectionAuth },
	func(raw any) (clientauth.Method, bool) {
		s, ok := raw.(string)
		method, err := clientauth.Parse(s)
		return method, ok && s != "" && err == nil
	},
	check[clientauth.Method]{
		"auto, bearer, basic (or client_secret_basic), post (or client_secret_post), private_key_jwt or none",
		func(clientauth.Method) bool { return true },
	})

// claimNames is a JSON object of strings, or a string that holds one.
var claimNames = value{
	want: `a JSON object such as {"fhirUser": "https://clinic.example/fhirUser"}, with claims that may be mapped: not ` +
		strings.Join(contract.ReservedClaims, ", "),
	set: func(c *Config, raw any) (any, bool) {
		object, ok := toObject(raw)
		if !ok {
			return raw, false
		}
		names := make(map[string]string, len(object))
		for name, v := range object {
			claim, ok := v.(string)
			reserved := slices.ContainsFunc(contract.ReservedClaims, func(r string) bool { return strings.EqualFold(r, name) })
			if !ok || claim == "" || name == "" || reserved {
				return raw, false
			}
			names[name] = claim
		}
		c.ClaimNames = names
		return nil, true
	},
}
