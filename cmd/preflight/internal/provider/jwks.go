package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
)

// jwks reads the provider's keys (RFC 7517 section 5), if they are advertised.
func (p *Provider) jwks(ctx context.Context, d Document, l *checklist.List) {
	if p.cfg.AuthEndpointJwks == "" {
		l.Skip(checkJWKS, "none is advertised")
		return
	}
	fix := d.fixFor("authEndpointJwks", p.cfg.AuthEndpointJwks)
	r, err := p.send(ctx, http.MethodGet, p.cfg.AuthEndpointJwks)
	if err != nil {
		l.Fail(checkJWKS, fmt.Sprintf("%s: %v", host(p.cfg.AuthEndpointJwks), err), connectionFix("authEndpointJwks", err))
		return
	}
	set, err := readObject(r)
	if err != nil {
		l.Fail(checkJWKS, err.Error(), fix)
		return
	}
	var keys []struct {
		Kty string           `json:"kty"`
		D   *json.RawMessage `json:"d"`
		K   *json.RawMessage `json:"k"`
	}
	if json.Unmarshal(set["keys"], &keys) != nil || len(keys) == 0 {
		l.Fail(checkJWKS, "it has no array of keys", fix)
		return
	}
	for _, k := range keys {
		switch {
		case k.Kty == "":
			l.Fail(checkJWKS, "a key has no kty", "correct the keys that the provider publishes")
			return
		case k.D != nil || k.K != nil:
			l.Fail(checkJWKS, "a private or symmetric key is published", "remove and replace that key at once")
			return
		}
	}
	l.OK(checkJWKS, plural(len(keys), "key"))
}
