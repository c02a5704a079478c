package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/contract"
)

// issuerFields are what an entry of moreIssuers may have. Each is read like the context key that means the same for the main
// provider.
var issuerFields = []struct {
	name     string
	required bool
	value    value
}{
	{"issuer", true, text(func(c *Config) *string { return &c.AuthIssuer }, baseURL)},
	{"jwks", true, text(func(c *Config) *string { return &c.AuthEndpointJwks }, endpointURL)},
	{"requiredAudience", true, list(func(c *Config) *[]string { return &c.RequiredAudience },
		elements{check: check[string]{"at least one audience, without spaces", audiences.ok}, atLeastOne: true})},
	{"requiredScope", false, list(func(c *Config) *[]string { return &c.RequiredScope }, scopes)},
	{"claimNames", false, claimNames},
}

// issuerForm completes "want …".
var issuerForm = func() string {
	var names []string
	for _, f := range issuerFields {
		if name := f.name; f.required {
			names = append(names, name)
		} else {
			names = append(names, name+" (optional)")
		}
	}
	return "objects with " + strings.Join(names, ", ") + " and nothing else"
}()

// moreIssuers is a JSON array of objects, or a string that holds one.
var moreIssuers = value{
	want: "a list of " + issuerForm,
	set: func(c *Config, raw any) (any, bool) {
		items, ok := toSlice(raw)
		if !ok {
			return raw, false
		}
		var all []contract.Issuer
		for i, item := range items {
			issuer, fault := readIssuer(item)
			if fault != nil {
				fault.got = entry(i, issuer) + ": " + fault.got
				return *fault, false
			}
			all = append(all, issuer)
		}
		c.MoreIssuers = all
		return nil, true
	},
}

// entry names an entry of moreIssuers for people, who count from one.
func entry(i int, issuer contract.Issuer) string {
	if issuer.Issuer == "" {
		return fmt.Sprintf("entry %d", i+1)
	}
	return fmt.Sprintf("entry %d (%s)", i+1, show(issuer.Issuer))
}

// readIssuer reads one entry, as far as the fault.
func readIssuer(item any) (issuer contract.Issuer, fault *part) {
	object, ok := toObject(item)
	if !ok {
		return issuer, &part{show(item), issuerForm}
	}
	var c Config
	for _, f := range issuerFields {
		raw := object[f.name]
		switch {
		case raw == nil && !f.required:
		case raw == nil:
			fault = &part{"no " + f.name, f.value.want}
		default:
			if wrong, ok := f.value.set(&c, raw); !ok {
				fault = &part{f.name + " " + show(wrong), f.value.want}
			}
		}
		if fault != nil {
			break
		}
	}
	issuer = contract.Issuer{Issuer: c.AuthIssuer, JWKS: c.AuthEndpointJwks, RequiredAudience: c.RequiredAudience,
		RequiredScope: c.RequiredScope, ClaimNames: c.ClaimNames}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if fault == nil && !slices.Contains(issuerNames, name) {
			fault = &part{"unknown name " + show(name), issuerForm}
		}
	}
	return issuer, fault
}

var issuerNames = func() (names []string) {
	for _, f := range issuerFields {
		names = append(names, f.name)
	}
	return names
}()

// moreIssuersRule: an issuer has one set of keys and rules.
func moreIssuersRule(c Config) []Problem {
	seen := map[string]string{c.AuthIssuer: KeyAuthIssuer}
	for i, issuer := range c.MoreIssuers {
		if other, ok := seen[issuer.Issuer]; ok {
			return []Problem{{Key: KeyMoreIssuers, Got: entry(i, issuer) + ": the issuer of " + other,
				Want: "each issuer once; the tokens of " + KeyAuthIssuer + " are checked as " + KeyTokenValidation + " says"}}
		}
		seen[issuer.Issuer] = fmt.Sprintf("entry %d", i+1)
	}
	return nil
}

// maxEnvironment is what Lambda allows for all environment variables of a function (Lambda Developer Guide, "Quotas"), less what
// the stack adds: the secret's ARN, the name of the authorities' file and the URL of the VPC's endpoint.
const maxEnvironment = 4<<10 - 450

// environmentRule: the issuers are the one setting that can fill the function's environment.
func environmentRule(c Config) []Problem {
	size := 0
	for name, value := range c.Environment().Variables() {
		size += len(name) + len(value)
	}
	if len(c.MoreIssuers) == 0 || size <= maxEnvironment {
		return nil
	}
	return []Problem{{Key: KeyMoreIssuers, Got: fmt.Sprintf("%d bytes with the function's other settings", size),
		Want: fmt.Sprintf("at most %d bytes", maxEnvironment)}}
}
