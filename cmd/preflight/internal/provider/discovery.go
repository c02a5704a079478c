package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/config"
)

// Document is the provider's own metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).
type Document struct {
	URL string // where it is
	set claims.Set
}

// element ties an element of the document to the context key that holds the same.
type element struct {
	name, key string
	value     func(config.Config) string
}

var elements = []element{
	{"issuer", "authIssuer", func(c config.Config) string { return c.AuthIssuer }},
	{"authorization_endpoint", "authEndpointAuthorize", func(c config.Config) string { return c.AuthEndpointAuthorize }},
	{"token_endpoint", "authEndpointToken", func(c config.Config) string { return c.AuthEndpointToken }},
	{"introspection_endpoint", "authEndpointIntrospect", func(c config.Config) string { return c.AuthEndpointIntrospect }},
	{"jwks_uri", "authEndpointJwks", func(c config.Config) string { return c.AuthEndpointJwks }},
	{"revocation_endpoint", "authEndpointRevoke", func(c config.Config) string { return c.AuthEndpointRevoke }},
	{"registration_endpoint", "authEndpointRegister", func(c config.Config) string { return c.AuthEndpointRegister }},
}

// Value is what the document says that the context key should hold, "" where it says nothing.
func (d Document) Value(key string) string {
	for _, e := range elements {
		if e.key == key {
			s, _ := d.set.Text(e.name)
			return s
		}
	}
	return ""
}

// Discover fetches the document of an issuer: OpenID Connect's, else OAuth's.
func (p *Provider) Discover(ctx context.Context, issuer string) (Document, error) {
	places, err := places(issuer)
	if err != nil {
		return Document{}, err
	}
	var faults []error
	for _, place := range places {
		r, err := p.send(ctx, http.MethodGet, place)
		if err != nil {
			return Document{}, fmt.Errorf("%s: %w", host(place), err) // the other place is on the same host
		}
		set, err := readObject(r)
		if err == nil {
			return Document{URL: place, set: set}, nil
		}
		faults = append(faults, fmt.Errorf("%s: %w", place, err))
	}
	return Document{}, oneLine(faults)
}

// places are where an issuer's document may be: at the end of the issuer (OpenID Connect Discovery 1.0 section 4), and
// between its host and its path (RFC 8414 section 3).
func places(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return nil, errors.New("the issuer is not a URL")
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	root := u.Scheme + "://" + u.Host
	return []string{
		root + path + "/.well-known/openid-configuration",
		root + "/.well-known/oauth-authorization-server" + path,
	}, nil
}

// readObject reads an answer that must be one JSON object.
func readObject(r reply) (claims.Set, error) {
	switch {
	case r.location != "":
		return nil, fmt.Errorf("HTTP %d, a redirect to %s", r.status, r.location)
	case r.status != http.StatusOK:
		return nil, fmt.Errorf("HTTP %d", r.status)
	}
	return claims.Parse(r.body)
}

func oneLine(faults []error) error {
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

// agree holds the document against the context, key by key.
func (p *Provider) agree(d Document, l *checklist.List) {
	for _, e := range elements {
		ours, theirs := e.value(p.cfg), d.Value(e.key)
		check := "discovery " + e.key
		switch {
		case ours == theirs && ours != "":
			l.OK(check, "as "+e.name)
		case ours == "" || e.key == "authEndpointIntrospect" && theirs == "":
			// Not advertised; or, as with ORY, an endpoint that is not for everybody.
		case theirs == "" && e.key == "authEndpointRevoke":
			l.Warn(check, "the provider names no "+e.name, `set authEndpointRevoke to "" unless you know that it has one`)
		case theirs == "":
			l.Fail(check, "the provider names no "+e.name, "correct authIssuer, or "+e.key)
		case e.key == "authEndpointIntrospect":
			// It may have a second one for its own network; what it answers is checked below.
			l.Warn(check, differs(ours, theirs), "set it to "+theirs+" unless yours is meant")
		default:
			l.Fail(check, differs(ours, theirs), "set "+e.key+" to "+theirs+", or run with --write")
		}
	}
	p.agreeLists(d, l)
}

func differs(ours, theirs string) string {
	if strings.TrimSuffix(ours, "/") == strings.TrimSuffix(theirs, "/") {
		return fmt.Sprintf("%s, the provider says %s; the slash counts", ours, theirs)
	}
	return fmt.Sprintf("%s, the provider says %s", ours, theirs)
}

// agreeLists is about what the SMART metadata promises on the provider's behalf.
func (p *Provider) agreeLists(d Document, l *checklist.List) {
	// Left out, these two have defaults: RFC 8414 section 2.
	grants := []string{config.GrantAuthorizationCode, "implicit"}
	if listed, err := d.set.List("grant_types_supported"); err == nil && listed != nil {
		grants = listed
	}
	missing := slices.DeleteFunc(slices.Clone(p.cfg.GrantTypes), func(g string) bool { return slices.Contains(grants, g) })
	if len(missing) > 0 {
		l.Warn("discovery grantTypes", "the provider does not name "+strings.Join(missing, ", "),
			"allow it at the provider, or take it out of grantTypes")
	} else {
		l.OK("discovery grantTypes", "as grant_types_supported")
	}
	methods, _ := d.set.List("code_challenge_methods_supported")
	switch {
	case !slices.Contains(p.cfg.GrantTypes, config.GrantAuthorizationCode):
	case !slices.Contains(methods, "S256"):
		l.Warn("discovery PKCE", "the provider does not name S256, which SMART requires", "turn PKCE with S256 on there")
	default:
		l.OK("discovery PKCE", "S256")
	}
}
