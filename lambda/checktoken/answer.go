package main

import (
	"encoding/json"
	"maps"
	"strconv"

	"healthlake-smart-on-fhir/internal/claims"
)

// answer is what HealthLake expects back.
// https://docs.aws.amazon.com/healthlake/latest/devguide/reference-smart-on-fhir-token-validation.html
type answer struct {
	AuthPayload claims.Set `json:"authPayload"`
	IAMRoleARN  string     `json:"iamRoleARN"`
}

// newAnswer composes the answer to a decision. issuer is the provider's token endpoint and endpoint the event's, as users
// of this deployment know them; role is what HealthLake assumes. A denial carries the role too, so that its form is the same.
func newAnswer(d decision, issuer, endpoint, role string) (answer, error) {
	iss, err := encode(issuer)
	if err != nil {
		return answer{}, err
	}
	aud, err := encode(endpoint)
	if err != nil {
		return answer{}, err
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
		"isAuthorized": json.RawMessage(strconv.FormatBool(d.authorized)),
		"scope":        d.scope,
	})
	return answer{AuthPayload: payload, IAMRoleARN: role}, nil
}

func number(n int64) json.RawMessage {
	return strconv.AppendInt(nil, n, 10)
}
