package checktoken

import (
	"context"
	"errors"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/jwt"
	"healthlake-smart-on-fhir/internal/reason"
)

// verification verifies tokens by the provider's keys (RFC 7519), for providers that cannot be asked.
type verification struct {
	verifier *jwt.Verifier
}

func (s *verification) find(ctx context.Context, token string, _ contract.Document) (found, error) {
	set, err := s.verifier.Claims(ctx, token)
	if refusal := new(jwt.Refusal); errors.As(err, &refusal) {
		return found{}, err
	}
	return found{claims: set}, keysError(err)
}

func (s *verification) connect(ctx context.Context) error {
	return keysError(s.verifier.Load(ctx))
}

func (s *verification) tryCredentials(context.Context, contract.Document) error { return nil }

func (s *verification) parseDocument(value []byte) (contract.Document, error) {
	return contract.ParseDocument(value, false)
}

func keysError(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Reason: reason.Keys, cause: err}
}
