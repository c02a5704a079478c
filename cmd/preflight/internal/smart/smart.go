// Package smart checks a SMART discovery document by the rules of SMART App Launch 2.2 (section "Conformance", metadata and
// capabilities) and those that HealthLake adds (API Reference, IdentityProviderConfiguration). It shares nothing with the
// code that writes the document, so that a mistake there is not made here too.
package smart

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/claims"
)

// Finding is one thing that is wrong with a document.
type Finding struct {
	Warning bool   // allowed, but apps may stumble over it
	Element string // the document's element that it is about; "" for the whole document
	Fault   string
	Key     string // the context key that mends it
}

// StrategyV2 is the authorization strategy under which HealthLake knows SMART v2.
const StrategyV2 = "SMART_ON_FHIR"

// Check returns what is wrong with a document that is meant for a datastore with the given authorization strategy, in the
// order of the rules; nothing if it is right.
func Check(document []byte, strategy string) []Finding {
	set, err := claims.Parse(document)
	if err != nil {
		return []Finding{{Fault: err.Error()}}
	}
	d := metadata{set: set, strategy: strategy}
	var findings []Finding
	for _, r := range rules {
		if fault := r.fault(d); fault != "" {
			findings = append(findings, Finding{Warning: r.should, Element: r.element, Fault: fault, Key: r.key})
		}
	}
	return findings
}

// metadata is a document as the rules see it.
type metadata struct {
	set      claims.Set
	strategy string
}

func (d metadata) text(element string) string {
	s, _ := d.set.Text(element)
	return s
}

// list is nil for what is not an array of strings; the rules about types find that.
func (d metadata) list(element string) []string {
	if _, err := d.set.Text(element); err == nil {
		return nil
	}
	l, _ := d.set.List(element)
	return l
}

func (d metadata) can(capability string) bool {
	return slices.Contains(d.list("capabilities"), capability)
}

func (d metadata) grants(grant string) bool {
	return slices.Contains(d.list("grant_types_supported"), grant)
}

// scope tells whether a document that names its scopes names this one. One that names none says nothing.
func (d metadata) scope(scope string) bool {
	l := d.list("scopes_supported")
	return l == nil || slices.Contains(l, scope)
}

// rule returns what is wrong, or "".
type rule struct {
	element string
	key     string
	should  bool // a recommendation: a warning
	fault   func(metadata) string
}

var rules = slices.Concat(
	// What must be there. SMART asks for the authorization endpoint with a launch capability; HealthLake always.
	[]rule{
		{"authorization_endpoint", "authEndpointAuthorize", false, required("authorization_endpoint")},
		{"token_endpoint", "authEndpointToken", false, required("token_endpoint")},
		{"capabilities", "smartCapabilities", false, strings1("capabilities")},
		{"grant_types_supported", "grantTypes", false, strings1("grant_types_supported")},
		{"code_challenge_methods_supported", "", false, strings1("code_challenge_methods_supported")},
		{"issuer", "authIssuer", false, with("sso-openid-connect", required("issuer"))},
		{"jwks_uri", "authEndpointJwks", false, with("sso-openid-connect", required("jwks_uri"))},
		{"issuer", "smartCapabilities", true, when(func(d metadata) bool { return !d.can("sso-openid-connect") },
			func(d metadata) string {
				return says(d.set.Has("issuer"), "is there without the capability sso-openid-connect")
			})},
	},
	// What each element must look like.
	addresses(
		[2]string{"issuer", "authIssuer"}, [2]string{"jwks_uri", "authEndpointJwks"},
		[2]string{"authorization_endpoint", "authEndpointAuthorize"}, [2]string{"token_endpoint", "authEndpointToken"},
		[2]string{"registration_endpoint", "authEndpointRegister"}, [2]string{"management_endpoint", "authEndpointManage"},
		[2]string{"introspection_endpoint", ""}, [2]string{"revocation_endpoint", "authEndpointRevoke"},
	),
	[]rule{
		{"issuer", "authIssuer", false, func(d metadata) string {
			return says(strings.Contains(d.text("issuer"), "?"), "has a query")
		}},
		{"scopes_supported", "smartScopes", false, optional("scopes_supported")},
		{"response_types_supported", "", false, optional("response_types_supported")},
		{"token_endpoint_auth_methods_supported", "", false, optional("token_endpoint_auth_methods_supported")},
		{"capabilities", "smartCapabilities", false, once("capabilities")},
		{"grant_types_supported", "grantTypes", false, once("grant_types_supported")},
		{"scopes_supported", "smartScopes", false, once("scopes_supported")},
		{"scopes_supported", "smartScopes", false, func(d metadata) string {
			return all(d.list("scopes_supported"), "is no scope (RFC 6749 section 3.3)", scopeToken.MatchString)
		}},
		// HealthLake takes these two alone.
		{"grant_types_supported", "grantTypes", false, func(d metadata) string {
			return all(d.list("grant_types_supported"), "is not a grant type that HealthLake takes",
				oneOf("authorization_code", "client_credentials"))
		}},
		// PKCE: S256 is required, plain forbidden.
		{"code_challenge_methods_supported", "", false, when(present("code_challenge_methods_supported"),
			func(d metadata) string {
				return says(!slices.Contains(d.list("code_challenge_methods_supported"), "S256"), "lacks S256")
			})},
		{"code_challenge_methods_supported", "", false, func(d metadata) string {
			return says(slices.Contains(d.list("code_challenge_methods_supported"), "plain"), "has plain")
		}},
		{"response_types_supported", "grantTypes", true, when(present("response_types_supported"),
			func(d metadata) string {
				return says(d.grants("authorization_code") && !slices.Contains(d.list("response_types_supported"), "code"),
					"lacks code, which the grant authorization_code needs")
			})},
	},
	// What the capabilities promise.
	[]rule{
		{"capabilities", "grantTypes", false, func(d metadata) string {
			return says((d.can("launch-ehr") || d.can("launch-standalone")) && !d.grants("authorization_code"),
				"has a launch, and grant_types_supported no authorization_code")
		}},
		// SMART Backend Services: the client authenticates with a signed assertion.
		{"capabilities", "smartCapabilities", true, func(d metadata) string {
			return says(d.grants("client_credentials") && !d.can("client-confidential-asymmetric"),
				"lacks client-confidential-asymmetric, which backend services with client_credentials need")
		}},
		{"capabilities", "authorizationStrategy", false, func(d metadata) string {
			return says(d.strategy != StrategyV2 && (d.can("permission-v2") || d.can("permission-v2.2")),
				"has SMART v2 permissions, which the strategy "+d.strategy+" does not know")
		}},
		{"capabilities", "smartCapabilities", false, func(d metadata) string {
			return says(d.can("permission-v2.2") && !d.can("permission-v2"), "has permission-v2.2 without permission-v2")
		}},
		{"scopes_supported", "smartScopes", false, func(d metadata) string {
			if d.can("permission-v2") {
				return ""
			}
			return all(d.list("scopes_supported"), "is a SMART v2 scope, and capabilities lack permission-v2",
				func(s string) bool { return !isV2(s) })
		}},
		{"scopes_supported", "smartScopes", true, func(d metadata) string {
			if d.can("permission-v1") {
				return ""
			}
			return all(d.list("scopes_supported"), "is a SMART v1 scope, and capabilities lack permission-v1",
				func(s string) bool { return !scopeV1.MatchString(s) })
		}},
		promised("sso-openid-connect", "openid"),
		promised("sso-openid-connect", "fhirUser"),
		promised("permission-offline", "offline_access"),
		promised("permission-online", "online_access"),
		promised("context-standalone-patient", "launch/patient"),
		promised("context-standalone-encounter", "launch/encounter"),
	},
)

