package checktoken

import (
	"context"
	"errors"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/internal/tokencache"
)

// introspection asks the provider about each token (RFC 7662).
type introspection struct {
	client *introspect.Client
	method clientauth.Method
	cache  *tokencache.Cache
}

// warmUpToken is nobody's token. Asking about it opens the connection that the first call will use.
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

func (s *introspection) warmUp(ctx context.Context, document contract.Document) error {
	_, err := s.ask(ctx, warmUpToken, document)
	return providerError(err)
}

func (s *introspection) ask(ctx context.Context, token string, document contract.Document) (introspect.Answer, error) {
	return s.client.Introspect(ctx, document.AuthEndpointIntrospect, introspect.Auth{
		Method:       s.method,
		ClientID:     document.ClientID,
		ClientSecret: document.ClientSecret,
		APIKey:       document.APIKey,
	}, token)
}

// providerReasons has the reason for each kind of error.
var providerReasons = map[introspect.Kind]reason.Reason{
	introspect.KindTimeout:      reason.ProviderTimeout,
	introspect.KindUnreachable:  reason.ProviderUnreachable,
	introspect.KindUnauthorized: reason.ProviderUnauthorized,
	introspect.KindStatus:       reason.ProviderStatus,
	introspect.KindRedirect:     reason.ProviderRedirect,
	introspect.KindTooLarge:     reason.ProviderTooLarge,
	introspect.KindMalformed:    reason.ProviderMalformed,
	introspect.KindSettings:     reason.ProviderSettings,
}

func providerError(err error) error {
	if err == nil {
		return nil
	}
	why := reason.ProviderTimeout // the context ended while waiting for another call's introspection
	if failure := new(introspect.Error); errors.As(err, &failure) {
		why = providerReasons[failure.Kind]
	}
	return &Error{Reason: why, cause: err}
}
