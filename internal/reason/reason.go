// Package reason has the one table of reasons for what the function answers: the word in the log line, what it means, and
// what to do about it. The log line, the preflight check and docs/reference/reasons.md all use it.
package reason

import "strings"

// Outcome is what came of a call, as the log line has it.
type Outcome string

// The outcomes.
const (
	OutcomeAuthorized Outcome = "authorized" // the response says isAuthorized: true
	OutcomeDenied     Outcome = "denied"     // the response says isAuthorized: false
	OutcomeError      Outcome = "error"      // there is no response: the function could not decide
)

// Reason is one row of the table. Two reasons are equal if they are the same row.
type Reason struct {
	Word    string // in the log line; in an error, also the errorType that Lambda shows
	Outcome Outcome
	Meaning string // one or two sentences, as Markdown
	Fix     string // what to do about it, as Markdown; "" only for Active
}

// Mismatch is what a token had and what the deployment requires, for a denial because of one claim. Both are for a log line;
// neither is ever a token.
type Mismatch struct{ Got, Want string }

// Plain is the meaning without Markdown.
func (r Reason) Plain() string { return strings.ReplaceAll(r.Meaning, "`", "") }

// ProviderPrefix begins the word of every error in asking the provider.
const ProviderPrefix = "idp_"

var table []Reason

// All returns the table in the order in which it is documented.
func All() []Reason { return table }

func denied(word, meaning, fix string) Reason { return row(word, OutcomeDenied, meaning, fix) }
func failed(word, meaning, fix string) Reason { return row(word, OutcomeError, meaning, fix) }

func row(word string, outcome Outcome, meaning, fix string) Reason {
	r := Reason{Word: word, Outcome: outcome, Meaning: meaning, Fix: fix}
	table = append(table, r)
	return r
}

// Active is the one reason to authorize a token.
var Active = row("active", OutcomeAuthorized, "The token is good.", "")

// The token was denied.
var (
	Inactive = denied("inactive",
		"The provider says that the token is not active: it is expired, revoked, issued by another provider, or made up.",
		"Get a new token. Check that the app and the function use the same provider.")
	Expired = denied("expired",
		"The token's `exp` is reached.",
		"Get a new token. If it is new, check the provider's clock.")
	NotYetValid = denied("not_yet_valid",
		"The token's `nbf` (or `iat` where there is no `nbf`) is more than 60 s in the future.",
		"Check the provider's clock.")
	NotAccessToken = denied("not_an_access_token",
		"The app sent a refresh token, an ID token, a logout token or another token that is not an access token for its bearer, as "+
			"`token_use`, `token_type`, `typ` or another claim says.",
		"The app must send the `access_token` of the token response.")
	SenderConstrained = denied("sender_constrained",
		"The token is bound to a key of the app (`cnf`, DPoP or a client certificate). HealthLake's event has no proof that the app "+
			"holds the key, so the binding cannot be checked.",
		"Let the provider issue plain bearer tokens for this API. Or accept such tokens as if they were, with "+
			"`senderConstrainedTokens`.")
	Lifetime = denied("lifetime_too_long",
		"The token lives longer than `maxTokenLifetimeSeconds` from `iat` to `exp`, or lacks one of them.",
		"Shorten the lifetime of access tokens at the provider, or raise `maxTokenLifetimeSeconds`.")
	MalformedToken = denied("malformed_token",
		"The text cannot be a bearer token: it has a space or a line break, or more than 16 KiB, or begins with `Bearer ` twice.",
		"Check how the app builds the `Authorization` header: the token alone after one `Bearer `.")
	MalformedClaim = denied("malformed_claim",
		"A claim has a type that it cannot have, such as a word for `exp`, or a required claim is missing.",
		"Check the provider's claim mapping.")
	Audience = denied("audience_not_accepted",
		"None of `requiredAudience` is in the token's `aud`.",
		"Let the app request that audience, or correct `requiredAudience`. For `datastore`, `aud` must be the datastore's endpoint.")
	Issuer = denied("issuer_not_trusted",
		"The token's `iss` is none of `trustedIssuers`. With `tokenValidation` `jwt`: it is not `authIssuer`, byte for byte.",
		"Compare `iss` with the `issuer` in the provider's discovery document, a slash at the end included.")
	Scope = denied("scope_not_granted",
		"The token lacks one of the scopes in `requiredScope`.",
		"Let the app request that scope, or correct `requiredScope`.")
	NotJWT = denied("not_a_jwt",
		"With `jwt` or `moreIssuers`: the token is opaque or encrypted, or has an extension that the function does not know.",
		"Configure the provider to issue signed JWT access tokens for this audience.")
	Algorithm = denied("algorithm_not_allowed",
		"With `jwt` or `moreIssuers`: the algorithm is `none`, HMAC or another one that is not RS, PS or ES (256 to 512) or EdDSA.",
		"Change the provider's signing algorithm.")
	UnknownKey = denied("unknown_key",
		"With `jwt` or `moreIssuers`: the provider publishes no key with this id and type.",
		"Check that `authEndpointJwks`, or `jwks` in `moreIssuers`, belongs to this provider. The function finds a new key within ten seconds.")
	Signature = denied("bad_signature",
		"With `jwt` or `moreIssuers`: the key is known, but it did not sign this token.",
		"The token was changed, or another provider issued it. If the provider replaced a key under the same id, the function finds "+
			"the new one within ten minutes.")
)

