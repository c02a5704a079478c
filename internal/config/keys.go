package config

import (
	"math"
	"slices"
	"strings"
)

// key is one context key: what it is called, what it must hold, and what holds where the context has no such key.
type key struct {
	name   string
	also   string           // a second spelling that users know; both at once are an error
	secret string           // not "": the value is never shown; this environment variable fills it at deploy time
	sample string           // the sample file's placeholder: a value that contains it earns a warning
	absent func(Config) any // the value where the context has none, nil for "there must be one"
	value  value
}

// spellings are the names under which the context may hold the key, the usual one first.
func (k key) spellings() []string {
	if k.also == "" {
		return []string{k.name}
	}
	return []string{k.name, k.also}
}

// The placeholders of the sample cdk.context.json.
const (
	sampleAccount      = "123456789012"
	sampleClientID     = "11111111-2222-3333-4444-555555555555"
	sampleClientSecret = "abcdefghijklmnopqrstuvxyz"
	sampleHost         = "main-oauth2-server-link.com"
	sampleAPIKey       = "srv_pat_aBcDeFgHiJkLmNoPqRsTuVwXyZ"
)

// keys is every key that the configuration knows. They are read, and their problems reported, in this order: a default
// may use what the keys above it hold.
var keys = []key{
	{name: "account", absent: required, sample: sampleAccount,
		value: digits(func(c *Config) *string { return &c.Account }, accountID)},
	{name: "region", absent: required,
		value: text(func(c *Config) *string { return &c.Region }, regionName)},
	{name: "tagName", absent: required,
		value: text(func(c *Config) *string { return &c.TagName }, tagName)},
	{name: "tagValue", absent: required,
		value: text(func(c *Config) *string { return &c.TagValue }, tagValue)},
	// The prefix is checked as a part of each name it begins: names.go.
	{name: "prefix", absent: required,
		value: text(func(c *Config) *string { return &c.Prefix }, anyText)},
	{name: "datastoreName", absent: required,
		value: text(func(c *Config) *string { return &c.DatastoreName }, datastoreName)},
	{name: "protectDatastore", absent: otherwise(false),
		value: flag(func(c *Config) *bool { return &c.ProtectDatastore })},
	{name: "preloadData", absent: otherwise(false),
		value: flag(func(c *Config) *bool { return &c.PreloadData })},
	{name: "preloadDataType", absent: preloadDataTypeAbsent, value: preloadDataType},

	{name: "tokenValidation", absent: otherwise(TokenValidationIntrospection),
		value: text(func(c *Config) *string { return &c.TokenValidation },
			oneOf(TokenValidationIntrospection, TokenValidationJWT))},
	{name: "clientId", absent: requiredToIntrospect, sample: sampleClientID,
		value: text(func(c *Config) *string { return &c.ClientID }, clientID)},
	{name: "clientSecret", absent: otherwise(""), secret: "CLIENT_SECRET", sample: sampleClientSecret,
		value: text(func(c *Config) *string { return &c.ClientSecret }, orReference(clientSecret))},
	{name: "authEndpoint", also: "authEndPoint", absent: required, sample: sampleHost,
		value: text(func(c *Config) *string { return &c.AuthEndpoint }, baseURL)},
	{name: "authEndpointToken", absent: required, sample: sampleHost,
		value: text(func(c *Config) *string { return &c.AuthEndpointToken }, endpointURL)},
	{name: "authEndpointIntrospect", absent: requiredToIntrospect, sample: sampleHost,
		value: text(func(c *Config) *string { return &c.AuthEndpointIntrospect }, endpointURL)},
	{name: "srvAPIKey", absent: otherwise(""), secret: "SRV_API_KEY", sample: sampleAPIKey,
		value: text(func(c *Config) *string { return &c.SrvAPIKey }, orReference(apiKey))},

	// The metadata's endpoints. An empty value means that the provider has no such endpoint, except for the
	// authorization endpoint, which HealthLake requires.
	{name: "authEndpointAuthorize", absent: under("oauth2/auth"),
		value: text(func(c *Config) *string { return &c.AuthEndpointAuthorize }, endpointURL)},
	// Hydra v2 states its issuer in the discovery document and in ID tokens byte for byte as its urls.self.issuer is
	// written, and neither adds nor removes a trailing slash (Hydra v1 always ended it with one). A client compares
	// issuers byte for byte too (OpenID Connect Core 3.1.3.7), so the base is the issuer exactly as it stands here.
	{name: "authIssuer", absent: func(c Config) any { return c.AuthEndpoint },
		value: text(func(c *Config) *string { return &c.AuthIssuer }, orEmpty(baseURL))},
	{name: "authEndpointJwks", absent: under(".well-known/jwks.json"),
		value: text(func(c *Config) *string { return &c.AuthEndpointJwks }, orEmpty(endpointURL))},
	{name: "authEndpointRevoke", absent: under("oauth2/revoke"),
		value: text(func(c *Config) *string { return &c.AuthEndpointRevoke }, orEmpty(endpointURL))},
	// Hydra's dynamic registration is off by default, and it has no page where users manage their grants.
	{name: "authEndpointRegister", absent: otherwise(""),
		value: text(func(c *Config) *string { return &c.AuthEndpointRegister }, orEmpty(endpointURL))},
	{name: "authEndpointManage", absent: otherwise(""),
		value: text(func(c *Config) *string { return &c.AuthEndpointManage }, orEmpty(endpointURL))},

	{name: "introspectionAuth", absent: otherwise(IntrospectionAuthAuto),
		value: text(func(c *Config) *string { return &c.IntrospectionAuth }, oneOf(IntrospectionAuthAuto,
			IntrospectionAuthBearer, IntrospectionAuthBasic, IntrospectionAuthPost, IntrospectionAuthNone))},
	{name: "authCaBundle", absent: otherwise(""),
		value: text(func(c *Config) *string { return &c.AuthCABundle }, fileName)},
	{name: "introspectionCacheSeconds", absent: otherwise(0),
		value: number(func(c *Config) *int { return &c.IntrospectionCacheSeconds }, between(0, 300))},
	{name: "requiredAudience", absent: otherwise([]string{}),
		value: list(func(c *Config) *[]string { return &c.RequiredAudience }, audiences)},
	{name: "requiredScope", absent: otherwise([]string{}),
		value: list(func(c *Config) *[]string { return &c.RequiredScope }, scopes)},
	{name: "claimNames", absent: otherwise(map[string]any{}), value: claimNames},
	{name: "trustedIssuers", absent: otherwise([]string{}),
		value: list(func(c *Config) *[]string { return &c.TrustedIssuers }, issuers)},

	{name: "authorizationStrategy", absent: otherwise(StrategySMART),
		value: text(func(c *Config) *string { return &c.AuthorizationStrategy },
			oneOf(StrategySMART, StrategySMARTV1))},
	{name: "fineGrainedAuthorization", absent: otherwise(true),
		value: flag(func(c *Config) *bool { return &c.FineGrainedAuthorization })},
	{name: "smartCapabilities", absent: defaultCapabilities,
		value: list(func(c *Config) *[]string { return &c.SmartCapabilities }, capabilities)},
	{name: "smartScopes", absent: defaultScopes,
		value: list(func(c *Config) *[]string { return &c.SmartScopes }, scopes)},
	{name: "grantTypes", absent: otherwise([]string{GrantAuthorizationCode, GrantClientCredentials}),
		value: list(func(c *Config) *[]string { return &c.GrantTypes }, grantTypes)},
	{name: "kmsKey", absent: otherwise(KMSKeyAWSOwned),
		value: text(func(c *Config) *string { return &c.KMSKey }, kmsKey)},
	{name: "healthLakeAccess", absent: otherwise(AccessReadWrite),
		value: text(func(c *Config) *string { return &c.HealthLakeAccess }, oneOf(AccessReadWrite, AccessReadOnly))},
	{name: "restrictInvokeToAccount", absent: otherwise(false),
		value: flag(func(c *Config) *bool { return &c.RestrictInvokeToAccount })},

	{name: "secretName", absent: otherwise("SOF-HL"),
		value: text(func(c *Config) *string { return &c.SecretName }, secretName)},
	{name: "secretAdmins", absent: otherwise([]string{}),
		value: list(func(c *Config) *[]string { return &c.SecretAdmins }, principals)},

	{name: "lambdaArchitecture", absent: otherwise(ArchitectureARM64),
		value: text(func(c *Config) *string { return &c.LambdaArchitecture },
			oneOf(ArchitectureARM64, ArchitectureX8664))},
	{name: "lambdaMemorySize", absent: otherwise(512),
		value: number(func(c *Config) *int { return &c.LambdaMemorySize }, between(128, 10240))},
	{name: "lambdaConcurentExecutions", also: "lambdaConcurrentExecutions", absent: otherwise(5),
		value: number(func(c *Config) *int { return &c.LambdaConcurrentExecutions }, between(1, math.MaxInt32))},
	{name: "lambdaMaxConcurrentExecutions", absent: otherwise(0),
		value: number(func(c *Config) *int { return &c.LambdaMaxConcurrentExecutions }, between(0, math.MaxInt32))},
	{name: "lambdaReservedConcurrency", absent: otherwise(0),
		value: number(func(c *Config) *int { return &c.LambdaReservedConcurrency }, between(0, math.MaxInt32))},
	{name: "lambdaEnhancedLogging", absent: otherwise(false),
		value: flag(func(c *Config) *bool { return &c.LambdaEnhancedLogging })},
	{name: "logRetentionDays", absent: otherwise(14),
		value: number(func(c *Config) *int { return &c.LogRetentionDays }, retentionDays)},
	{name: "dashboard", absent: otherwise(true),
		value: flag(func(c *Config) *bool { return &c.Dashboard })},
	{name: "alarmEmail", absent: otherwise(""),
		value: text(func(c *Config) *string { return &c.AlarmEmail }, orEmpty(emailAddress))},
}

