// Package clientauth names the ways in which the function can authenticate at the introspection endpoint (RFC 7662 section
// 2.1), says which credentials each of them needs, and signs the assertions of the one with a private key.
package clientauth

import "fmt"

// Method is a way of client authentication, as the context key introspectionAuth has it.
type Method string

// The methods.
const (
	Auto   Method = "auto"   // what Resolve makes of the credentials that there are
	Bearer Method = "bearer" // the API key as a bearer token (RFC 6750 section 2.1)
	Basic  Method = "basic"  // client_secret_basic (RFC 6749 section 2.3.1)
	Post   Method = "post"   // client_secret_post (RFC 6749 section 2.3.1)
	None   Method = "none"   // no credentials, for an endpoint that the network protects
	// PrivateKeyJWT is an assertion that a private key has signed (RFC 7523 section 2.2).
	PrivateKeyJWT Method = "private_key_jwt"
)

// aliases are the names of OAuth's registry of token endpoint authentication methods (RFC 7591 section 2).
var aliases = map[string]Method{"": Auto, "client_secret_basic": Basic, "client_secret_post": Post}

// Parse reads a method's name. The empty string is Auto.
func Parse(name string) (Method, error) {
	if method, ok := aliases[name]; ok {
		return method, nil
	}
	if _, ok := needs[Method(name)]; ok {
		return Method(name), nil
	}
	return "", fmt.Errorf("client authentication method %q is none of auto, bearer, basic, post, none, private_key_jwt", name)
}

// Need says whether a method uses a credential.
type Need int

// The needs.
const (
	Unused Need = iota
	Optional
	Required
)

var needs = map[Method]struct{ apiKey, clientSecret, privateKey Need }{
	Auto:          {apiKey: Optional, clientSecret: Optional},
	Bearer:        {apiKey: Required},
	Basic:         {clientSecret: Required},
	Post:          {clientSecret: Required},
	None:          {},
	PrivateKeyJWT: {privateKey: Required},
}

// NeedsAPIKey says whether the method uses the API key.
func (m Method) NeedsAPIKey() Need { return needs[m].apiKey }

// NeedsClientSecret says whether the method uses the client id and the client secret.
func (m Method) NeedsClientSecret() Need { return needs[m].clientSecret }

// NeedsPrivateKey says whether the method uses the client id and the private key.
func (m Method) NeedsPrivateKey() Need { return needs[m].privateKey }

// Resolve replaces Auto: Bearer if there is an API key, else Basic if there is a client secret, else None. A credential
// counts even if its value is known to CloudFormation alone. Any other method stays.
func (m Method) Resolve(hasAPIKey, hasClientSecret bool) Method {
	switch {
	case m != Auto:
		return m
	case hasAPIKey:
		return Bearer
	case hasClientSecret:
		return Basic
	}
	return None
}
