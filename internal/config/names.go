package config

import (
	"fmt"
	"regexp"
	"unicode/utf8"
)

// maxDatastoreName is HealthLake's limit, prefix included.
const maxDatastoreName = 256

// name is a name that begins with the prefix, and the limits that AWS sets for it.
type name struct {
	what    string
	rest    string
	most    int // characters
	allowed string
	pattern *regexp.Regexp
}

// The patterns are about characters alone.
var (
	stackPattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	functionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)
	rolePattern     = regexp.MustCompile(`^[\w+=,.@-]*$`)
)

const (
	stackAllowed    = "ASCII letters, digits and hyphens, a letter first"
	functionAllowed = "ASCII letters, digits, hyphens and underscores"
	roleAllowed     = "ASCII letters, digits and _+=,.@-"
)

// names is every name with the prefix except the datastore's, the pickiest about characters first.
var names = []name{
	{"CloudFormation stack", "Roles", 128, stackAllowed, stackPattern},
	{"CloudFormation stack", "Secret", 128, stackAllowed, stackPattern},
	{"CloudFormation stack", "CheckToken", 128, stackAllowed, stackPattern},
	{"CloudFormation stack", "Datastore", 128, stackAllowed, stackPattern},
	{"Lambda function", "checkToken", 64, functionAllowed, functionPattern},
	{"IAM role", "Role-for-HealthLake", 64, roleAllowed, rolePattern},
	{"IAM role", "Lambda-Role", 64, roleAllowed, rolePattern},
}

// prefixRule says of a prefix that makes several names impossible only what mends all of them: the narrowest set of
// characters and the shortest limit.
func prefixRule(c Config) (problems []Problem) {
	for _, n := range names {
		if !n.pattern.MatchString(c.Prefix + n.rest) {
			problems = append(problems, Problem{Key: "prefix", Got: show(c.Prefix),
				Want: fmt.Sprintf("%s, for the %s %s", n.allowed, n.what, "<prefix>"+n.rest)})
			break
		}
	}
	tightest := names[0]
	for _, n := range names {
		if n.most-len(n.rest) < tightest.most-len(tightest.rest) {
			tightest = n
		}
	}
	room := tightest.most - len(tightest.rest)
	if length := utf8.RuneCountInString(c.Prefix); length > room {
		problems = append(problems, Problem{Key: "prefix",
			Got:  fmt.Sprintf("%s, %d characters", show(c.Prefix), length),
			Want: fmt.Sprintf("at most %d characters, for the %s %s", room, tightest.what, "<prefix>"+tightest.rest)})
	}
	return problems
}

// datastoreNameRule is about the length alone: what may stand in a prefix may stand in a datastore's name.
func datastoreNameRule(c Config) []Problem {
	length := utf8.RuneCountInString(c.Prefix + c.DatastoreName)
	if length <= maxDatastoreName {
		return nil
	}
	return []Problem{{Key: "datastoreName", Got: fmt.Sprintf("%d characters with the prefix", length),
		Want: fmt.Sprintf("at most %d", maxDatastoreName)}}
}

// partialARN is a name that looks like the end of a secret's ARN.
var partialARN = regexp.MustCompile(`-[A-Za-z0-9/_+=.@]{6}$`)

// secretNameRule: Secrets Manager adds a hyphen and six characters to the name to make the ARN, so that a name with
// such an end may be taken for another secret's (API Reference, CreateSecret).
func secretNameRule(c Config) []Problem {
	if !partialARN.MatchString(c.SecretName) {
		return nil
	}
	return []Problem{{Key: "secretName", Got: show(c.SecretName), Warning: true,
		Want: "a name that does not end in a hyphen and six characters: Secrets Manager may confuse it with an ARN"}}
}
