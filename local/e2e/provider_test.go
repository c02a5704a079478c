package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// audience is whom the access tokens are for, and elsewhere whom others are for.
	audience  = "https://fhir.e2e.example/"
	elsewhere = "https://elsewhere.example/"

	// redirectURI receives the authorization code. Nothing listens there: the code is read from the redirect.
	redirectURI = "http://127.0.0.1:1/callback"

	user = "e2e-user"
	// The scopes. The app's has what SMART v2 needs a careful hand for.
	writeScope = "system/*.rs system/Observation.cruds"
	readScope  = "system/*.rs"
	appScope   = "openid offline_access fhirUser launch/patient patient/Patient.read " +
		"patient/Observation.rs?category=laboratory&status=final"
)

// personal are the claims about the user before the apps.
var personal = map[string]any{"fhirUser": "Practitioner/e2e-practitioner", "patient": "e2e-patient"}

// provider is an identity provider as its clients see it.
type provider struct {
	*server
	name       string
	issuer     string // without a slash at the end
	endpoint   oauth2.Endpoint
	revoke     string
	admin      string // Hydra's admin API, with a slash at the end
	introspect string
	// resource is the parameter by which clients name whom a token is for.
	resource string
	// backendScope is what backend services ask for and get.
	backendScope string
	http         *http.Client
	secret       string // of all clients

	// rotateKey has the provider sign by a new key and publish the one before too, until withdrawKey.
	rotateKey   func(context.Context) error
	withdrawKey func(ctx context.Context, id string) error
	// resume starts Hydra again after it was stopped, with nothing left in its memory but the clients.
	resume func(context.Context) error
}

// client is an OAuth2 client of both providers. They have one of each kind for each format of access tokens.
type client struct {
	format string // of its access tokens: "opaque" or "jwt"
	kind   string // "backend", "short-lived" (a backend whose tokens expire after two seconds) or "app" (with a user)
}

func (c client) id() string { return c.format + "-" + c.kind }

// metadata is the client's in the terms of RFC 7591, which both providers understand.
func (c client) metadata(secret, backendScope string) map[string]any {
	m := map[string]any{
		"client_id": c.id(), "client_secret": secret, "scope": backendScope, "token_endpoint_auth_method": "client_secret_basic",
		"grant_types": []string{"client_credentials"}, "response_types": []string{}, "redirect_uris": []string{},
	}
	if c.kind == "app" {
		m["scope"], m["grant_types"] = appScope, []string{"authorization_code", "refresh_token"}
		m["response_types"], m["redirect_uris"], m["application_type"] = []string{"code"}, []string{redirectURI}, "native"
	}
	return m
}

func clients() (all []client) {
	for _, format := range []string{"opaque", "jwt"} {
		for _, kind := range []string{"backend", "short-lived", "app"} {
			all = append(all, client{format, kind})
		}
	}
	return all
}

// issuer is a provider's clients for one format of access tokens.
type issuer struct {
	*provider
	format string
}

func (i issuer) id(kind string) string { return client{i.format, kind}.id() }

// backend gets an access token for a backend service by the client credentials grant. target is whom it is for; where that is
// empty, nobody is named.
func (i issuer) backend(ctx context.Context, target string) (string, error) {
	return i.clientCredentials(ctx, "backend", i.backendScope, target)
}

func (i issuer) clientCredentials(ctx context.Context, kind, scope, target string) (string, error) {
	config := clientcredentials.Config{ClientID: i.id(kind), ClientSecret: i.secret, TokenURL: i.endpoint.TokenURL,
		AuthStyle: oauth2.AuthStyleInHeader, Scopes: []string{scope}}
	if target != "" {
		config.EndpointParams = url.Values{i.resource: {target}}
	}
	token, err := config.Token(i.with(ctx))
	if err != nil {
		return "", fmt.Errorf("%s: client credentials: %w", i.name, err)
	}
	return token.AccessToken, nil
}

// user gets the tokens of an app by the authorization code grant with PKCE. The provider's pages ask for nothing.
func (i issuer) user(ctx context.Context) (*oauth2.Token, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Transport: i.http.Transport, Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirectURI) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	config, verifier, state := i.app(), oauth2.GenerateVerifier(), rand.Text()
	response, err := browser.Get(config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam(i.resource, audience), oauth2.SetAuthURLParam("prompt", "consent")))
	if err != nil {
		return nil, fmt.Errorf("%s: authorization: %w", i.name, err)
	}
	defer response.Body.Close()
	callback, err := response.Location()
	if err != nil || callback.Query().Get("code") == "" || callback.Query().Get("state") != state {
		page, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("%s: no code but %s %v %s", i.name, response.Status, callback, page)
	}
	token, err := config.Exchange(i.with(ctx), callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("%s: code: %w", i.name, err)
	}
	return token, nil
}

func (i issuer) refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return i.app().TokenSource(i.with(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
}

// revokeAccess revokes a user's access token (RFC 7009). oidc-provider takes no JWT: there it is the refresh token, with which
// goes all that was granted.
func (i issuer) revokeAccess(ctx context.Context, tokens *oauth2.Token) error {
	token := tokens.AccessToken
	if i.resource == "resource" && isJWT(token) {
		token = tokens.RefreshToken
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.revoke, strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(i.id("app"), i.secret)
	return i.do(request, nil)
}

func (i issuer) app() *oauth2.Config {
	return &oauth2.Config{ClientID: i.id("app"), ClientSecret: i.secret, Endpoint: i.endpoint, RedirectURL: redirectURI,
		Scopes: []string{appScope}}
}

// with has the oauth2 package use the provider's HTTP client.
func (p *provider) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, p.http)
}

// call sends JSON to one of the provider's own endpoints.
func (p *provider) call(ctx context.Context, method, address string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return p.do(request, out)
}

func (p *provider) do(request *http.Request, out any) error {
	response, err := p.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, answer)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// oneAtATime is a transport for a provider that refuses a request that comes while it works on another one.
type oneAtATime struct{ sync.Mutex }

func (o *oneAtATime) RoundTrip(request *http.Request) (*http.Response, error) {
	o.Lock()
	defer o.Unlock()
	return http.DefaultTransport.RoundTrip(request)
}

func isJWT(token string) bool { return strings.Count(token, ".") == 2 }

var errNone = errors.New("there is none")
