package authorize

import (
	"encoding/json"
	"maps"
	"strconv"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/contract"
)

// Response is what HealthLake gets.
// https://docs.aws.amazon.com/healthlake/latest/devguide/reference-smart-on-fhir-token-validation.html
type Response struct {
	AuthPayload claims.Set `json:"authPayload"`
	IAMRoleARN  string     `json:"iamRoleARN"`
}

// NewResponse composes the response to a decision. issuer becomes iss: the provider's token endpoint. endpoint becomes aud:
// the event's datastore endpoint. role is the role that HealthLake assumes; a denial carries it too, so that both have the
// same form.
func NewResponse(d Decision, issuer, endpoint, role string) Response {
	payload := claims.Set{}
	if d.Authorized() {
		payload = passThrough(d.Claims)
	}
	// Last, so that nothing from the provider can replace them.
	maps.Copy(payload, claims.Set{
		"iss":          text(issuer),
		"aud":          text(endpoint),
		"iat":          number(d.iat),
		"nbf":          number(d.nbf),
		"exp":          number(d.exp),
		"isAuthorized": json.RawMessage(strconv.FormatBool(d.Authorized())),
		"scope":        d.scope,
	})
	return Response{AuthPayload: payload, IAMRoleARN: role}
}

// JSON is the response as the function sends it. Claims that pass through are byte for byte what the provider sent.
func (r Response) JSON() ([]byte, error) {
	return contract.CompactJSON(r)
}

func text(s string) json.RawMessage {
	encoded, _ := contract.CompactJSON(s) // a string can always be written
	return encoded
}

func number(n int64) json.RawMessage {
	return strconv.AppendInt(nil, n, 10)
}
