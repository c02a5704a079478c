// Package contract holds what the stacks and the functions must agree on, each fact once: environment variables, log fields
// and the metrics made of them, resource names, the secret's document, how the functions are built. It imports no CDK, so
// that no function's binary contains any.
package contract

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The values of Environment.TokenValidation: where the claims about a token come from.
const (
	TokenValidationIntrospection = "introspection" // the provider is asked about each token (RFC 7662)
	TokenValidationJWT           = "jwt"           // tokens are verified by the provider's keys (RFC 7519)
)

// The values of Environment.SenderConstrainedTokens: what becomes of a token that is bound to a key of the app.
const (
	SenderConstrainedDeny   = "deny"
	SenderConstrainedAccept = "accept" // as if it were a plain bearer token
)

// MaxTokenLifetime is the highest limit that a deployment may set.
const MaxTokenLifetime = 24 * time.Hour

// MaxIntrospectionCache bounds how long a revoked token may work on.
const MaxIntrospectionCache = 300 * time.Second

// Environment is what a deployment fixes for the checkToken function. The stacks write it, the function reads it at start.
// What may change without a deployment is in the secret: see Document.
type Environment struct {
	SecretID          string // name or ARN of the secret
	TokenValidation   string // one of the TokenValidation constants
	IntrospectionAuth string // how the function authenticates at the introspection endpoint
	// ClientAssertionAudience is the aud of client assertions, with private_key_jwt. It is not in the secret: whoever may change
	// that must not have assertions made for another server.
	ClientAssertionAudience string
	AuthIssuer              string // with TokenValidationJWT: whose tokens are accepted
	AuthEndpointJwks        string // with TokenValidationJWT: where the issuer publishes its keys
	RequiredAudience        []string
	RequiredScope           []string
	TrustedIssuers          []string
	ClaimNames              map[string]string
	IntrospectionCache      time.Duration // whole seconds; 0: every call asks the provider
	MaxTokenLifetime        time.Duration // whole seconds; 0: any
	// MoreIssuers are those whose tokens do not go the way that the fields above describe.
	MoreIssuers []Issuer
	// SenderConstrainedTokens is one of the SenderConstrained constants.
	SenderConstrainedTokens string
	// IntrospectionOrigin is the scheme, host and port of the introspection endpoint. Whoever may change the secret can change
	// the endpoint's path, and not send tokens to another server.
	IntrospectionOrigin string
	// AuditClaims are the claims whose values go into each log line.
	AuditClaims  []string
	AuthCABundle string // PEM file in the function's package; empty: the system's roots
}

// variables has one row for each environment variable. A variable whose value is the default is not set.
var variables = []variable{
	text("SECRET_ID", DefaultSecretName, func(e *Environment) *string { return &e.SecretID }),
	text("TOKEN_VALIDATION", TokenValidationIntrospection, func(e *Environment) *string { return &e.TokenValidation }),
	text("INTROSPECTION_AUTH", "", func(e *Environment) *string { return &e.IntrospectionAuth }),
	text("CLIENT_ASSERTION_AUDIENCE", "", func(e *Environment) *string { return &e.ClientAssertionAudience }),
	text("AUTH_ISSUER", "", func(e *Environment) *string { return &e.AuthIssuer }),
	text("AUTH_ENDPOINT_JWKS", "", func(e *Environment) *string { return &e.AuthEndpointJwks }),
	words("REQUIRED_AUDIENCE", func(e *Environment) *[]string { return &e.RequiredAudience }),
	words("REQUIRED_SCOPE", func(e *Environment) *[]string { return &e.RequiredScope }),
	words("TRUSTED_ISSUERS", func(e *Environment) *[]string { return &e.TrustedIssuers }),
	jsonText("CLAIM_NAMES", "object of strings", func(e *Environment) *map[string]string { return &e.ClaimNames }),
	jsonText("MORE_ISSUERS", "array of issuers", func(e *Environment) *[]Issuer { return &e.MoreIssuers }),
	seconds("INTROSPECTION_CACHE_SECONDS", MaxIntrospectionCache, func(e *Environment) *time.Duration { return &e.IntrospectionCache }),
	seconds("MAX_TOKEN_LIFETIME_SECONDS", MaxTokenLifetime, func(e *Environment) *time.Duration { return &e.MaxTokenLifetime }),
	text("SENDER_CONSTRAINED_TOKENS", SenderConstrainedDeny, func(e *Environment) *string { return &e.SenderConstrainedTokens }),
	text("INTROSPECTION_ORIGIN", "", func(e *Environment) *string { return &e.IntrospectionOrigin }),
	words("AUDIT_CLAIMS", func(e *Environment) *[]string { return &e.AuditClaims }),
	text("AUTH_CA_BUNDLE", "", func(e *Environment) *string { return &e.AuthCABundle }),
}

// Variables returns the environment variables that say e.
func (e Environment) Variables() map[string]string {
	set := map[string]string{}
	for _, v := range variables {
		if value := v.write(e); value != "" {
			set[v.name] = value
		}
	}
	return set
}

