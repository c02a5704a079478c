package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"

	"golang.org/x/oauth2"
)

// The credentials that oidc-provider's introspection endpoint wants. Both have characters that come across only if they are
// form-encoded before base64 (RFC 6749 section 2.3.1).
var (
	resourceServer       = "resource server:1"
	resourceServerSecret = "s+%:&=? " + rand.Text()
)

// startOIDCProvider starts a second identity provider, the npm package oidc-provider. Its introspection wants
// client_secret_basic.
func startOIDCProvider(l *lab) (*provider, error) {
	p := &provider{name: "oidc-provider", resource: "resource", backendScope: readScope, secret: rand.Text(), http: http.DefaultClient}
	registered := []map[string]any{{"client_id": resourceServer, "client_secret": resourceServerSecret,
		"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{}}}
	keyed, err := l.keyed(l.t.Context())
	if err != nil {
		return nil, err
	}
	registered = append(registered, keyed)
	for _, c := range clients() {
		registered = append(registered, c.metadata(p.secret, p.backendScope))
	}
	known, err1 := json.Marshal(registered)
	claims, err2 := json.Marshal(personal)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	p.server, err = l.serve("oidc-provider", []string{"OIDC_CLIENTS=" + string(known), "OIDC_CLAIMS=" + string(claims),
		"OIDC_SCOPES=" + appScope + " " + p.backendScope, "OIDC_USER=" + user},
		"node", filepath.Join(l.root, "local", "oidcprovider", "server.js"))
	if err != nil {
		return nil, err
	}
	if p.issuer, err = p.address(l.t.Context()); err != nil {
		return nil, err
	}
	p.endpoint = oauth2.Endpoint{AuthURL: p.issuer + "/auth", TokenURL: p.issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader}
	p.revoke, p.introspect = p.issuer+"/token/revocation", p.issuer+"/token/introspection"
	p.rotateKey = func(ctx context.Context) error {
		return p.call(ctx, http.MethodPost, p.issuer+"/test/keys", nil, nil)
	}
	p.withdrawKey = func(ctx context.Context, id string) error {
		return p.call(ctx, http.MethodDelete, p.issuer+"/test/keys/"+id, nil, nil)
	}
	return p, nil
}
