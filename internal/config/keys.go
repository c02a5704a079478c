package config

import (
	"fmt"
	"slices"
	"strings"
)

// key is one row of the configuration: everything about a context key but its field in Config.
type key struct {
	name      string
	aliases   []string // other accepted spellings; two spellings at once are an error
	byDefault defaultValue
	value     value // what the context may hold, and where it is stored

	// doc is the key's description in docs/reference/configuration.md: one or two sentences of Markdown, where it helps
	// with an example and a link to the page with more.
	doc      string
	replaces string // the datastore's property for whose change CloudFormation builds a new, empty datastore; mostly none

	secret string // environment variable that fills the key at deploy time; the value is then never shown
}

// group is the keys that the reference shows under one heading.
type group struct {
	title string
	keys  []key
}

// groups are all keys. They are read, and their problems reported, in this order: a default may use what earlier keys
// hold.
var groups = []group{
	{"Deployment", deploymentKeys},
	{"Identity provider", providerKeys},
	{"What a token must have", tokenKeys},
	{"The function", functionKeys},
	{"The function in a VPC", vpcKeys},
	{"The datastore", datastoreKeys},
	{"Watching", watchingKeys},
}

var keys = func() (all []key) {
	for _, g := range groups {
		all = append(all, g.keys...)
	}
	return all
}()

// Names of keys that rules and messages refer to. The name of any other key stands in its row alone.
const (
	KeyEnv                           = "env"
	keyAccount                       = "account"
	KeyRegion                        = "region"
	KeyPrefix                        = "prefix"
	KeySecretName                    = "secretName"
	KeyTokenValidation               = "tokenValidation"
	KeyIntrospectionAuth             = "introspectionAuth"
	KeyClientAssertionAudience       = "clientAssertionAudience"
	KeyAuthEndpoint                  = "authEndpoint"
	KeyAuthEndpointToken             = "authEndpointToken"
	KeyAuthEndpointIntrospect        = "authEndpointIntrospect"
	KeyAuthEndpointAuthorize         = "authEndpointAuthorize"
	KeyAuthIssuer                    = "authIssuer"
	KeyAuthEndpointJwks              = "authEndpointJwks"
	KeyAuthEndpointRevoke            = "authEndpointRevoke"
	KeyAuthEndpointRegister          = "authEndpointRegister"
	KeyAuthEndpointManage            = "authEndpointManage"
	KeyRequiredAudience              = "requiredAudience"
	KeyMoreIssuers                   = "moreIssuers"
	KeyTrustedIssuers                = "trustedIssuers"
	KeyLambdaConcurrentExecutions    = "lambdaConcurrentExecutions"
	KeyLambdaMaxConcurrentExecutions = "lambdaMaxConcurrentExecutions"
	KeyLambdaReservedConcurrency     = "lambdaReservedConcurrency"
	KeyVPCSubnets                    = "vpcSubnets"
	KeyVPCID                         = "vpcId"
	KeyVPCSecurityGroups             = "vpcSecurityGroups"
	KeyVPCSecretsEndpoint            = "vpcSecretsEndpoint"
	KeyDatastoreName                 = "datastoreName"
	KeyPreloadData                   = "preloadData"
	KeyAuthorizationStrategy         = "authorizationStrategy"
	KeySmartCapabilities             = "smartCapabilities"
	KeySmartScopes                   = "smartScopes"
	KeyTokenEndpointAuthMethods      = "tokenEndpointAuthMethods"
	KeyTokenEndpointAuthSigningAlgs  = "tokenEndpointAuthSigningAlgs"
	KeyGrantTypes                    = "grantTypes"
	KeyKMSKey                        = "kmsKey"
	KeyBulkExport                    = "bulkExport"
	KeyAuditClaims                   = "auditClaims"
	KeyLogRetentionDays              = "logRetentionDays"
)

// Replacing returns the keys that change a property of CloudFormation's datastore, such as SseConfiguration, for which
// CloudFormation builds a new, empty one. A property without keys never changes in a deployment.
func Replacing(property string) (names []string) {
	for _, k := range keys {
		if k.replaces == property {
			names = append(names, k.name)
		}
	}
	return names
}

// Spelling returns the name under which the context holds a key: its documented name, or one of its aliases. Of a key that
// the context does not have, it is the documented name.
func Spelling(context map[string]any, name string) string {
	if i, known := position[name]; known {
		for _, s := range keys[i].spellings() {
			if context[s] != nil {
				return s
			}
		}
	}
	return name
}

// spellings are the names under which the context may hold the key, the documented one first.
func (k key) spellings() []string {
	return append([]string{k.name}, k.aliases...)
}

// defaultValue is what holds where the context does not have a key.
type defaultValue struct {
	words string           // Markdown for the reference
	of    func(Config) any // given the keys above; nil where the context must have the key
}

// required is for a key that the context must have.
var required = defaultValue{"required", func(Config) any { return nil }}

// fixed is a default that depends on nothing.
func fixed(v any) defaultValue {
	words := "none"
	switch s := fmt.Sprint(v); s {
	case "", "[]", "map[]":
	default:
		words = code(s)
		if l, ok := v.([]string); ok {
			words = codes(l)
		}
	}
	return defaultValue{words, func(Config) any { return v }}
}

// derived is a default that depends on the keys above.
func derived(words string, of func(Config) any) defaultValue {
	return defaultValue{words, of}
}

// derivedEndpoint is the default of an endpoint that ORY Hydra serves at path below its base URL, which may end in a
// slash or not.
func derivedEndpoint(path string) defaultValue {
	return derived(code(KeyAuthEndpoint)+" followed by "+code("/"+path), func(c Config) any {
		return strings.TrimRight(c.AuthEndpoint, "/") + "/" + path
	})
}

// requiredToIntrospect is for what only introspection needs.
var requiredToIntrospect = derived("required, but not with "+code(KeyTokenValidation)+" "+code(TokenValidationJWT),
	func(c Config) any {
		if c.TokenValidation == TokenValidationJWT {
			return ""
		}
		return nil
	})

// code is s as code in Markdown.
func code(s string) string { return "`" + s + "`" }

func codes(l []string) string {
	quoted := slices.Clone(l)
	for i, s := range quoted {
		quoted[i] = code(s)
	}
	return strings.Join(quoted, ", ")
}
