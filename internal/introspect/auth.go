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
	// Assertion makes a client assertion, for PrivateKeyJWT. It is called for each HTTP request, since a provider may refuse
	// an assertion that it has seen.
	Assertion func() (string, error)
}

// apply adds the credentials to a request's form or header. It may be called again, for the same request's next sending.
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
	case clientauth.PrivateKeyJWT:
		if a.Assertion == nil {
			return errors.New("client authentication private_key_jwt needs a private key")
		}
		assertion, err := a.Assertion()
		if err != nil {
			return err
		}
		// RFC 7521 section 4.2 leaves the client id out as a rule and allows it; some servers require it.
		form.Set("client_id", a.ClientID)
		form.Set("client_assertion_type", clientauth.AssertionType)
		form.Set("client_assertion", assertion)
	default:
		return errors.New("client authentication method is unknown")
	}
	return nil
}
