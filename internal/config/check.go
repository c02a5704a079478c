package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
)

// The conditions on single values. What several keys must fulfil together is in rules.go.
var (
	anyText   = check[string]{"a string, which may be empty", func(string) bool { return true }}
	accountID = matching("12 digits", `^[0-9]{12}$`)
	// The regions with HealthLake (HealthLake Developer Guide, "Endpoints and quotas"). The CDK has a list of its own, and the
	// synthesis fails for the other regions of AWS.
	regions    = oneOf("us-east-1", "us-east-2", "us-west-2", "ap-south-1", "ap-southeast-2", "ca-central-1", "eu-west-1", "eu-west-2")
	regionName = check[string]{"a region with HealthLake: " + regions.want, regions.ok}

	// Tag limits: AWS General Reference, "Tag naming limits and requirements".
	tagName = allOf(`1 to 128 letters, digits, spaces or _.:/=+-@, not beginning with "aws:"`,
		length(1, 128), matching("", `^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`), not(matching("", `^(?i:aws:)`)))
	tagValue = allOf("at most 256 letters, digits, spaces or _.:/=+-@",
		length(0, 256), matching("", `^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`))
	// HealthLake API Reference, CreateFHIRDatastore.
	datastoreName = allOf("1 to 256 letters, digits, spaces or _.:/=+-%@",
		length(1, contract.MaxDatastoreName), matching("", `^[\p{L}\p{Z}\p{N}_.:/=+\-%@]*$`))
	datastoreID = matching("the 32 characters of a datastore's id (not its ARN), or the empty string", `^([0-9a-f]{32})?$`)
	// Secrets Manager API Reference, CreateSecret.
	secretName = allOf("1 to 512 ASCII letters, digits or /_+=.@-",
		length(1, 512), matching("", `^[A-Za-z0-9/_+=.@-]*$`))

	// RFC 6749 appendix A.1 and A.2: printable ASCII.
	clientID     = matching("printable ASCII characters, at least one that is no space", `^[ -~]*[!-~][ -~]*$`)
	clientSecret = matching("printable ASCII characters", `^[ -~]*$`)
	// The API key travels in an Authorization header.
	apiKey = matching("printable ASCII characters without spaces", `^[!-~]*$`)

	// RFC 6749 sections 3.1 and 3.2: an endpoint may have a query, not a fragment.
	endpointURL = check[string]{"an absolute https URL (http only for localhost), no user name, no fragment, no braces",
		isEndpoint}
	// Paths are appended to the base, and an issuer has neither query nor fragment (OpenID Connect Discovery 1.0
	// section 3).
	baseURL = check[string]{"an absolute https URL (http only for localhost), no user name, no query, no fragment, no braces",
		func(s string) bool { return isEndpoint(s) && !strings.Contains(s, "?") }}

	fileName = check[string]{"the path of a PEM file, or the empty string for none",
		func(s string) bool { return s == "" || strings.TrimSpace(s) != "" && !strings.ContainsRune(s, 0) }}

	// CloudFormation User Guide, "Get a secret or secret value from Secrets Manager". A stage and a version id exclude
	// each other. Braces would end the reference, and a quotation mark or a backslash would break the JSON document
	// around it.
	reference = matching("a reference such as "+referenceExample,
		`^\{\{resolve:secretsmanager:(arn:aws[-a-z]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[A-Za-z0-9/_+=.@-]+`+
			`(:(SecretString)?(:[^:{}"\\[:cntrl:]]*(:([A-Za-z0-9/_+=.@-]*:?|:[A-Za-z0-9-]+))?)?)?\}\}$`)

	// A key, not an alias: the key's policy and the service role's permission name the key itself.
	kmsKey = matching(KMSKeyAWSOwned+", "+KMSKeyCreate+" or the ARN of a KMS key",
		`^(`+KMSKeyAWSOwned+`|`+KMSKeyCreate+`|arn:aws[-a-z]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)$`)

	// One mailbox as mail systems of today write it. SNS sends a confirmation there, which is the real check.
	emailAddress = allOf("an e-mail address such as ops@example.org",
		length(0, 254), matching("", `^[\w.!#$%&'*+/=?^{|}~-]+@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$`))

	// Ids have 8 or 17 hexadecimal digits (Amazon EC2 User Guide, "Resource IDs").
	vpcID = matching("the id of a VPC, such as vpc-0a1b2c3d4e5f60718, or the empty string", `^(vpc-([0-9a-f]{8}|[0-9a-f]{17}))?$`)

	// CloudWatch Logs API Reference, PutRetentionPolicy.
	retentionDays = oneOf(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
		3288, 3653)
)

