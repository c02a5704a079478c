package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Issuer is an issuer beside the main one. The tokens that name it as theirs are verified by its keys and judged by its rules,
// and by nobody else's.
type Issuer struct {
	Issuer           string            `json:"issuer"` // byte for byte the iss of its tokens
	JWKS             string            `json:"jwks"`   // where it publishes its keys
	RequiredAudience []string          `json:"requiredAudience"`
	RequiredScope    []string          `json:"requiredScope,omitempty"`
	ClaimNames       map[string]string `json:"claimNames,omitempty"`
}

// issuers is a JSON array of issuers.
func issuers(name string, field func(*Environment) *[]Issuer) variable {
	return variable{
		name: name,
		write: func(e Environment) string {
			if len(*field(&e)) == 0 {
				return ""
			}
			text, _ := CompactJSON(*field(&e)) // strings can always be written
			return string(text)
		},
		read: func(e *Environment, value string) error {
			if value == "" {
				return nil
			}
			decoder := json.NewDecoder(bytes.NewReader([]byte(value)))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(field(e)); err != nil || decoder.More() {
				return errors.New("not a JSON array of issuers")
			}
			return nil
		},
	}
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