var (
	scopeToken = regexp.MustCompile(`^[!#-\[\]-~]+$`)
	scopeV1    = regexp.MustCompile(`^(patient|user|system)/[^.]+\.(read|write|\*)$`)
	scopeV2    = regexp.MustCompile(`^(patient|user|system)/[^.]+\.c?r?u?d?s?(\?.*)?$`)
)

// isV2 keeps out the empty permission, which is no scope of either version.
func isV2(scope string) bool {
	permissions, _, _ := strings.Cut(scope, "?")
	return scopeV2.MatchString(scope) && !strings.HasSuffix(permissions, ".")
}

func says(wrong bool, fault string) string {
	if wrong {
		return fault
	}
	return ""
}

func when(condition func(metadata) bool, fault func(metadata) string) func(metadata) string {
	return func(d metadata) string {
		if !condition(d) {
			return ""
		}
		return fault(d)
	}
}

func with(capability string, fault func(metadata) string) func(metadata) string {
	return when(func(d metadata) bool { return d.can(capability) }, func(d metadata) string {
		if f := fault(d); f != "" {
			return f + ", although capabilities have " + capability
		}
		return ""
	})
}

func present(element string) func(metadata) bool {
	return func(d metadata) bool { return d.list(element) != nil }
}

func required(element string) func(metadata) string {
	return func(d metadata) string {
		return says(!d.set.Has(element) || string(d.set[element]) == `""`, "is missing")
	}
}

// strings1 is for an array of at least one string.
func strings1(element string) func(metadata) string {
	return func(d metadata) string {
		return cmp.Or(required(element)(d), says(len(d.list(element)) == 0, "is not an array of strings"))
	}
}

// optional is for an array of strings that may be left out, but not left empty: RFC 8414 section 2.
func optional(element string) func(metadata) string {
	return when(func(d metadata) bool { return d.set.Has(element) }, strings1(element))
}

func once(element string) func(metadata) string {
	return func(d metadata) string {
		l := slices.Sorted(slices.Values(d.list(element)))
		return says(len(slices.Compact(slices.Clone(l))) != len(l), "has the same twice")
	}
}

func all(l []string, fault string, ok func(string) bool) string {
	for _, s := range l {
		if !ok(s) {
			return fmt.Sprintf("%q %s", s, fault)
		}
	}
	return ""
}

func oneOf(allowed ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(allowed, s) }
}

// promised is the rule for a capability that means little without a scope.
func promised(capability, scope string) rule {
	return rule{"scopes_supported", "smartScopes", true, func(d metadata) string {
		return says(d.can(capability) && !d.scope(scope), "lacks "+scope+", although capabilities have "+capability)
	}}
}

// addresses are the rules for elements, each with its context key, that hold the URL of something.
func addresses(elements ...[2]string) (rules []rule) {
	for _, e := range elements {
		element, key := e[0], e[1]
		rules = append(rules,
			rule{element, key, false, when(func(d metadata) bool { return d.set.Has(element) },
				func(d metadata) string {
					s, err := d.set.Text(element)
					u, parseErr := url.Parse(s)
					return says(err != nil || parseErr != nil || u.Hostname() == "" || u.User != nil ||
						strings.Contains(s, "#") || u.Scheme != "https" && u.Scheme != "http",
						"is not an absolute URL without user name and fragment")
				})},
			// SMART requires TLS; without it only this machine can be meant, for a trial.
			rule{element, key, false, func(d metadata) string {
				return says(scheme(d.text(element)) == "http" && !local(d.text(element)), "is not https")
			}},
			rule{element, key, true, func(d metadata) string {
				return says(scheme(d.text(element)) == "http" && local(d.text(element)), "is not https")
			}},
		)
	}
	return rules
}

func scheme(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Scheme
	}
	return ""
}

func local(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	return u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
}
