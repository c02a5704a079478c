package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/cmd/preflight/internal/cdkcontext"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/cmd/preflight/internal/provider"
	"healthlake-smart-on-fhir/internal/config"
)

// endpointKeys are what --write fills in. The registration endpoint is left out: to advertise it is a choice.
var endpointKeys = []string{config.KeyAuthEndpoint, config.KeyAuthIssuer, config.KeyAuthEndpointToken,
	config.KeyAuthEndpointIntrospect, config.KeyAuthEndpointAuthorize, config.KeyAuthEndpointJwks, config.KeyAuthEndpointRevoke}

const checkWrite = "write"

// write fills the endpoints in cdk.context.json in from the issuer's discovery document, brings values up to date with
// them, and returns what changed. Nothing else has to be valid yet.
func write(ctx context.Context, o options, values map[string]any, l *checklist.List) (changes []string, err error) {
	issuer, _ := values["authIssuer"].(string)
	if issuer == "" {
		issuer = base(values)
	}
	if problem := wrong(map[string]any{"authEndpoint": issuer}, "authEndpoint"); issuer == "" || problem != "" {
		l.Fail(checkWrite, "there is no issuer to begin with", "put the provider's issuer into authIssuer or authEndpoint")
		return nil, nil
	}
	bundle, _ := values["authCaBundle"].(string)
	roots, err := readRoots(o.dir, bundle)
	if err != nil {
		l.Fail(checkWrite, err.Error(), "correct authCaBundle")
		return nil, nil
	}
	document, err := provider.New(config.Config{}, provider.Secrets{}, roots, 0).Discover(ctx, issuer)
	if err != nil {
		l.Fail(checkWrite, err.Error(), "correct authIssuer (or authEndpoint)")
		return nil, nil
	}
	// OpenID Connect Discovery 1.0 section 4.3: a document of another issuer is not to be believed. The slash at the end is
	// what people get wrong, and the provider's spelling of it counts.
	theirs := document.Value("authIssuer")
	if strings.TrimSuffix(theirs, "/") != strings.TrimSuffix(issuer, "/") {
		l.Fail(checkWrite, fmt.Sprintf("%s is the document of the issuer %q, not of %s", document.URL, theirs, issuer),
			"put the issuer that the provider states into authIssuer, if that is the one you mean")
		return nil, nil
	}

	// What -c gives is not in the file.
	file, err := cdkcontext.Read(o.dir, nil)
	if err != nil {
		return nil, err
	}
	settings := settingsFrom(document, file)
	after := maps.Clone(file)
	for _, s := range settings {
		after[s.Key] = s.Value
		if problem := wrong(after, s.Key); problem != "" {
			l.Fail(checkWrite, "the provider's document is not usable: "+problem, "correct it at the provider, or write the keys by hand")
			return nil, nil
		}
	}
	if err := cdkcontext.Write(o.dir, settings); err != nil {
		l.Fail(checkWrite, "cannot write: "+err.Error(), "make "+cdkcontext.File+" a writable file with one JSON object")
		return nil, nil
	}
	for _, s := range settings {
		old, ok := file[s.Key]
		was := "nothing"
		if ok {
			was = fmt.Sprintf("%q", fmt.Sprint(old))
		}
		changes = append(changes, fmt.Sprintf("%s: %q, was %s", s.Key, s.Value, was))
	}
	again, err := cdkcontext.Read(o.dir, o.assignments)
	if err != nil {
		return changes, err
	}
	maps.Copy(values, again)
	reason := fmt.Sprintf("%d keys changed from %s", len(changes), document.URL)
	if overridden := given(again, settings); len(overridden) > 0 {
		l.Warn(checkWrite, reason+"; -c gave another value for "+strings.Join(overridden, ", "), "leave these -c out from now on")
		return changes, nil
	}
	if document.Value("authEndpointIntrospect") == "" && len(settings) > 0 {
		reason += "; the introspection endpoint is not in it"
	}
	l.OK(checkWrite, reason)
	return changes, nil
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
	return settings
}

func base(values map[string]any) string {
	s, _ := values[config.Spelling(values, config.KeyAuthEndpoint)].(string)
	return s
}

func sameHost(a, b string) bool {
	u, errU := url.Parse(a)
	v, errV := url.Parse(b)
	return errU == nil && errV == nil && u.Host == v.Host
}

// wrong is what the configuration says against one key of a context, "" for nothing.
func wrong(values map[string]any, key string) string {
	_, problems := config.Parse(values)
	i := slices.IndexFunc(problems, func(p config.Problem) bool { return p.Key == key && !p.Warning })
	if i < 0 {
		return ""
	}
	return problems[i].String()
}

// given are the settings that the command line overrides with another value.
func given(values map[string]any, settings []cdkcontext.Setting) (keys []string) {
	for _, s := range settings {
		if values[s.Key] != s.Value {
			keys = append(keys, s.Key)
		}
	}
	return keys
}
