// Package config is the deployment's configuration: what the CDK context may hold, what it must hold, and what is wrong
// with it. Nothing else reads the context.
package config

import "healthlake-smart-on-fhir/internal/contract"

// The values that keys with a fixed choice may take.
const (
	AccessReadWrite = "read-write"
	AccessReadOnly  = "read-only"

	ArchitectureARM64 = "arm64"
	ArchitectureX8664 = "x86_64"

	StrategySMART   = "SMART_ON_FHIR"
	StrategySMARTV1 = "SMART_ON_FHIR_V1"

	KMSKeyAWSOwned = "aws-owned"
	KMSKeyCreate   = "create"

	PreloadSynthea = "SYNTHEA"

	GrantAuthorizationCode = "authorization_code"
	GrantClientCredentials = "client_credentials"

	TokenValidationIntrospection = contract.TokenValidationIntrospection
	TokenValidationJWT           = contract.TokenValidationJWT

	IntrospectionAuthAuto   = "auto"
	IntrospectionAuthBearer = "bearer"
	IntrospectionAuthBasic  = "basic"
	IntrospectionAuthPost   = "post"
	IntrospectionAuthNone   = "none"
)

// Config is a checked configuration with every default filled in. Each field is the context key of the same name
// (lower camel case), but where the comment says otherwise.
type Config struct {
	Account       string // 12 digits
	Region        string
	TagName       string
	TagValue      string
	Prefix        string // may be empty
	DatastoreName string // without the prefix

	ProtectDatastore bool // removing the stack leaves the datastore and its data

	PreloadData     bool
	PreloadDataType string // PreloadSynthea where PreloadData is true, otherwise empty

	ClientID string
	// These two are what stands in the context: a literal, a dynamic reference to another secret, which CloudFormation
	// resolves, or nothing.
	ClientSecret string
	SrvAPIKey    string

	// The provider's endpoints. Those after AuthEndpointIntrospect have defaults that are true for ORY Hydra, derived
	// from AuthEndpoint; Register and Manage are empty where the context has none, and are then not advertised.
	AuthEndpoint           string
	AuthEndpointToken      string
	AuthEndpointIntrospect string
	AuthEndpointAuthorize  string
	AuthIssuer             string
	AuthEndpointJwks       string
	AuthEndpointRevoke     string
	AuthEndpointRegister   string
	AuthEndpointManage     string

	// TokenValidation is where the claims about a token come from: one of the TokenValidation constants. With JWT,
	// AuthIssuer, AuthEndpointJwks and RequiredAudience are not empty, and ClientID and AuthEndpointIntrospect may be.
	TokenValidation           string
	IntrospectionAuth         string            // one of the IntrospectionAuth constants
	AuthCABundle              string            // key authCaBundle: path of a PEM file; empty: the system's roots
	IntrospectionCacheSeconds int               // 0: every request asks the provider
	RequiredAudience          []string          // any of them; empty: not required
	RequiredScope             []string          // all of them
	TrustedIssuers            []string          // empty: any
	ClaimNames                map[string]string // where a claim lives, by the name that HealthLake knows it under

	AuthorizationStrategy    string
	FineGrainedAuthorization bool
	SmartCapabilities        []string
	SmartScopes              []string
	GrantTypes               []string
	KMSKey                   string // key kmsKey: KMSKeyAWSOwned, KMSKeyCreate or a key's ARN
	HealthLakeAccess         string

	RestrictInvokeToAccount bool // HealthLake may call the function for this account alone

	SecretName   string
	SecretAdmins []string // IAM role or user ARNs

	LambdaArchitecture            string
	LambdaMemorySize              int // MiB
	LambdaConcurrentExecutions    int // key lambdaConcurentExecutions, or lambdaConcurrentExecutions
	LambdaMaxConcurrentExecutions int // 0: provisioned concurrency does not scale
	LambdaReservedConcurrency     int // 0: none
	LambdaEnhancedLogging         bool
	LogRetentionDays              int

	Dashboard  bool
	AlarmEmail string // empty: alarms notify nobody
}