// What the lists must hold.
var (
	// The function receives lists as one string, separated by spaces. Not every issuer is a URL.
	issuers   = elements{check: matching("a list of issuers without spaces", `^[!-~]+$`)}
	audiences = elements{check: matching("a list of audiences without spaces", `^[!-~]+$`)}
	// Each becomes a field of the log line beside the line's own.
	auditClaims = elements{check: allOf("a list of claim names that are not "+strings.Join(contract.LogFields, ", "),
		matching("", `^[!-~]+$`), not(check[string]{ok: oneOf(contract.LogFields...).ok}))}
	// The ARN of a role's session is useless: it ends with the session. In a resource policy the role stands for its sessions.
	principals = elements{check: matching("IAM role or user ARNs such as arn:aws:iam::<account>:role/<name>"+
		" (of an assumed-role session: its role's ARN)",
		`^arn:aws[-a-z]*:iam::[0-9]{12}:(role|user)/([\w+=,.@-]+/)*[\w+=,.@-]+$`)}
	subnets = elements{check: matching("a list of subnet ids such as subnet-0a1b2c3d4e5f60718, each once",
		`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`), distinct: true}
	securityGroups = elements{check: matching("a list of security group ids such as sg-0a1b2c3d4e5f60718, each once",
		`^sg-([0-9a-f]{8}|[0-9a-f]{17})$`), distinct: true}
	// RFC 6749 section 3.3.
	scopes = elements{check: matching(`a list of scopes, without spaces, " and \`, `^[!#-\[\]-~]+$`)}

	// These five become lists in the discovery document.
	smartScopes = elements{check: check[string]{scopes.want + ", each once", scopes.ok}, distinct: true}
	// Capability names that SMART does not define are allowed: implementation guides add their own.
	capabilities = elements{check: matching("a list of at least one SMART capability, each once", `^[!-~]+$`),
		atLeastOne: true, distinct: true}
	// The only two that HealthLake accepts.
	grantTypes = elements{check: check[string]{"a list with " + GrantAuthorizationCode + ", " + GrantClientCredentials +
		" or both, each once", oneOf(GrantAuthorizationCode, GrantClientCredentials).ok}, atLeastOne: true, distinct: true}
	// RFC 8414 section 2. Providers have methods of their own.
	authMethods = elements{check: matching("a list of methods such as "+authPrivateKeyJWT+", each once", `^[A-Za-z0-9_-]+$`), distinct: true}
	signingAlgs = elements{check: allOf("a list of JWS algorithms such as RS384, each once, and not none",
		matching("", `^[A-Za-z0-9_-]+$`), not(check[string]{ok: func(s string) bool { return s == "none" }})), distinct: true}
)

const referenceExample = "{{resolve:secretsmanager:<secret>:SecretString:<json key>}}"

// orReference allows a dynamic reference in place of the value. What looks like one must be a valid one: CloudFormation
// resolves references anywhere in a text, and a misspelled one would fail in the middle of a deploy.
func orReference(c check[string]) check[string] {
	return check[string]{c.want + ", or " + reference.want, func(s string) bool {
		if strings.Contains(s, "{{resolve:") {
			return reference.ok(s)
		}
		return c.ok(s)
	}}
}

// isEndpoint says whether a URL may be called with credentials or advertised to clients.
func isEndpoint(s string) bool {
	// url.Parse lets spaces, other scripts, braces and an empty fragment pass.
	if !visible.MatchString(s) || strings.ContainsAny(s, "#{}") {
		return false
	}
	u, err := httpclient.ParseURL(s)
	if err != nil || u.User != nil {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	return true
}

var visible = regexp.MustCompile(`^[!-~]+$`)

func matching(want, pattern string) check[string] {
	return check[string]{want, regexp.MustCompile(pattern).MatchString}
}

// length counts characters, not bytes, as AWS does.
func length(least, most int) check[string] {
	return check[string]{ok: func(s string) bool {
		n := utf8.RuneCountInString(s)
		return least <= n && n <= most
	}}
}

func not(c check[string]) check[string] {
	return check[string]{ok: func(s string) bool { return !c.ok(s) }}
}

func allOf(want string, checks ...check[string]) check[string] {
	return check[string]{want, func(s string) bool {
		return !slices.ContainsFunc(checks, func(c check[string]) bool { return !c.ok(s) })
	}}
}

// orEmpty allows the empty string, which turns an optional endpoint off.
func orEmpty(c check[string]) check[string] {
	return check[string]{c.want + ", or the empty string for none", func(s string) bool { return s == "" || c.ok(s) }}
}

func oneOf[T comparable](allowed ...T) check[T] {
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = fmt.Sprint(a)
	}
	last := len(words) - 1
	return check[T]{
		want: strings.Join(words[:last], ", ") + " or " + words[last],
		ok:   func(v T) bool { return slices.Contains(allowed, v) },
	}
}

// between bounds a number. An upper bound that no limit of AWS sets is not worth mentioning.
func between(least, most int) check[int] {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if most == math.MaxInt32 {
		want = fmt.Sprintf("a whole number, at least %d", least)
	}
	return check[int]{want, func(n int) bool { return least <= n && n <= most }}
}
