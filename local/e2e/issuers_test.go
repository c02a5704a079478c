package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// keyedServer is the client of oidc-provider that authenticates by a private key.
const keyedServer = "keyed resource server"

// keyed is its metadata, with a key pair that make client-key makes. The private key is in a file of the project's copy.
func (l *lab) keyed(ctx context.Context) (map[string]any, error) {
	output, err := l.shell(ctx, "make client-key")
	set := regexp.MustCompile(`(?m)^{"keys":.*}$`).FindString(output)
	if err := errors.Join(err, contains("make client-key", output, `make deploy`)); err != nil {
		return nil, err
	}
	return map[string]any{"client_id": keyedServer, "token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(set),
		"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{}}, nil
}

// other is the entry of moreIssuers for a provider.
func other(issuer, jwks string) []map[string]any {
	return []map[string]any{{"issuer": issuer, "jwks": jwks, "requiredAudience": []string{audience}}}
}

// by fails unless this becomes of a token, by these rules.
func (c *caller) by(ctx context.Context, token string, w want, rules string) error {
	if err := c.becomes(ctx, token, w); err != nil {
		return err
	}
	calls, err := c.log()
	if err != nil {
		return err
	}
	return equal("issuer in the log", calls[len(calls)-1]["issuer"], any(rules))
}

// issuers has one function take the tokens of two providers. One of the deployments asks the main provider with a private key.
func issuers(l *lab, t *testing.T) {
	hydra, oidc := l.hydra.issuer+"/", l.oidc.issuer
	two := beside(l.hydraOpaque, l.hydra, "two-", map[string]any{"bulkExport": "off", "moreIssuers": other(oidc, oidc+"/jwks")})
	two.credentials = l.hydraOpaque.credentials
	l.besideEachOther(t, two, issuer{l.hydra, "opaque"}, issuer{l.oidc, "jwt"}, oidc)
	l.destroy(t, two)

	file := filepath.Join(l.tree, "client-private-key.json")
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keyed := beside(l.oidcOpaque, l.oidc, "keyed-", map[string]any{"kmsKey": "aws-owned", "clientId": keyedServer, "clientSecret": "",
		"introspectionAuth": "private_key_jwt", "moreIssuers": other(hydra, l.hydra.issuer+"/.well-known/jwks.json")})
	keyed.credentials = map[string]string{"CLIENT_PRIVATE_KEY": string(key)}
	l.besideEachOther(t, keyed, issuer{l.oidc, "opaque"}, issuer{l.hydra, "jwt"}, hydra)
	l.step(t, "the private key is in the secret, and in no template", func(ctx context.Context) error {
		var private struct{ D string }
		if err := json.Unmarshal(key, &private); err != nil {
			return err
		}
		_, err := l.shell(ctx, "! grep -r \"$PART\" cdk.out", "PART="+private.D)
		return errors.Join(err, contains("client_private_key", keyed.d.secret["client_private_key"], private.D), os.Remove(file))
	})
	l.destroy(t, keyed)
}

// besideEachOther deploys a target with two providers and takes one of them away at a time.
func (l *lab) besideEachOther(t *testing.T, target *target, main, more issuer, name string) {
	l.deployed(t, target)
	call := target.call
	get := func(i issuer, whom string) string {
		token, err := i.backend(t.Context(), whom)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ours, theirs := get(main, audience), get(more, audience)
	mainGood, moreGood := want{"authorized", "active", main.backendScope, nil}, want{"authorized", "active", more.backendScope, nil}
	both := func(ctx context.Context, ofMain want) error {
		return errors.Join(call.by(ctx, ours, ofMain, "main"), call.by(ctx, theirs, moreGood, name))
	}
	l.step(t, "a token of "+main.name+", which is asked, and a JWT of "+more.name+": both authorized, each by its own rules",
		func(ctx context.Context) error { return both(ctx, mainGood) })
	l.step(t, "a JWT of "+more.name+" for another audience, and one with that one's signature: denied by its rules", func(ctx context.Context) error {
		foreign := get(more, elsewhere)
		forged := theirs[:strings.LastIndex(theirs, ".")] + foreign[strings.LastIndex(foreign, "."):]
		return errors.Join(call.by(ctx, foreign, want{outcome: "denied", reason: "audience_not_accepted"}, name),
			call.by(ctx, forged, want{outcome: "denied", reason: "bad_signature"}, name))
	})
	for _, away := range []issuer{main, more} {
		l.step(t, away.name+" does not answer: the other one's tokens are authorized at once", func(ctx context.Context) error {
			if err := away.freeze(ctx); err != nil {
				return err
			}
			ofMain := mainGood
			if away == main {
				ofMain = want{outcome: "error", reason: "idp_timeout"}
			}
			return errors.Join(both(ctx, ofMain), away.thaw())
		})
	}
	l.step(t, "both answer again: authorized", func(ctx context.Context) error { return both(ctx, mainGood) })
}
