package provider

import (
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/introspect"
)

// Secrets are credentials from the environment, "" where there is none. They are used where the context has no literal
// value, so that a deployment need not keep its secrets in a file.
type Secrets struct {
	ClientSecret string
	APIKey       string
	PrivateKey   string
}

// SecretsFrom reads the environment through getenv.
func SecretsFrom(getenv func(string) string) Secrets {
	return Secrets{
		ClientSecret: getenv(contract.ClientSecret.Variable),
		APIKey:       getenv(contract.APIKey.Variable),
		PrivateKey:   getenv(contract.ClientPrivateKey.Variable),
	}
}

// auth returns how to authenticate at the introspection endpoint. If the credential for that is not known here, missing says
// how to give it.
func (s Secrets) auth(cfg config.Config) (auth introspect.Auth, missing string) {
	secret, secretIsReference := pick(cfg.ClientSecret, s.ClientSecret)
	key, keyIsReference := pick(cfg.SrvAPIKey, s.APIKey)
	// A reference that only CloudFormation resolves counts for the choice of the method.
	method := cfg.IntrospectionAuth.Resolve(key != "" || keyIsReference, secret != "" || secretIsReference)
	switch {
	case method.NeedsAPIKey() == clientauth.Required && key == "":
		missing = credentialMissing(contract.APIKey, keyIsReference)
	case method.NeedsClientSecret() == clientauth.Required && secret == "":
		missing = credentialMissing(contract.ClientSecret, secretIsReference)
	}
	auth = introspect.Auth{Method: method, ClientID: cfg.ClientID, ClientSecret: secret, APIKey: key}
	if method.NeedsPrivateKey() == clientauth.Required {
		auth.Assertion, missing = s.assertion(cfg)
	}
	return auth, missing
}

// assertion signs by the private key, if that is known here.
func (s Secrets) assertion(cfg config.Config) (sign func() (string, error), missing string) {
	if s.PrivateKey == "" {
		return nil, credentialMissing(contract.ClientPrivateKey, false)
	}
	key, err := clientauth.ParseKey(s.PrivateKey)
	if err != nil {
		return nil, contract.ClientPrivateKey.Variable + ": " + err.Error()
	}
	audience := cfg.Environment().ClientAssertionAudience
	return func() (string, error) { return key.Assertion(cfg.ClientID, audience, time.Now()) }, ""
}

// pick prefers a literal in the context. isReference tells that only CloudFormation knows the value.
func pick(context, environment string) (value string, isReference bool) {
	if context != "" && !strings.HasPrefix(context, "{{resolve:") {
		return context, false
	}
	return environment, environment == "" && context != ""
}

func credentialMissing(c contract.Credential, isReference bool) string {
	if c.Key == "" {
		return c.Variable + " is not in the environment; make client-key makes one"
	}
	if isReference {
		return c.Key + " is a reference that only CloudFormation resolves; set " + c.Variable + " in the environment"
	}
	return c.Key + " is not in the context; set " + c.Variable + " in the environment"
}

// describe names credentials without showing them.
func describe(a introspect.Auth) string {
	switch a.Method {
	case clientauth.Bearer:
		return "srvAPIKey (bearer)"
	case clientauth.Basic, clientauth.Post:
		return "clientId and clientSecret (" + string(a.Method) + ")"
	case clientauth.PrivateKeyJWT:
		return "clientId and the private key (private_key_jwt)"
	}
	return "a request without credentials"
}

func credentialsFix(a introspect.Auth) string {
	switch a.Method {
	case clientauth.Bearer:
		return "correct srvAPIKey, or set introspectionAuth to basic, post or none"
	case clientauth.Basic:
		return "correct clientId and clientSecret, or set introspectionAuth to bearer, post or none"
	case clientauth.Post:
		return "correct clientId and clientSecret, or set introspectionAuth to bearer, basic or none"
	case clientauth.PrivateKeyJWT:
		return "register the public key for clientId at the provider, and set clientAssertionAudience to what it wants"
	}
	return "set clientSecret or srvAPIKey (or " + contract.ClientSecret.Variable + ", " + contract.APIKey.Variable + " in the environment)"
}
