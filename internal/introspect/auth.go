package introspect

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"healthlake-smart-on-fhir/internal/clientauth"
)

// Auth is a method and the credentials that it may need.
type Auth struct {
	Method       clientauth.Method
	ClientID     string
	ClientSecret string
	APIKey       string
}

// apply adds the credentials to a request's form or header.
func (a Auth) apply(form url.Values, header http.Header) error {
	switch a.Method.Resolve(a.APIKey != "", a.ClientSecret != "") {
	case clientauth.None:
	case clientauth.Bearer:
		if a.APIKey == "" {
			return errors.New("client authentication bearer needs an API key")
		}
		if strings.ContainsFunc(a.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("the API key has a character that cannot be in a header, such as a line break")
		}
		header.Set("Authorization", "Bearer "+a.APIKey)
	case clientauth.Basic:
		if a.ClientID == "" || a.ClientSecret == "" {
			return errors.New("client authentication basic needs a client id and a client secret")
		}
		// RFC 6749 section 2.3.1: both are form-encoded first, so that a colon in either is not taken for the separator.
		pair := url.QueryEscape(a.ClientID) + ":" + url.QueryEscape(a.ClientSecret)
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case clientauth.Post:
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
