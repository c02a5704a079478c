package introspect

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Method is how this resource server identifies itself to the introspection endpoint (RFC 7662 section 2.1).
type Method string

// The methods of client authentication.
const (
	MethodAuto   Method = "auto"   // bearer where there is an API key, else basic where there is a client secret, else none
	MethodBearer Method = "bearer" // the API key as a bearer token (RFC 6750 section 2.1)
	MethodBasic  Method = "basic"  // client_secret_basic (RFC 6749 section 2.3.1)
	MethodPost   Method = "post"   // client_secret_post (RFC 6749 section 2.3.1)
	MethodNone   Method = "none"   // no credentials, for an endpoint that the network protects
)

// ParseMethod reads a method's name; the empty string is MethodAuto.
func ParseMethod(name string) (Method, error) {
	switch method := Method(name); method {
	case "":
		return MethodAuto, nil
	case MethodAuto, MethodBearer, MethodBasic, MethodPost, MethodNone:
		return method, nil
	}
	return "", fmt.Errorf("client authentication method %q is none of auto, bearer, basic, post, none", name)
}

// Auth is a method and the credentials that it may need.
type Auth struct {
	Method       Method
	ClientID     string
	ClientSecret string
	APIKey       string
}

// apply adds the credentials to a request's form or header.
func (a Auth) apply(form url.Values, header http.Header) error {
	switch a.Resolve() {
	case MethodNone:
	case MethodBearer:
		if a.APIKey == "" {
			return errors.New("client authentication bearer needs an API key")
		}
		if strings.ContainsFunc(a.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("the API key has a character that cannot be in a header, such as a line break")
		}
		header.Set("Authorization", "Bearer "+a.APIKey)
	case MethodBasic:
		if a.ClientID == "" || a.ClientSecret == "" {
			return errors.New("client authentication basic needs a client id and a client secret")
		}
		// RFC 6749 section 2.3.1: both are form-encoded first, so that a colon in either is not taken for the separator.
		pair := url.QueryEscape(a.ClientID) + ":" + url.QueryEscape(a.ClientSecret)
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case MethodPost:
		if a.ClientID == "" || a.ClientSecret == "" {
			return errors.New("client authentication post needs a client id and a client secret")
		}
		form.Set("client_id", a.ClientID)
		form.Set("client_secret", a.ClientSecret)
	default:
		return errors.New("client authentication method is unknown")
	}
	return nil
}

// Resolve returns the method that MethodAuto stands for, given the credentials that there are; any other method as it is.
func (a Auth) Resolve() Method {
	switch {
	case a.Method != MethodAuto:
		return a.Method
	case a.APIKey != "":
		return MethodBearer
	case a.ClientSecret != "":
		return MethodBasic
	}
	return MethodNone
}
