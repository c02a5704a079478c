package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"healthlake-smart-on-fhir/local/idp"
)

// What the provider knows of the user and the app that get tokens.
const (
	Scope        = "patient/Observation.rs?category=laboratory&status=final offline_access"
	BackendScope = "system/*.rs"
	User         = "user-4711"
	FHIRUser     = "Practitioner/dr-4712"
	Patient      = "patient-4713"
)

// Kind is a kind of token, and what HealthLake must get for it.
type Kind struct {
	Name                     string
	Authorized               bool
	Reason                   string // in the log
	Scope, FHIRUser, Patient string
}

// Kinds lists them all.
var Kinds = []Kind{
	{"valid", true, "active", Scope, FHIRUser, Patient}, // an app's, with a user
	{"backend", true, "active", BackendScope, "", ""},   // a backend service's, without one
	{"revoked", false, "inactive", "", "", ""},
	{"expired", false, "inactive", "", "", ""},
	{"refresh", false, "not_an_access_token", "", "", ""}, // must not reach a resource server
	{"made-up", false, "inactive", "", "", ""},            // looks right, was never issued
}

// Token gets a token of the kind with this name from the provider, each time another one.
func (s *Sandbox) Token(ctx context.Context, kind string) (string, error) {
	grant := idp.Grant{Scope: Scope, Audience: []string{DatastoreEndpoint}, Subject: User,
		Ext: map[string]any{"fhirUser": FHIRUser, "patient": Patient}}
	switch kind {
	case "valid", "refresh", "revoked":
	case "backend", "expired":
		grant = idp.Grant{Scope: BackendScope, Audience: grant.Audience, Expired: kind == "expired"}
	case "made-up":
		return "ory_at_" + rand.Text() + "." + rand.Text(), nil
	default:
		var known []string
		for _, k := range Kinds {
			known = append(known, "<"+k.Name+">")
		}
		return "", fmt.Errorf("bearerToken is %q; want a token or one of %s", "<"+kind+">", strings.Join(known, ", "))
	}
	tokens, err := s.IDP.Issue(ctx, grant)
	switch {
	case err != nil:
		return "", err
	case kind == "refresh":
		return tokens.Refresh, nil
	case kind == "revoked":
		err = s.IDP.Revoke(ctx, tokens.Access)
	}
	return tokens.Access, err
}

// placeholder is <kind>, or <kind: a remark>.
var placeholder = regexp.MustCompile(`^<([^:<>]*)(:[^<>]*)?>$`)

// Fill replaces the event's placeholder by a token: the bearerToken "<valid>" or "<valid: any remark>", and so for every
// kind. It returns the event unchanged if there is no placeholder.
func (s *Sandbox) Fill(ctx context.Context, event []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	var held string
	if json.Unmarshal(event, &fields) != nil || json.Unmarshal(fields["bearerToken"], &held) != nil {
		return event, nil // it is there to show what the function says to that
	}
	found := placeholder.FindStringSubmatch(held)
	if found == nil {
		return event, nil
	}
	token, err := s.Token(ctx, found[1])
	if err != nil {
		return nil, err
	}
	if fields["bearerToken"], err = json.Marshal(token); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
