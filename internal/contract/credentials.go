package contract

// Credential is a secret of this resource server at the provider, and where a deployment may have it from. A value in the
// context can be read in the templates; one in the environment reaches CloudFormation as a parameter that it shows to nobody.
type Credential struct {
	Key       string // of the context
	Variable  string // of the environment of make deploy and make preflight
	Parameter string // of the secret's stack
}

// The credentials that introspection may need.
var (
	ClientSecret = Credential{"clientSecret", "CLIENT_SECRET", "ClientSecret"}
	APIKey       = Credential{"srvAPIKey", "SRV_API_KEY", "SrvAPIKey"}
)
