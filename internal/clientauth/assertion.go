package clientauth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"
)

// AssertionType is the form field client_assertion_type of every assertion (RFC 7523 section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionLifetime is how long the provider may take to receive an assertion, and how long it must remember its jti.
const assertionLifetime = time.Minute

// Assertion returns a new client assertion (RFC 7523 section 3, OpenID Connect Core section 9) for one request: the provider may
// refuse it the second time. It expires a minute after now.
func (k *Key) Assertion(clientID, audience string, now time.Time) (string, error) {
	if clientID == "" || audience == "" {
		return "", errors.New("client authentication private_key_jwt needs a client id and an audience")
	}
	payload, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{clientID, clientID, audience, rand.Text(), now.Unix(), now.Add(assertionLifetime).Unix()})
	if err != nil {
		return "", err // strings and numbers can always be written
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", errors.New("the private key cannot sign")
	}
	return signed.CompactSerialize()
}
