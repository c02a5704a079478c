package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"healthlake-smart-on-fhir/local/idp"
)

// Kind is a kind of token by what the function should make of it.
type Kind string

// The kinds of tokens that Token gets.
const (
	Valid   Kind = "valid"   // an app's, with a user
	Backend Kind = "backend" // a backend service's, without one; good too
	Revoked Kind = "revoked"
	Expired Kind = "expired"
	Refresh Kind = "refresh" // not meant for a resource server
	MadeUp  Kind = "made-up" // looks right, was never issued
)

// Kinds lists them all.
func Kinds() []Kind { return []Kind{Valid, Backend, Revoked, Expired, Refresh, MadeUp} }

// Token gets a token of the kind from the provider, each time another one. It waits until an expired one has expired,
// which takes a second.
func (s *Sandbox) Token(ctx context.Context, kind Kind) (string, error) {
	switch kind {
	case Valid:
		token, err := s.login(ctx)
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	case Refresh:
		token, err := s.login(ctx)
		if err != nil {
			return "", err
		}
		return token.RefreshToken, nil
	case Revoked:
		token, err := s.login(ctx)
		if err != nil {
			return "", err
		}
		return token.AccessToken, s.IDP.Revoke(ctx, token.AccessToken)
	case Backend:
		grant := idp.Grant{Scope: BackendScope, Audience: []string{DatastoreEndpoint}}
		token, err := s.IDP.ClientCredentials(ctx, grant)
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	case Expired:
		token, err := s.IDP.ClientCredentials(ctx, idp.Grant{Scope: BackendScope, ShortLived: true})
		if err != nil {
			return "", err
		}
		select {
		case <-time.After(idp.ShortLifespan + 10*time.Millisecond):
			return token.AccessToken, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	case MadeUp:
		return "ory_at_" + rand.Text() + "." + rand.Text(), nil
	}
	return "", fmt.Errorf("sandbox: unknown kind of token %q", kind)
}

func (s *Sandbox) login(ctx context.Context) (*oauth2.Token, error) {
	return s.IDP.AuthorizationCode(ctx, idp.Launch{
		Scope:    Scope,
		Audience: []string{DatastoreEndpoint},
		Subject:  User,
		Ext:      map[string]any{"fhirUser": FHIRUser, "patient": Patient},
	})
}

// placeholder is <kind>, or <kind: a remark>.
var placeholder = regexp.MustCompile(`^<([^:<>]*)(:[^<>]*)?>$`)

// Fill puts a token in the place of the event's placeholder: the bearerToken "<valid>" or "<valid: any remark>", and so
// for every kind. It returns the event as it is if that holds something else, or if there is none.
func (s *Sandbox) Fill(ctx context.Context, event []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	var held string
	if json.Unmarshal(event, &fields) != nil || json.Unmarshal(fields["bearerToken"], &held) != nil {
		return event, nil // what the function says to that is what the event is there to show
	}
	found := placeholder.FindStringSubmatch(held)
	if found == nil {
		return event, nil
	}
	if kind := Kind(found[1]); !slices.Contains(Kinds(), kind) {
		var known []string
		for _, kind := range Kinds() {
			known = append(known, "<"+string(kind)+">")
		}
		return nil, fmt.Errorf("bearerToken is %q; wants a token or one of %s", held, strings.Join(known, ", "))
	}
	token, err := s.Token(ctx, Kind(found[1]))
	if err != nil {
		return nil, err
	}
	if fields["bearerToken"], err = json.Marshal(token); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
