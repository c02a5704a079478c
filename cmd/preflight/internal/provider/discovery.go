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
	URL   string // where it is
	reach Reach  // of the server that it came from
	set   claims.Set
}

// element is an element of the document, and the context key that must hold the same.
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

// lists are the elements that hold lists, and the context keys for what the datastore's own document has of them.
var lists = []struct {
	name, key string
	value     func(config.Config) []string
}{
	{"token_endpoint_auth_methods_supported", config.KeyTokenEndpointAuthMethods,
		func(c config.Config) []string { return c.TokenEndpointAuthMethods }},
	{"token_endpoint_auth_signing_alg_values_supported", config.KeyTokenEndpointAuthSigningAlgs,
		func(c config.Config) []string { return c.TokenEndpointAuthSigningAlgs }},
}

// ListKeys are the context keys that List knows.
func ListKeys() (keys []string) {
	for _, e := range lists {
		keys = append(keys, e.key)
	}
	return keys
}

// List returns what the document says the context key may hold, nil if it says nothing.
func (d Document) List(key string) []string {
	for _, e := range lists {
		if e.key == key {
			l, _ := d.set.List(e.name)
			return l
		}
	}
	return nil
}

// Keys are the context keys that a document may have a value for.
func Keys() (keys []string) {
	for _, e := range elements {
		keys = append(keys, e.key)
	}
	return keys
}

// Value returns what the document says the context key must hold, "" if it says nothing.
func (d Document) Value(key string) string {
	for _, e := range elements {
		if e.key == key {
			s, _ := d.set.Text(e.name)
			return s
		}
	}
	return ""
}

// Discover fetches the document of an issuer: that of OpenID Connect, else that of OAuth 2.0.
func (p *Provider) Discover(ctx context.Context, issuer string) (Document, error) {
	urls, err := documentURLs(issuer)
	if err != nil {
		return Document{}, err
	}
	var problems []string
	for _, u := range urls {
		r, err := p.send(ctx, http.MethodGet, u)
		if err != nil {
			return Document{}, fmt.Errorf("%s: %w", host(u), err) // the other one is on the same host
		}
		set, err := readObject(r)
		if err == nil {
			return Document{URL: u, reach: r.reach, set: set}, nil
		}
		problems = append(problems, u+": "+err.Error())
	}
	return Document{}, errors.New(strings.Join(problems, "; "))
}

// documentURLs are where an issuer's document may be: behind the issuer (OpenID Connect Discovery 1.0 section 4), or
// between its host and its path (RFC 8414 section 3).
func documentURLs(issuer string) ([]string, error) {
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

// readObject reads a response that must be one JSON object.
func readObject(r reply) (claims.Set, error) {
	switch {
	case r.location != "":
		return nil, fmt.Errorf("HTTP %d, a redirect to %s", r.status, r.location)
	case r.status != http.StatusOK:
		return nil, fmt.Errorf("HTTP %d", r.status)
	}
	return claims.Parse(r.body)
}

// compare compares the context with the document, key by key.
func (p *Provider) compare(d Document, l *checklist.List) {
	for _, e := range elements {
		ours, theirs := e.value(p.cfg), d.Value(e.key)
		check := "discovery " + e.key
		switch {
		case ours == theirs && ours != "":
			l.OK(check, "the same as "+e.name)
		case ours == "" || e.key == "authEndpointIntrospect" && theirs == "":
			// Not advertised by us; or, as with ORY, an endpoint that is not public.
		case theirs == "" && e.key == "authEndpointRevoke":
			l.Warn(check, "the provider has no "+e.name, `set authEndpointRevoke to "" unless you know that it has one`)
		case theirs == "":
			l.Fail(check, "the provider has no "+e.name, "correct authIssuer, or "+e.key)
		case e.key == "authEndpointIntrospect":
			// The provider may have a second one for its own network. Whether ours works is checked below.
			l.Warn(check, differs(ours, theirs), "set authEndpointIntrospect to "+theirs+" unless the difference is intended")
		default:
			l.Fail(check, differs(ours, theirs), "set "+e.key+" to "+theirs+", or run make preflight write")
		}
	}
	p.compareLists(d, l)
}

func differs(ours, theirs string) string {
	if strings.TrimSuffix(ours, "/") == strings.TrimSuffix(theirs, "/") {
		return fmt.Sprintf("%s, the provider says %s; the slash at the end counts", ours, theirs)
	}
	return fmt.Sprintf("%s, the provider says %s", ours, theirs)
}

// compareLists compares what the SMART metadata says about the provider.
func (p *Provider) compareLists(d Document, l *checklist.List) {
	// Cognito, Entra ID and others do not list what they support. Then RFC 8414 has a default, which is not true for them.
	grants, err := d.set.List("grant_types_supported")
	missing := without(p.cfg.GrantTypes, grants)
	switch {
	case err != nil || grants == nil:
		l.Skip("discovery grantTypes", "the provider's document does not list them")
	case len(missing) > 0:
		l.Warn("discovery grantTypes", "the provider does not support "+strings.Join(missing, ", "),
			"allow it at the provider, or remove it from grantTypes")
	default:
		l.OK("discovery grantTypes", "supported")
	}
	methods, err := d.set.List("code_challenge_methods_supported")
	switch {
	case !slices.Contains(p.cfg.GrantTypes, config.GrantAuthorizationCode):
	case err != nil || methods == nil:
		l.Skip("discovery PKCE", "the provider's document does not say; SMART requires it, with S256")
	case !slices.Contains(methods, "S256"):
		l.Warn("discovery PKCE", "the provider does not support S256, which SMART requires", "turn on PKCE with S256 at the provider")
	default:
		l.OK("discovery PKCE", "S256")
	}
	for _, e := range lists {
		ours, theirs, check := e.value(p.cfg), d.List(e.key), "discovery "+e.key
		if len(ours) == 0 || len(theirs) == 0 {
			continue // not advertised by us, or by them
		}
		if missing := without(ours, theirs); len(missing) > 0 {
			l.Warn(check, "the provider does not support "+strings.Join(missing, ", "), "remove it from "+e.key+", or run make preflight write")
		} else {
			l.OK(check, "supported")
		}
	}
}

// without returns the values of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
