package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/cmd/preflight/internal/provider"
	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/config"
)

// endpointKeys, and provider.ListKeys, are what --write fills in. The registration endpoint is left out: to advertise it is a choice.
var endpointKeys = []string{config.KeyAuthEndpoint, config.KeyAuthIssuer, config.KeyAuthEndpointToken,
	config.KeyAuthEndpointIntrospect, config.KeyAuthEndpointAuthorize, config.KeyAuthEndpointJwks, config.KeyAuthEndpointRevoke}

const checkWrite = "write"

// written is what --write did.
type written struct {
	file    string
	changes []string // for people
	hosts   []string // that no key named before
}

// write fills in the endpoints in the context's file, or that of its environment, from the issuer's discovery document, and
// brings the project up to date with them. The rest of the context need not be valid yet.
func (p process) write(ctx context.Context, o options, project *cdkcontext.Context, l *checklist.List) (written, error) {
	document, ok := p.discover(ctx, o, project.Values, l)
	if !ok {
		return written{}, nil
	}
	// Without -c: what it gives is not in the file.
	before, err := cdkcontext.Read(o.dir, []string{config.KeyEnv + "=" + project.Environment})
	if err != nil {
		return written{}, err
	}
	file, settings := cdkcontext.FileOf(project.Environment), settingsFrom(document, before.Values)
	if err := cdkcontext.Write(filepath.Join(o.dir, file), settings); err != nil {
		l.Fail(checkWrite, "cannot write: "+err.Error(), "make "+file+" a writable file with one JSON object")
		return written{}, nil
	}
	w := written{file: file, changes: describe(settings, before.Values), hosts: newHosts(settings, project.Values, document)}
	if *project, err = cdkcontext.Read(o.dir, o.assignments); err != nil {
		return w, err
	}
	reason := fmt.Sprintf("%d keys changed from %s", len(settings), document.URL)
	if keys := overridden(project.Values, settings); len(keys) > 0 {
		l.Warn(checkWrite, reason+"; -c gave another value for "+strings.Join(keys, ", "), "leave out these -c from now on")
		return w, nil
	}
	if document.Value("authEndpointIntrospect") == "" && len(settings) > 0 {
		reason += "; it does not name the introspection endpoint"
	}
	l.OK(checkWrite, reason)
	return w, nil
}

// discover fetches the issuer's document. It is used as a whole or not at all; if it is not, there is a row that says why.
func (p process) discover(
	ctx context.Context, o options, values map[string]any, l *checklist.List,
) (document provider.Document, ok bool) {
	issuer, _ := values["authIssuer"].(string)
	if issuer == "" {
		issuer = base(values)
	}
	if issuer == "" || wrong("authEndpoint", issuer) != "" {
		l.Fail(checkWrite, "there is no issuer to begin with", "put the provider's issuer into authIssuer or authEndpoint")
		return document, false
	}
	bundle, _ := values["authCaBundle"].(string)
	roots, err := readRoots(o.dir, bundle)
	if err != nil {
		l.Fail(checkWrite, err.Error(), "correct authCaBundle")
		return document, false
	}
	idp := provider.New(config.Config{}, provider.Options{Roots: roots, Reach: p.reach})
	if document, err = idp.Discover(ctx, issuer); err != nil {
		l.Fail(checkWrite, err.Error(), "correct authIssuer (or authEndpoint)")
		return document, false
	}
	// OpenID Connect Discovery 1.0 section 4.3: a document of another issuer must not be used. A slash at the end is what
	// people often get wrong; the provider's spelling counts.
	theirs := document.Value("authIssuer")
	if strings.TrimSuffix(theirs, "/") != strings.TrimSuffix(issuer, "/") {
		l.Fail(checkWrite, fmt.Sprintf("%s is the document of the issuer %q, not of %s", document.URL, theirs, issuer),
			"put the issuer that the provider states into authIssuer, if that is the one you mean")
		return document, false
	}
	problem := unusable(document)
	if err := idp.CheckReach(ctx, document); problem == "" && err != nil {
		problem = err.Error()
	}
	if problem != "" {
		l.Fail(checkWrite, "the provider's document is not usable: "+problem,
			"correct it at the provider, or set the keys yourself")
		return document, false
	}
	return document, true
}

