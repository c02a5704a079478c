package provider

import (
	"strings"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/introspect"
)

// Secrets are credentials from elsewhere than the context, each "" if there is none. Where the context holds no literal
// one, they stand in: a deployment need not have its secrets in a file.
type Secrets struct {
	ClientSecret string
	APIKey       string
}

// The environment variables that hold them.
const (
	ClientSecretVariable = "CLIENT_SECRET"
	APIKeyVariable       = "SRV_API_KEY"
)

// SecretsFrom reads the environment through getenv.
func SecretsFrom(getenv func(string) string) Secrets {
	return Secrets{ClientSecret: getenv(ClientSecretVariable), APIKey: getenv(APIKeyVariable)}
}

// auth is how to authenticate at the introspection endpoint, or the reason why that is not known here.
func (s Secrets) auth(cfg config.Config) (auth introspect.Auth, unknown string) {
	secret, secretElsewhere := pick(cfg.ClientSecret, s.ClientSecret)
	key, keyElsewhere := pick(cfg.SrvAPIKey, s.APIKey)
	method := introspect.Method(cfg.IntrospectionAuth)
	if method == introspect.MethodAuto {
		switch {
		case key != "" || keyElsewhere:
			method = introspect.MethodBearer
		case secret != "" || secretElsewhere:
			method = introspect.MethodBasic
		default:
			method = introspect.MethodNone
		}
	}
	switch method {
	case introspect.MethodBearer:
		unknown = needed(key, keyElsewhere, "srvAPIKey", APIKeyVariable)
	case introspect.MethodBasic, introspect.MethodPost:
		unknown = needed(secret, secretElsewhere, "clientSecret", ClientSecretVariable)
	}
	return introspect.Auth{Method: method, ClientID: cfg.ClientID, ClientSecret: secret, APIKey: key}, unknown
}

// pick prefers the context's literal. elsewhere tells that only CloudFormation knows the value.
func pick(context, environment string) (value string, elsewhere bool) {
	if context != "" && !strings.HasPrefix(context, "{{resolve:") {
		return context, false
	}
	return environment, environment == "" && context != ""
}

func needed(value string, elsewhere bool, key, variable string) string {
	switch {
	case value != "":
		return ""
	case elsewhere:
		return key + " is a reference that only CloudFormation resolves; give the value as " + variable + " in the environment"
	}
	return key + " is not in the context; give the value as " + variable + " in the environment"
}

// describe names credentials without showing them.
func describe(a introspect.Auth) string {
	switch a.Method {
	case introspect.MethodBearer:
		return "srvAPIKey (bearer)"
	case introspect.MethodBasic, introspect.MethodPost:
		return "clientId and clientSecret (" + string(a.Method) + ")"
	}
	return "a request without credentials"
}

func credentialsAdvice(a introspect.Auth) string {
	switch a.Method {
	case introspect.MethodBearer:
		return "correct srvAPIKey, or set introspectionAuth to basic, post or none"
	case introspect.MethodBasic:
		return "correct clientId and clientSecret, or set introspectionAuth to bearer, post or none"
	case introspect.MethodPost:
		return "correct clientId and clientSecret, or set introspectionAuth to bearer, basic or none"
	}
	return "give clientSecret or srvAPIKey (or " + ClientSecretVariable + ", " + APIKeyVariable + " in the environment)"
}
