package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Document is the secret's value. The field names are the ones that users of this deployment see in the Secrets Manager
// console; they do not change.
type Document struct {
	// ClientID and ClientSecret identify this resource server at the introspection endpoint where the provider wants
	// client authentication (RFC 7662 section 2.1).
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	// AuthEndpoint is the provider's base URL. The function does not call it.
	AuthEndpoint string `json:"auth_endpoint"`
	// AuthEndpointToken becomes the answer's iss claim.
	AuthEndpointToken string `json:"auth_endpoint_token"`
	// AuthEndpointIntrospect is the RFC 7662 endpoint.
	AuthEndpointIntrospect string `json:"auth_endpoint_introspect"`
	// APIKey is sent as a bearer token to the introspection endpoint where the provider wants that.
	APIKey string `json:"api_key"`
	// ClientPrivateKey is the key that signs client assertions (RFC 7523), as a JWK or PEM; only with private_key_jwt.
	ClientPrivateKey string `json:"client_private_key,omitempty"`
	// The service roles that HealthLake assumes to carry out a request; see RoleARN. The first may read and write.
	HLRoleARN           string `json:"hl_role_arn"`
	HLRoleARNRead       string `json:"hl_role_arn_read,omitempty"`
	HLRoleARNExport     string `json:"hl_role_arn_export,omitempty"`
	HLRoleARNReadExport string `json:"hl_role_arn_read_export,omitempty"`
	// HLDatastoreName is there for the reader of the secret; the function does not use it.
	HLDatastoreName string `json:"hl_datastore_name"`
	// LambdaEnhancedLogging may be changed in the console; it takes effect within a minute.
	LambdaEnhancedLogging Flag `json:"lambda_enhanced_logging"`
}

// Flag is a boolean that is written as the string "true" or "false", because the Secrets Manager console edits strings.
// A JSON boolean is read too. Everything else reads as false: an unclear logging flag must not turn detail on.
type Flag bool

// MarshalJSON writes "true" or "false", quotes included.
func (f Flag) MarshalJSON() ([]byte, error) {
	if f {
		return []byte(`"true"`), nil
	}
	return []byte(`"false"`), nil
}

// UnmarshalJSON never fails.
func (f *Flag) UnmarshalJSON(b []byte) error {
	*f = Flag(strings.EqualFold(strings.Trim(string(b), `"`), "true"))
	return nil
}

// ParseDocument reads a document and checks that it holds what every call needs: the token endpoint, the service role, and the
// introspection endpoint where the deployment introspects. Unknown fields are ignored. The error names fields and never
// contains a value.
func ParseDocument(value []byte, introspects bool) (Document, error) {
	var d Document
	if err := json.Unmarshal(value, &d); err != nil {
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			return Document{}, fmt.Errorf("secret: field %s is not a string", mistyped.Field)
		}
		// The decoder's own text may quote the value, so it is left out.
		return Document{}, errors.New("secret: value is not a JSON object")
	}
	var missing []string
	for _, f := range []struct {
		name, value string
		needed      bool
	}{
		{"auth_endpoint_token", d.AuthEndpointToken, true},
		{"auth_endpoint_introspect", d.AuthEndpointIntrospect, introspects},
		{"hl_role_arn", d.HLRoleARN, true},
	} {
		if f.needed && f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return Document{}, fmt.Errorf("secret: missing %s", strings.Join(missing, ", "))
	}
	return d, nil
}
