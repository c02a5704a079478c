package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// event is what HealthLake sends for every FHIR request. Its other fields (datastoreId, datastoreTypeVersion,
// datastoreName) are not needed for the decision.
type event struct {
	DatastoreEndpoint string `json:"datastoreEndpoint"`
	BearerToken       string `json:"bearerToken"`
	OperationName     string `json:"operationName"`
}

// parseEvent reads an event. The error names the field at fault and quotes nothing.
func parseEvent(payload []byte) (event, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			return event{}, fmt.Errorf("event: %s is not a string", mistyped.Field)
		}
		return event{}, errors.New("event: not a JSON object")
	}
	if e.BearerToken == "" {
		return event{}, errors.New("event: bearerToken is missing")
	}
	if e.DatastoreEndpoint == "" {
		return event{}, errors.New("event: datastoreEndpoint is missing")
	}
	return e, nil
}

// maxToken is twice what HealthLake's own header limit could let through.
const maxToken = 16 << 10

// wellFormed tells whether a token could be one at all: RFC 6749 appendix A.12 allows visible ASCII, and a bearer token
// has no space in it (RFC 6750 section 2.1). What is not well formed is denied without asking the provider.
func wellFormed(token string) bool {
	if len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return true
}
