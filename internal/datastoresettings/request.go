package datastoresettings

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"

	"healthlake-smart-on-fhir/internal/contract"
)

// request is what an event of CloudFormation asks for.
type request struct {
	datastoreID string
	wanted      contract.DatastoreSettings
	changes     []string // the settings that are to change; empty: there is nothing to do
}

// read decides what an event asks for, by what it says alone: the deployment that creates a datastore with the settings that
// it should have depends on no call to HealthLake. A resource that is deleted leaves the datastore as it is.
func read(event cfn.Event) (request, error) {
	if event.RequestType == cfn.RequestDelete {
		return request{}, nil
	}
	properties, err := readProperties(event.ResourceProperties)
	if err != nil {
		return request{}, fmt.Errorf("the resource's properties: %w", err)
	}
	before, applied := properties.Created, ""
	if event.RequestType == cfn.RequestUpdate {
		old, err := readProperties(event.OldResourceProperties)
		if err != nil {
			return request{}, fmt.Errorf("the resource's old properties: %w", err)
		}
		// Otherwise CloudFormation has replaced the datastore: the new one has what it was created with.
		if old.DatastoreID == properties.DatastoreID {
			before = old.Settings()
		}
		applied = old.ApplySettings
	}
	if properties.ApplySettings != "" && properties.ApplySettings != applied {
		before = contract.DatastoreSettings{} // nobody knows what the datastore has
	}
	wanted := properties.Settings()
	return request{properties.DatastoreID, wanted, Differences(before, wanted)}, nil
}

func readProperties(values map[string]any) (properties contract.DatastoreProperties, err error) {
	text, err := json.Marshal(values)
	if err != nil {
		return contract.DatastoreProperties{}, err
	}
	if err := json.Unmarshal(text, &properties); err != nil {
		return contract.DatastoreProperties{}, err
	}
	if properties.DatastoreID == "" {
		return contract.DatastoreProperties{}, fmt.Errorf("no DatastoreId")
	}
	return properties, nil
}
