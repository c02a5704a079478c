package checktoken

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// introspection asks the provider about each token (RFC 7662).
type introspection struct {
	transport *httpclient.Transport
	client    *introspect.Client
	method    clientauth.Method
	audience  string // of client assertions
	origin    string // the only server that tokens and credentials are sent to
	cache     *tokencache.Cache
	now       func() time.Time
	prepared  atomic.Pointer[prepared]
	key       atomic.Pointer[parsedKey]
}

// parsedKey is the document's private key. Parsing one takes longer than signing with it.
type parsedKey struct {
	text string
	*clientauth.Key
}

// prepared is how to ask by what a document says. It is kept while the document stays the same.
type prepared struct {
	document contract.Document
	endpoint *url.URL
	auth     introspect.Auth
}

// warmUpToken is nobody's token.
const warmUpToken = "warm-up"

func (s *introspection) find(ctx context.Context, token string, document contract.Document) (found, error) {
	var result found
	var err error
	// What the provider says depends on these two beside the token.
	realm := document.AuthEndpointIntrospect + " " + document.ClientID
	result.claims, result.cacheHit, err = s.cache.Claims(ctx, realm, token, func(ctx context.Context) (claims.Set, error) {
		asked, err := s.ask(ctx, token, document)
		result.requests = asked.Requests
		return asked.Claims, err
	})
	return result, providerError(err)
}

func (s *introspection) connect(ctx context.Context) error {
	origin, err := httpclient.ParseURL(s.origin)
	if err != nil {
		return &Error{Reason: reason.ProviderSettings, cause: err}
	}
	if err := s.transport.Open(ctx, origin); err != nil {
		return &Error{Reason: reason.ProviderUnreachable, cause: fmt.Errorf("connecting to the provider: %w", err)}
	}
	return nil
}

func (s *introspection) tryCredentials(ctx context.Context, document contract.Document) error {
	_, err := s.ask(ctx, warmUpToken, document)
	return providerError(err)
}

func (s *introspection) ask(ctx context.Context, token string, document contract.Document) (introspect.Response, error) {
	how, err := s.prepare(document)
	if err != nil {
		return introspect.Response{}, err
	}
	return s.client.Introspect(ctx, how.endpoint, how.auth, token)
}

func (s *introspection) prepare(document contract.Document) (*prepared, error) {
	if known := s.prepared.Load(); known != nil && known.document == document {
		return known, nil
	}
	if contract.Origin(document.AuthEndpointIntrospect) != s.origin {
		return nil, errOtherOrigin
	}
	endpoint, err := httpclient.ParseURL(document.AuthEndpointIntrospect)
	if err != nil {
		return nil, fmt.Errorf("the endpoint is %w", err)
	}
	auth := introspect.Auth{
		Method:       s.method,
		ClientID:     document.ClientID,
		ClientSecret: document.ClientSecret,
		APIKey:       document.APIKey,
	}
	if s.method == clientauth.PrivateKeyJWT {
		key, err := s.parseKey(document.ClientPrivateKey)
		if err != nil {
			return nil, err
		}
		auth.Assertion = func() (string, error) { return key.Assertion(document.ClientID, s.audience, s.now()) }
	}
	how := &prepared{document, endpoint, auth}
	s.prepared.Store(how)
	return how, nil
}

func (s *introspection) parseDocument(value []byte) (contract.Document, error) {
	document, err := contract.ParseDocument(value, true)
	if err != nil || s.method != clientauth.PrivateKeyJWT {
		return document, err
	}
	if document.ClientPrivateKey == "" {
		return contract.Document{}, errors.New("secret: missing client_private_key, which make client-key makes")
	}
	if _, err := s.parseKey(document.ClientPrivateKey); err != nil {
		return contract.Document{}, fmt.Errorf("secret: client_private_key: %w", err)
	}
	return document, nil
}

// parseKey parses a key unless it is the one before.
func (s *introspection) parseKey(text string) (*clientauth.Key, error) {
	if known := s.key.Load(); known != nil && known.text == text {
		return known.Key, nil
	}
	key, err := clientauth.ParseKey(text)
	if err != nil {
		return nil, err
	}
	s.key.Store(&parsedKey{text, key})
	return key, nil
}

// errOtherOrigin: whoever may write the secret must not decide which server is believed.
var errOtherOrigin = errors.New("the secret's auth_endpoint_introspect has another scheme, host or port than at the last deploy; " +
	"to move to another provider, change authEndpointIntrospect in the context and deploy")

func providerError(err error) error {
	var failure *introspect.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failure):
		return &Error{Reason: failure.Reason, cause: err}
	default:
		return &Error{Reason: reason.ProviderSettings, cause: err}
	}
}
