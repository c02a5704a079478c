// Package secret reads the deployment's secret and keeps the last good document.
package secret

import (
	"context"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/lastgood"
)

// MaxAge is the age of a document at which a call first tries to read a newer one: a change takes effect within this time
// where Secrets Manager responds.
const MaxAge = 60 * time.Second

// Limits say when the secret is read. A call waits for at most 200 ms of its second, which leaves most of it for the identity
// provider.
var Limits = lastgood.Limits{
	RefreshAfter: 30 * time.Second,
	MaxAge:       MaxAge,
	MaxWait:      200 * time.Millisecond,
	RetryAfter:   5 * time.Second,
	FetchTimeout: 2 * time.Second,
}

// Reader keeps the last good document.
type Reader struct {
	documents *lastgood.Value[contract.Document]
}

// NewReader returns a reader that fetches nothing yet. fetch gets the secret's value, parse reads it, and the reader's clock is
// now.
func NewReader(
	fetch func(context.Context) ([]byte, error), parse func([]byte) (contract.Document, error), now func() time.Time,
) *Reader {
	return &Reader{lastgood.New(func(ctx context.Context) (contract.Document, error) {
		value, err := fetch(ctx)
		if err != nil {
			return contract.Document{}, err
		}
		return parse(value)
	}, Limits, now)}
}

// Document returns the document, at most a minute old where Secrets Manager answers. Where a refresh fails, is late (200
// ms) or brings a document that parse refuses, the last good one serves on. An error means that there has never been a
// good one, or that ctx ended first.
func (r *Reader) Document(ctx context.Context) (contract.Document, error) {
	return r.documents.Get(ctx)
}

// Renew is for a caller whose provider has refused the credentials in a document, perhaps because they were rotated. It
// returns another document than the refused one, and reads the secret for it at most once in five seconds; ok is false
// where there is no other within 200 ms.
func (r *Reader) Renew(ctx context.Context, refused contract.Document) (document contract.Document, ok bool) {
	document, err := r.documents.Renew(ctx, func(d contract.Document) bool { return d != refused })
	return document, err == nil
}
