package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
)

// jwks reads the provider's keys, if they are advertised.
func (p *Provider) jwks(ctx context.Context, d Document, l *checklist.List) {
	if p.cfg.AuthEndpointJwks == "" {
		l.Skip(checkJWKS, "none is advertised")
		return
	}
	p.keys(ctx, checkJWKS, keySource{"authEndpointJwks", p.cfg.AuthEndpointJwks, d.fixFor("authEndpointJwks", p.cfg.AuthEndpointJwks)}, l)
}

// keySource is where a key set is, the key of the context that says so, and what to do if it is not there.
type keySource struct{ key, url, fix string }

// keys reads a key set (RFC 7517 section 5).
func (p *Provider) keys(ctx context.Context, check string, source keySource, l *checklist.List) {
	r, err := p.send(ctx, http.MethodGet, source.url)
	if err != nil {
		l.Fail(check, fmt.Sprintf("%s: %v", host(source.url), err), connectionFix(source.key, err))
		return
	}
	set, err := readObject(r)
	if err != nil {
		l.Fail(check, err.Error(), source.fix)
		return
	}
	var keys []struct {
		Kty string           `json:"kty"`
		D   *json.RawMessage `json:"d"`
		K   *json.RawMessage `json:"k"`
	}
	if json.Unmarshal(set["keys"], &keys) != nil || len(keys) == 0 {
		l.Fail(check, "it has no array of keys", source.fix)
		return
	}
	for _, k := range keys {
		switch {
		case k.Kty == "":
			l.Fail(check, "a key has no kty", "correct the keys that the provider publishes")
			return
		case k.D != nil || k.K != nil:
			l.Fail(check, "a private or symmetric key is published", "remove and replace that key at once")
			return
		}
	}
	l.OK(check, plural(len(keys), "key"))
}
