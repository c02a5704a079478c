package contract

import "fmt"

// Issuer is an issuer beside the main one. The tokens that name it as theirs are verified by its keys and judged by its rules,
// and by nobody else's.
type Issuer struct {
	Issuer           string            `json:"issuer"` // byte for byte the iss of its tokens
	JWKS             string            `json:"jwks"`   // where it publishes its keys
	RequiredAudience []string          `json:"requiredAudience"`
	RequiredScope    []string          `json:"requiredScope,omitempty"`
	ClaimNames       map[string]string `json:"claimNames,omitempty"`
}

// checkIssuers: a key signs for every audience that its provider serves, so each issuer needs one. An issuer that is there twice
// would have two sets of rules.
func (e Environment) checkIssuers() error {
	seen := map[string]bool{}
	for i, issuer := range e.MoreIssuers {
		switch {
		case issuer.Issuer == "" || issuer.JWKS == "" || len(issuer.RequiredAudience) == 0:
			return fmt.Errorf("MORE_ISSUERS: entry %d lacks issuer, jwks or requiredAudience", i+1)
		case seen[issuer.Issuer] || issuer.Issuer == e.AuthIssuer:
			return fmt.Errorf("MORE_ISSUERS: the issuer of entry %d is there twice, or is AUTH_ISSUER", i+1)
		}
		seen[issuer.Issuer] = true
	}
	return nil
}
