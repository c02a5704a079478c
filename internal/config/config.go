// Package config is the deployment's configuration: it reads and checks the CDK context. Each context key is one row of the
// tables in keys_*.go, from which docs/reference/configuration.md is generated, and one field of Config.
package config

import (
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
)

// The values of keys with a fixed choice.
const (
	BulkExportOff = "off"
	BulkExportGet = "get"
	BulkExportS3  = "s3"

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
)

// Config is a checked configuration with every default filled in. Each field is the context key of the same name in lower
// camel case, unless its comment names another key.
type Config struct {
	Env           string // empty for none
	Account       string // 12 digits
	Region        string
	TagName       string
	TagValue      string
	Prefix        string // may be empty
	DatastoreName string // without the prefix

	AdoptDatastore string // the id of a datastore that exists already; empty: the deployment creates one

	ProtectDatastore bool // deleting the stack keeps the datastore and its data

	PreloadData     bool
	PreloadDataType string // PreloadSynthea if PreloadData is true, otherwise empty

	ClientID string
	// The two credentials are as in the context: empty, a literal, or a dynamic reference to another secret, which
	// CloudFormation resolves.
	ClientSecret string
	SrvAPIKey    string

	// The provider's endpoints. An empty one is not advertised; AuthEndpointAuthorize is never empty.
	AuthEndpoint           string
	AuthEndpointToken      string
	AuthEndpointIntrospect string
	AuthEndpointAuthorize  string
	AuthIssuer             string
	AuthEndpointJwks       string
	AuthEndpointRevoke     string
	AuthEndpointRegister   string
	AuthEndpointManage     string

	// TokenValidation is one of the TokenValidation constants. With TokenValidationJWT, AuthIssuer, AuthEndpointJwks and
	// RequiredAudience are not empty; otherwise ClientID and AuthEndpointIntrospect are not empty.
	TokenValidation           string
	IntrospectionAuth         clientauth.Method
	ClientAssertionAudience   string            // empty: AuthIssuer
	AuthCABundle              string            // key authCaBundle: path of a PEM file; empty: the system's roots
	IntrospectionCacheSeconds int               // 0: every request asks the provider
	RequiredAudience          []string          // any of them; empty: not required
	RequiredScope             []string          // all of them
	TrustedIssuers            []string          // empty: any
	MaxTokenLifetimeSeconds   int               // 0: any
	SenderConstrainedTokens   string            // one of contract's SenderConstrained constants
	ClaimNames                map[string]string // HealthLake's name of a claim -> the provider's name
	MoreIssuers               []contract.Issuer // none is AuthIssuer, and none is there twice

	AuthorizationStrategy    string
	FineGrainedAuthorization bool
	SmartCapabilities        []string
	SmartScopes              []string
	GrantTypes               []string
	// What apps may do at the token endpoint; empty: the discovery document does not say it.
	TokenEndpointAuthMethods     []string
	TokenEndpointAuthSigningAlgs []string

	KMSKey           string // key kmsKey: KMSKeyAWSOwned, KMSKeyCreate or a key's ARN
	BulkExport       string // one of the BulkExport constants
	HealthLakeAccess string

	RestrictInvokeToAccount bool // HealthLake may invoke the function only for datastores of this account

	SecretName   string
	SecretAdmins []string // IAM role or user ARNs

	LambdaArchitecture            string
	LambdaMemorySize              int // MiB
	LambdaConcurrentExecutions    int // at least 1
	LambdaMaxConcurrentExecutions int // 0: provisioned concurrency does not scale
	LambdaReservedConcurrency     int // 0: none
	LambdaEnhancedLogging         bool
	AuditClaims                   []string // names of claims whose values go into each log line
	LogRetentionDays              int

	// The function's connection to a VPC. Without VPCSubnets there is none, and the others are empty.
	VPCSubnets         []string // key vpcSubnets
	VPCID              string   // key vpcId; not empty where the deployment makes a security group or an endpoint
	VPCSecurityGroups  []string // key vpcSecurityGroups; empty: the deployment makes one
	VPCSecretsEndpoint bool     // key vpcSecretsEndpoint: the deployment makes an interface endpoint for Secrets Manager

	Tracing    bool // the function is traced by X-Ray
	Dashboard  bool
	AlarmEmail string // empty: alarms notify nobody
}
