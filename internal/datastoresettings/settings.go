// Package datastoresettings changes the settings of a datastore in place, for a custom resource of CloudFormation. To
// CloudFormation itself every setting of a datastore is create-only; HealthLake's own API changes name and identity provider
// configuration at once (HealthLake developer guide, "Updating a data store").
package datastoresettings

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/healthlake/types"

	"healthlake-smart-on-fhir/internal/contract"
)

// Of are a datastore's settings as DescribeFHIRDatastore shows them.
func Of(datastore types.DatastoreProperties) contract.DatastoreSettings {
	settings := contract.DatastoreSettings{DatastoreName: aws.ToString(datastore.DatastoreName)}
	if provider := datastore.IdentityProviderConfiguration; provider != nil {
		settings.AuthorizationStrategy = string(provider.AuthorizationStrategy)
		settings.FineGrainedAuthorizationEnabled = strconv.FormatBool(provider.FineGrainedAuthorizationEnabled)
		settings.IdpLambdaArn = aws.ToString(provider.IdpLambdaArn)
		settings.Metadata = aws.ToString(provider.Metadata)
	}
	return settings
}

// Differences names what is different about two settings: the API's names, and in the place of Metadata the fields of the
// discovery document, such as token_endpoint. How the document is written, and in which order, makes no difference.
func Differences(a, b contract.DatastoreSettings) (names []string) {
	for _, field := range []struct{ name, a, b string }{
		{"DatastoreName", a.DatastoreName, b.DatastoreName},
		{"AuthorizationStrategy", a.AuthorizationStrategy, b.AuthorizationStrategy},
		{"FineGrainedAuthorizationEnabled", a.FineGrainedAuthorizationEnabled, b.FineGrainedAuthorizationEnabled},
		{"IdpLambdaArn", a.IdpLambdaArn, b.IdpLambdaArn},
	} {
		if field.a != field.b {
			names = append(names, field.name)
		}
	}
	return append(names, metadataDifferences(a.Metadata, b.Metadata)...)
}

func metadataDifferences(a, b string) (names []string) {
	if a == b {
		return nil
	}
	var x, y map[string]any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return []string{"Metadata"}
	}
	all := map[string]any{}
	maps.Copy(all, x)
	maps.Copy(all, y)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(x[name], y[name]) {
			names = append(names, name)
		}
	}
	return names
}