// Endpoints are the URLs of what the function calls at identity providers, the main one first; of an introspection
// endpoint only its origin.
func (e Environment) Endpoints() []string {
	endpoints := []string{e.IntrospectionOrigin}
	if e.TokenValidation == TokenValidationJWT {
		endpoints = []string{e.AuthEndpointJwks}
	}
	for _, issuer := range e.MoreIssuers {
		endpoints = append(endpoints, issuer.JWKS)
	}
	return endpoints
}

// SecretsManagerURL is the environment variable, known to every AWS SDK, with the URL by which the function reaches Secrets
// Manager, where that is not AWS's own.
const SecretsManagerURL = "AWS_ENDPOINT_URL_SECRETS_MANAGER"

// ReadEnvironment is the inverse of Variables. The error names the variable at fault and quotes no value.
func ReadEnvironment(getenv func(string) string) (Environment, error) {
	var e Environment
	for _, v := range variables {
		if err := v.read(&e, getenv(v.name)); err != nil {
			return Environment{}, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return e, e.check()
}

// check is about several variables together. A key signs for every audience that its provider serves, and the issuer tells
// providers apart that share keys; so verifying a token by its signature alone is not enough.
func (e Environment) check() error {
	if e.SenderConstrainedTokens != SenderConstrainedDeny && e.SenderConstrainedTokens != SenderConstrainedAccept {
		return fmt.Errorf("SENDER_CONSTRAINED_TOKENS: neither %s nor %s", SenderConstrainedDeny, SenderConstrainedAccept)
	}
	if err := e.checkIssuers(); err != nil {
		return err
	}
	switch e.TokenValidation {
	case TokenValidationIntrospection:
		if e.IntrospectionOrigin == "" {
			return fmt.Errorf("INTROSPECTION_ORIGIN: needed where TOKEN_VALIDATION is %s", TokenValidationIntrospection)
		}
		return nil
	case TokenValidationJWT:
	default:
		return fmt.Errorf("TOKEN_VALIDATION: neither %s nor %s", TokenValidationIntrospection, TokenValidationJWT)
	}
	for _, needed := range []struct {
		variable string
		empty    bool
	}{
		{"AUTH_ISSUER", e.AuthIssuer == ""},
		{"AUTH_ENDPOINT_JWKS", e.AuthEndpointJwks == ""},
		{"REQUIRED_AUDIENCE", len(e.RequiredAudience) == 0},
	} {
		if needed.empty {
			return fmt.Errorf("%s: needed where TOKEN_VALIDATION is %s", needed.variable, TokenValidationJWT)
		}
	}
	return nil
}

// variable is one environment variable: its name, and how a field of Environment is written to it and read from it.
type variable struct {
	name  string
	write func(Environment) string
	read  func(e *Environment, value string) error
}

// text is a string. fallback is the value where the variable is not set.
func text(name, fallback string, field func(*Environment) *string) variable {
	return variable{
		name: name,
		write: func(e Environment) string {
			if value := *field(&e); value != fallback {
				return value
			}
			return ""
		},
		read: func(e *Environment, value string) error {
			*field(e) = cmp.Or(value, fallback)
			return nil
		},
	}
}

// words is a list of strings without spaces.
func words(name string, field func(*Environment) *[]string) variable {
	return variable{
		name:  name,
		write: func(e Environment) string { return strings.Join(*field(&e), " ") },
		read: func(e *Environment, value string) error {
			*field(e) = strings.Fields(value)
			return nil
		},
	}
}

// jsonText is a list or a map as JSON. kind is what the JSON must be, for the error.
func jsonText[T []Issuer | map[string]string](name, kind string, field func(*Environment) *T) variable {
	return variable{
		name: name,
		write: func(e Environment) string {
			if len(*field(&e)) == 0 {
				return ""
			}
			text, _ := CompactJSON(*field(&e)) // strings can always be written
			return string(text)
		},
		read: func(e *Environment, value string) error {
			if value == "" {
				return nil
			}
			decoder := json.NewDecoder(strings.NewReader(value))
			decoder.DisallowUnknownFields()
			err := decoder.Decode(field(e))
			if _, after := decoder.Token(); err != nil || after != io.EOF {
				return errors.New("not a JSON " + kind)
			}
			return nil
		},
	}
}

// seconds is a time in whole seconds.
func seconds(name string, most time.Duration, field func(*Environment) *time.Duration) variable {
	return variable{
		name: name,
		write: func(e Environment) string {
			if *field(&e) == 0 {
				return ""
			}
			return strconv.Itoa(int(field(&e).Seconds()))
		},
		read: func(e *Environment, value string) error {
			n, err := strconv.ParseUint(cmp.Or(value, "0"), 10, 31)
			if *field(e) = time.Duration(n) * time.Second; err != nil || *field(e) > most {
				return fmt.Errorf("not a whole number from 0 to %.0f", most.Seconds())
			}
			return nil
		},
	}
}
