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
