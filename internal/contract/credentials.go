package contract

// Credential is a secret of this resource server at the provider, and where a deployment may have it from. A value in the
// context can be read in the templates; one in the environment reaches CloudFormation as a parameter that it shows to nobody.
type Credential struct {
	Key       string // of the context; "" where the context must not have it
	Variable  string // of the environment of make deploy and make preflight
	Parameter string // of the secret's stack
	Field     string // of the secret's document
}

// The credentials that introspection may need.
var (
	ClientSecret = Credential{"clientSecret", "CLIENT_SECRET", "ClientSecret", "client_secret"}
	APIKey       = Credential{"srvAPIKey", "SRV_API_KEY", "SrvAPIKey", "api_key"}
	// The private key may have line breaks and quotation marks. CloudFormation puts the parameter between the quotation marks
	// of the secret's JSON document as it is, so the parameter is the key as JSON writes it, see EscapeJSON.
	ClientPrivateKey = Credential{"", "CLIENT_PRIVATE_KEY", "ClientPrivateKey", "client_private_key"}
)

// Credentials are all of them.
var Credentials = []Credential{ClientSecret, APIKey, ClientPrivateKey}
