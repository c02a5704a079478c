package contract

// Discovery is the SMART discovery document (SMART App Launch 2.2, section "Conformance") that HealthLake serves under
// .well-known/smart-configuration. A field that is empty is not in the document.
//
// The introspection endpoint is left out although there is one: apps have no use for it (ORY's own discovery document
// does not name it either).
type Discovery struct {
	Issuer                                     string   `json:"issuer,omitempty"`
	JwksURI                                    string   `json:"jwks_uri,omitempty"`
	AuthorizationEndpoint                      string   `json:"authorization_endpoint"`
	TokenEndpoint                              string   `json:"token_endpoint"`
	RegistrationEndpoint                       string   `json:"registration_endpoint,omitempty"`
	ManagementEndpoint                         string   `json:"management_endpoint,omitempty"`
	RevocationEndpoint                         string   `json:"revocation_endpoint,omitempty"`
	ScopesSupported                            []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported                     []string `json:"response_types_supported,omitempty"`
	GrantTypesSupported                        []string `json:"grant_types_supported"`
	TokenEndpointAuthMethodsSupported          []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	TokenEndpointAuthSigningAlgValuesSupported []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	Capabilities                               []string `json:"capabilities"`
	CodeChallengeMethodsSupported              []string `json:"code_challenge_methods_supported"`
}

// Text is the document as HealthLake takes it: one line of JSON with the fields in the order above. The same
// configuration always gives the same bytes.
func (d Discovery) Text() string {
	text, _ := CompactJSON(d) // strings can always be written
	return string(text)
}

// The names in the datastore's template that the commands look up.
const (
	// DatastoreType is CloudFormation's type of a FHIR datastore.
	DatastoreType = "AWS::HealthLake::FHIRDatastore"
	// SettingsType is the type of the custom resource whose properties are DatastoreProperties.
	SettingsType = "Custom::DatastoreSettings"
	// ApplyParameter is the stack parameter that DatastoreProperties.ApplySettings comes from.
	ApplyParameter = "ApplySettings"
	// DatastoreOutput is the output of the datastore's stack that has the datastore's id.
	DatastoreOutput = "DatastoreId"
	// IdpLambdaARN is the environment variable of the function behind it with the one function that may check tokens.
	IdpLambdaARN = "IDP_LAMBDA_ARN"
	// MaxParameter is CloudFormation's limit for a parameter's value, in bytes (User Guide, "CloudFormation quotas").
	MaxParameter = 4096
)

// DatastoreSettings are what HealthLake changes on a datastore in place (API Reference, UpdateFHIRDatastore), by the names
// that they have in its API.
type DatastoreSettings struct {
	DatastoreName                   string
	AuthorizationStrategy           string
	FineGrainedAuthorizationEnabled string // "true" or "false": a custom resource gets no other booleans
	IdpLambdaArn                    string
	Metadata                        string // Discovery.Text
}

// DatastoreProperties are the properties of the custom resource that keeps a datastore's settings. The stacks write them,
// and CloudFormation sends them to the function. Each setting, and each field of the discovery document, is a property of its
// own, so that cdk diff shows which one changes.
type DatastoreProperties struct {
	DatastoreID                     string `json:"DatastoreId"`
	DatastoreName                   string
	AuthorizationStrategy           string
	FineGrainedAuthorizationEnabled string
	IdpLambdaArn                    string
	Metadata                        Discovery
	// Created is what CloudFormation created the datastore with; empty if it did not.
	Created DatastoreSettings
	// ApplySettings, where it is new and not empty, has the function compare the settings with the datastore itself, which
	// somebody may have changed by hand. Otherwise it compares them with those of the last deployment.
	ApplySettings string
}

// Settings are what the datastore should have.
func (p DatastoreProperties) Settings() DatastoreSettings {
	return DatastoreSettings{
		DatastoreName:                   p.DatastoreName,
		AuthorizationStrategy:           p.AuthorizationStrategy,
		FineGrainedAuthorizationEnabled: p.FineGrainedAuthorizationEnabled,
		IdpLambdaArn:                    p.IdpLambdaArn,
		Metadata:                        p.Metadata.Text(),
	}
}