// The function could not decide.
var (
	Event = failed("event_invalid",
		"The event is not JSON, or lacks `bearerToken` or `datastoreEndpoint`.",
		"Correct the test event. HealthLake's own events have both.")
	Secret = failed("secret_unavailable",
		"The secret cannot be read, or lacks a field that `error` names, and there is no earlier good value.",
		"Put the field back. Compare the secret's resource policy and the execution role with what was deployed.")
	ProviderTimeout = failed(ProviderPrefix+"timeout",
		"The provider did not respond within 900 ms.",
		"After a deploy: `make preflight from-lambda` asks from where the function runs. Later: watch `idp_ms` over a day to see "+
			"whether the provider is always slow. Bring it closer to the region, or see "+
			"`introspectionCacheSeconds`.")
	ProviderUnreachable = failed(ProviderPrefix+"unreachable",
		"There is no connection to the provider, or its certificate is not trusted.",
		"`error` says which. A private certificate authority goes into `authCaBundle`. `make preflight from-lambda` says what else "+
			"to look at.")
	ProviderUnauthorized = failed(ProviderPrefix+"unauthorized",
		"The provider refuses the function's own credentials (HTTP 401 or 403, or 400 with `invalid_client`).",
		"Compare `api_key`, or `client_id` and `client_secret`, with the provider, and `introspectionAuth` with how it wants them. With "+
			"`private_key_jwt`: is the public key registered, and is `clientAssertionAudience` what the provider wants?")
	ProviderStatus = failed(ProviderPrefix+"status",
		"The provider responds with another HTTP status, which `error` names.",
		"404: `auth_endpoint_introspect` is wrong. 429: the provider limits the number of requests. 5xx: see the provider's log.")
	ProviderRedirect = failed(ProviderPrefix+"redirect",
		"The endpoint redirects. The function does not follow, since the token would go with it.",
		"Put the final URL into `auth_endpoint_introspect`.")
	ProviderTooLarge = failed(ProviderPrefix+"too_large",
		"The provider's response is over 64 KiB.",
		"Configure fewer claims at the provider, or correct `auth_endpoint_introspect`.")
	ProviderMalformed = failed(ProviderPrefix+"malformed",
		"The provider's response is not exactly one JSON object, or a name occurs twice in it.",
		"Correct `auth_endpoint_introspect`: it may be a web page.")
	ProviderSettings = failed(ProviderPrefix+"settings",
		"The introspection endpoint is not an https URL, or a credential that `introspectionAuth` needs is missing.",
		"Correct the field in the secret.")
	Keys = failed("keys_unavailable",
		"With `jwt` or `moreIssuers`: the provider's keys could never be fetched; or the token names an unknown key, and the keys cannot be fetched now.",
		"`error` says why. Check `authEndpointJwks`, or `jwks` in `moreIssuers`.")
	Response = failed("answer_unwritable",
		"A claim cannot be written as JSON. No provider is known to cause this.",
		"Turn on enhanced logging and report it.")
)
