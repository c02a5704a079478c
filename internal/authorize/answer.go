package authorize

import (
	"encoding/json"
	"maps"
	"strconv"

	"healthlake-smart-on-fhir/internal/claims"
)

// Answer is what HealthLake expects back.
// https://docs.aws.amazon.com/healthlake/latest/devguide/reference-smart-on-fhir-token-validation.html
type Answer struct {
	AuthPayload claims.Set `json:"authPayload"`
	IAMRoleARN  string     `json:"iamRoleARN"`
}

// NewAnswer composes the answer to a decision. issuer is the provider's token endpoint and endpoint the event's, as users
// of this deployment know them; role is what HealthLake assumes. A denial carries the role too, so that its form is the same.
func NewAnswer(d Decision, issuer, endpoint, role string) (Answer, error) {
	iss, err := encode(issuer)
	if err != nil {
		return Answer{}, err
	}
	aud, err := encode(endpoint)
	if err != nil {
		return Answer{}, err
	}
	payload := claims.Set{}
	maps.Copy(payload, d.passed)
	// After what the provider sent, so that it cannot stand in for them.
	maps.Copy(payload, claims.Set{
		"iss":          iss,
		"aud":          aud,
		"iat":          number(d.iat),
		"nbf":          number(d.nbf),
		"exp":          number(d.exp),
		"isAuthorized": json.RawMessage(strconv.FormatBool(d.Authorized)),
		"scope":        d.scope,
	})
	return Answer{AuthPayload: payload, IAMRoleARN: role}, nil
}

// JSON is the answer as the function sends it, byte for byte what the provider sent where that passes through.
func (a Answer) JSON() ([]byte, error) {
	return encode(a)
}

func number(n int64) json.RawMessage {
	return strconv.AppendInt(nil, n, 10)
}