// unusable says which of the document's values the configuration refuses, "" if it takes them all.
func unusable(document provider.Document) string {
	for _, key := range provider.Keys() {
		if value := document.Value(key); value != "" {
			if problem := wrong(key, value); problem != "" {
				return problem
			}
		}
	}
	for _, key := range provider.ListKeys() {
		if problem := wrong(key, document.List(key)); problem != "" {
			return problem
		}
	}
	return ""
}

// describe says what changes in the file, for people.
func describe(settings []cdkcontext.Setting, file map[string]any) (changes []string) {
	for _, s := range settings {
		was := "nothing"
		if old, ok := file[s.Key]; ok {
			was = fmt.Sprintf("%q", fmt.Sprint(old))
		}
		changes = append(changes, fmt.Sprintf("%s: %q, was %s", s.Key, s.Value, was))
	}
	return changes
}

// newHosts are the hosts, with ports, of the settings that neither the context nor the issuer had before.
func newHosts(settings []cdkcontext.Setting, values map[string]any, document provider.Document) (hosts []string) {
	known := []string{hostOf(document.URL)}
	for _, v := range values {
		if s, ok := v.(string); ok {
			known = append(known, hostOf(s))
		}
	}
	for _, s := range settings {
		if host := hostOf(s.Value); host != "" && !slices.Contains(known, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// withhold returns the reason why no credential may be sent to an endpoint in this run, "" if one may.
func (w written) withhold(endpoint string, o options) string {
	host := hostOf(endpoint)
	if o.trustNewHosts || !slices.Contains(w.hosts, host) {
		return ""
	}
	return "nothing secret was sent to " + host + ", which only the provider's document names; if it is right, run " +
		"make preflight, or make preflight write trust-new-hosts"
}

// settingsFrom are the keys that have to change.
func settingsFrom(document provider.Document, values map[string]any) (settings []cdkcontext.Setting) {
	for _, key := range endpointKeys {
		want := document.Value(key)
		switch key {
		case config.KeyAuthEndpoint:
			// The base is the user's own word, unless it is another provider's or the sample's.
			if want = base(values); !sameHost(want, document.Value("authIssuer")) {
				want = document.Value("authIssuer")
			}
		case config.KeyAuthEndpointRevoke:
			// Left out, it would be Hydra's; never advertise an endpoint that the provider does not have.
		default:
			if want == "" {
				continue
			}
		}
		spelling := config.Spelling(values, key)
		if old, ok := values[spelling].(string); !ok || old != want {
			settings = append(settings, cdkcontext.Setting{Key: spelling, Value: want})
		}
	}
	for _, key := range provider.ListKeys() {
		want := document.List(key)
		if len(want) > 0 && !slices.Equal(config.List(values[key]), want) {
			settings = append(settings, cdkcontext.Setting{Key: key, Value: strings.Join(want, ", ")})
		}
	}
	return settings
}

func base(values map[string]any) string {
	s, _ := values[config.Spelling(values, config.KeyAuthEndpoint)].(string)
	return s
}

func sameHost(a, b string) bool { return hostOf(a) != "" && hostOf(a) == hostOf(b) }

// hostOf is a URL's host with its port, "" if there is none.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// wrong is what the configuration says against a value for a key, "" for nothing.
func wrong(key string, value any) string {
	_, problems := config.Parse(map[string]any{key: value})
	i := slices.IndexFunc(problems, func(p config.Problem) bool { return p.Key == key && !p.Warning })
	if i < 0 {
		return ""
	}
	return problems[i].String()
}

// overridden are the keys of the settings for which the command line gives another value.
func overridden(values map[string]any, settings []cdkcontext.Setting) (keys []string) {
	for _, s := range settings {
		if values[s.Key] != s.Value {
			keys = append(keys, s.Key)
		}
	}
	return keys
}