// required is the absent of a key that the context must hold.
func required(Config) any { return nil }

// requiredToIntrospect is the absent of what only introspection needs.
func requiredToIntrospect(c Config) any {
	if c.TokenValidation == TokenValidationJWT {
		return ""
	}
	return nil
}

// otherwise is the absent of a key with a fixed default.
func otherwise(v any) func(Config) any { return func(Config) any { return v } }

// under is the absent of an endpoint that Hydra serves at path below its base URL, which may end in a slash or not.
func under(path string) func(Config) any {
	return func(c Config) any { return strings.TrimRight(c.AuthEndpoint, "/") + "/" + path }
}

// Preloading asks for a kind of data; without it the kind does not matter, whatever it is.
func preloadDataTypeAbsent(c Config) any {
	if c.PreloadData {
		return nil
	}
	return ""
}

var preloadDataType = value{
	want: PreloadSynthea + ", because preloadData is true",
	set: func(c *Config, raw any) (any, bool) {
		if !c.PreloadData {
			return nil, true
		}
		if raw != PreloadSynthea {
			return raw, false
		}
		c.PreloadDataType = PreloadSynthea
		return nil, true
	},
}

// ours are the claims that the function sets itself, or never passes on.
var ours = []string{"isAuthorized", "iamRoleARN", "iss", "aud", "iat", "nbf", "exp", "active", "ext"}

// claimNames is a JSON object of strings, or a string that holds one.
var claimNames = value{
	want: `a JSON object such as {"fhirUser": "https://clinic.example/fhirUser"}, with claims that may be mapped: not ` +
		strings.Join(ours, ", "),
	set: func(c *Config, raw any) (any, bool) {
		object, ok := toObject(raw)
		if !ok {
			return raw, false
		}
		names := make(map[string]string, len(object))
		for name, here := range object {
			claim, ok := here.(string)
			reserved := slices.ContainsFunc(ours, func(o string) bool { return strings.EqualFold(o, name) })
			if !ok || claim == "" || name == "" || reserved {
				return raw, false
			}
			names[name] = claim
		}
		c.ClaimNames = names
		return nil, true
	},
}
