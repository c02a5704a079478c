package authorize

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
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
	b := append(make([]byte, 0, 1024), `{"authPayload":{`...)
	for i, name := range slices.Sorted(maps.Keys(r.AuthPayload)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = contract.AppendJSONString(b, name)
		b = append(b, ':')
		b = append(b, r.AuthPayload[name]...)
	}
	b = append(b, `},"iamRoleARN":`...)
	b = contract.AppendJSONString(b, r.IAMRoleARN)
	b = append(b, '}')
	if !json.Valid(b) {
		return nil, errors.New("a claim is not JSON")
	}
	return b, nil
}

func text(s string) json.RawMessage { return contract.AppendJSONString(nil, s) }

func number(n int64) json.RawMessage {
	return strconv.AppendInt(nil, n, 10)
}
