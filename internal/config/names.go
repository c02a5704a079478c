package config

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"healthlake-smart-on-fhir/internal/contract"
)

// prefixRule reports, of a prefix that makes several names invalid, only what fixes all of them: the narrowest set of
// characters and the shortest limit.
func prefixRule(c Config) (problems []Problem) {
	names := contract.PrefixedNames(c.ServiceRoles())
	shortest := names[0]
	for _, n := range names {
		if room(n) < room(shortest) {
			shortest = n
		}
		if len(problems) == 0 && !regexp.MustCompile(n.Pattern).MatchString(c.Prefix+n.Name) {
			problems = append(problems, Problem{Key: KeyPrefix, Got: show(c.Prefix),
				Want: fmt.Sprintf("%s, for the %s <prefix>%s", n.Allowed, n.Kind, n.Name)})
		}
	}
	if length := utf8.RuneCountInString(c.Prefix); length > room(shortest) {
		problems = append(problems, Problem{Key: KeyPrefix,
			Got: fmt.Sprintf("%s, %d characters", show(c.Prefix), length),
			Want: fmt.Sprintf("at most %d characters, for the %s <prefix>%s", room(shortest), shortest.Kind,
				shortest.Name)})
	}
	return problems
}

// room is how many characters of a name are left for the prefix.
func room(n contract.PrefixedName) int { return n.MaxLength - utf8.RuneCountInString(n.Name) }

// datastoreNameRule checks the length alone: every character of a valid prefix is valid in a datastore's name.
func datastoreNameRule(c Config) []Problem {
	length := utf8.RuneCountInString(c.Prefix + c.DatastoreName)
	if length <= contract.MaxDatastoreName {
		return nil
	}
	return []Problem{{Key: KeyDatastoreName, Got: fmt.Sprintf("%d characters with the prefix", length),
		Want: fmt.Sprintf("at most %d", contract.MaxDatastoreName)}}
}

// partialARN matches a name that ends like a secret's ARN.
var partialARN = regexp.MustCompile(`-[A-Za-z0-9/_+=.@]{6}$`)

// secretNameRule: Secrets Manager makes the ARN of the name, a hyphen and six characters, so a name that ends like that can be
// confused with the ARN of another secret (API Reference, CreateSecret).
func secretNameRule(c Config) []Problem {
	if !partialARN.MatchString(c.SecretName) {
		return nil
	}
	return []Problem{{Key: KeySecretName, Got: show(c.SecretName), Warning: true,
		Want: "a name that does not end in a hyphen and six characters: Secrets Manager may confuse it with an ARN"}}
}
