package config

import (
	"fmt"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
)

// rule is about several keys together, or about a value that is valid but probably unintended. It is skipped where one of
// the keys that it reads has no valid value, so that one mistake is reported once.
type rule struct {
	reads []string
	check func(Config) []Problem
}

var rules = slices.Concat([]rule{
	{[]string{KeyPrefix, KeyBulkExport}, prefixRule},
	{[]string{KeyPrefix, KeyDatastoreName}, datastoreNameRule},
	{[]string{KeyTokenValidation, KeyRequiredAudience, KeyAuthEndpoint, KeyAuthIssuer, KeyAuthEndpointJwks}, jwtRule},
	{[]string{KeyTokenValidation, KeyIntrospectionAuth, KeyClientAssertionAudience, KeyAuthEndpoint, KeyAuthIssuer},
		assertionAudienceRule},
	{[]string{KeyMoreIssuers, KeyAuthEndpoint, KeyAuthIssuer}, moreIssuersRule},
	{[]string{KeyMoreIssuers}, environmentRule},
	{[]string{KeyTokenValidation, KeyAuthEndpointIntrospect, KeyRequiredAudience, KeyTrustedIssuers}, anyTokenRule},
	{[]string{KeyKMSKey, KeyRegion}, kmsKeyRule},
	{documentKeys, documentRule},
	{[]string{KeySecretName}, secretNameRule},
	{[]string{KeyAuditClaims, KeyLogRetentionDays, KeyKMSKey}, auditRule},
	{[]string{KeyLambdaConcurrentExecutions, KeyLambdaMaxConcurrentExecutions}, maxConcurrencyRule},
	{[]string{KeyVPCSubnets, KeyVPCID, KeyVPCSecurityGroups, KeyVPCSecretsEndpoint}, vpcRule},
	{[]string{KeyLambdaConcurrentExecutions, KeyLambdaMaxConcurrentExecutions, KeyLambdaReservedConcurrency},
		reservedConcurrencyRule},
}, smartRules)

// jwtRule: the provider's keys sign tokens for every audience, so a valid signature alone is not enough.
func jwtRule(c Config) (problems []Problem) {
	if c.TokenValidation != TokenValidationJWT {
		return nil
	}
	for _, needed := range []struct {
		key, want string
		empty     bool
	}{
		{KeyAuthIssuer, "the provider's issuer, byte for byte", c.AuthIssuer == ""},
		{KeyAuthEndpointJwks, "where the provider publishes its keys", c.AuthEndpointJwks == ""},
		{KeyRequiredAudience, "the audience that a token must be for", len(c.RequiredAudience) == 0},
	} {
		if needed.empty {
			problems = append(problems, Problem{Key: needed.key, Got: "nothing",
				Want: needed.want + ", because " + KeyTokenValidation + " is " + TokenValidationJWT})
		}
	}
	return problems
}

// assertionAudienceRule: an assertion that names nobody could be shown to anybody (RFC 7523 section 3).
func assertionAudienceRule(c Config) []Problem {
	if c.TokenValidation == TokenValidationJWT || c.IntrospectionAuth != clientauth.PrivateKeyJWT ||
		c.ClientAssertionAudience != "" || c.AuthIssuer != "" {
		return nil
	}
	return []Problem{{Key: KeyClientAssertionAudience, Got: "nothing, and no " + KeyAuthIssuer,
		Want: "the audience of client assertions that the provider's documentation names, often its issuer"}}
}

// anyTokenRule: introspection tells whether a token is active, not what it is for. RFC 7662 lets a provider introspect refresh
// tokens too, and not every provider marks them.
func anyTokenRule(c Config) []Problem {
	if c.TokenValidation == TokenValidationJWT || len(c.RequiredAudience) > 0 || len(c.TrustedIssuers) > 0 {
		return nil
	}
	return warning(KeyRequiredAudience, "nothing, and no "+KeyTrustedIssuers+" either",
		"the audience of the datastore's tokens: without it every active token is accepted, also one for another API and a "+
			"refresh token (Okta, Ping)")
}

// kmsKeyRule: HealthLake encrypts with keys of its own region only.
func kmsKeyRule(c Config) []Problem {
	arn := strings.Split(c.KMSKey, ":") // arn:aws:kms:<region>:<account>:key/<id>
	if len(arn) < 4 || arn[3] == c.Region {
		return nil
	}
	return []Problem{{Key: KeyKMSKey, Got: fmt.Sprintf("a key in %s", arn[3]), Want: "a key in region " + c.Region}}
}

// documentKeys are those that the discovery document is made from.
var documentKeys = []string{KeyAuthIssuer, KeyAuthEndpointJwks, KeyAuthEndpointAuthorize, KeyAuthEndpointToken, KeyAuthEndpointRegister,
	KeyAuthEndpointManage, KeyAuthEndpointRevoke, KeySmartScopes, KeySmartCapabilities, KeyGrantTypes,
	KeyTokenEndpointAuthMethods, KeyTokenEndpointAuthSigningAlgs}

// documentRule: the stack takes the document as a parameter.
func documentRule(c Config) []Problem {
	size := len(c.Metadata())
	if size <= contract.MaxParameter {
		return nil
	}
	return []Problem{{Key: KeySmartScopes, Got: fmt.Sprintf("a discovery document of %d bytes", size),
		Want: fmt.Sprintf("fewer scopes: at most %d bytes with the endpoints, CloudFormation's limit for a parameter",
			contract.MaxParameter)}}
}

func maxConcurrencyRule(c Config) []Problem {
	if c.LambdaMaxConcurrentExecutions == 0 || c.LambdaMaxConcurrentExecutions >= c.LambdaConcurrentExecutions {
		return nil
	}
	return []Problem{{Key: KeyLambdaMaxConcurrentExecutions, Got: fmt.Sprint(c.LambdaMaxConcurrentExecutions),
		Want: fmt.Sprintf("0 for no scaling, or at least %d, the value of %s",
			c.LambdaConcurrentExecutions, KeyLambdaConcurrentExecutions)}}
}

// reservedConcurrencyRule: Lambda refuses to provision more than is reserved.
func reservedConcurrencyRule(c Config) []Problem {
	least := max(c.LambdaConcurrentExecutions, c.LambdaMaxConcurrentExecutions)
	if c.LambdaReservedConcurrency == 0 || c.LambdaReservedConcurrency >= least {
		return nil
	}
	return []Problem{{Key: KeyLambdaReservedConcurrency, Got: fmt.Sprint(c.LambdaReservedConcurrency),
		Want: fmt.Sprintf("0 for none, or at least %d, the most that is provisioned", least)}}
}

// impersonalClaims name software or a token, and nobody.
var impersonalClaims = slices.Concat(contract.DefaultAuditClaims, contract.ClientIDClaims, []string{"iss", "aud", "iat", "nbf", "exp",
	"scope", "scp", "token_type", "token_use", "typ"})

// auditRule: a log that names people is to be protected and kept like other records about patients (45 CFR 164.312(b) and
// 164.316(b)(2)).
func auditRule(c Config) []Problem {
	i := slices.IndexFunc(c.AuditClaims, func(name string) bool { return !slices.Contains(impersonalClaims, name) })
	if i < 0 || c.KMSKey != KMSKeyAWSOwned && c.LogRetentionDays >= 365 {
		return nil
	}
	return []Problem{{Key: KeyAuditClaims, Got: show(c.AuditClaims[i]) + ", which may name a person", Warning: true,
		Want: "a customer key (" + KeyKMSKey + ") and " + KeyLogRetentionDays + " of at least 365"}}
}
