package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// createOnly are the properties of a datastore that CloudFormation cannot change. For another value, or another logical id, it
// creates a new datastore (CloudFormation registry, AWS::HealthLake::FHIRDatastore).
var createOnly = []string{
	"DatastoreName", "DatastoreTypeVersion", "IdentityProviderConfiguration", "PreloadDataConfig", "SseConfiguration",
}

const (
	metadataProperty = "IdentityProviderConfiguration.Metadata"
	removed          = "the resource itself, which is no longer in the template"
)

// datastores returns a template's datastores by logical id.
func datastores(t template) map[string]resource {
	found := map[string]resource{}
	for id, r := range t.Resources {
		if r.Type == "AWS::HealthLake::FHIRDatastore" {
			found[id] = r
		}
	}
	return found
}

// replacements names the changes for which CloudFormation would replace or delete a deployed datastore. A value that is only
// written differently counts too, because intrinsic functions are not evaluated here.
func replacements(before, after template) (changes []string) {
	next := datastores(after)
	was := datastores(before)
	for _, id := range slices.Sorted(maps.Keys(was)) {
		now, ok := next[id]
		if !ok {
			changes = append(changes, removed)
			continue
		}
		for _, name := range createOnly {
			changes = append(changes, differences(name, was[id].Properties[name], now.Properties[name])...)
		}
	}
	return changes
}

// differences returns the paths at which two JSON values differ.
func differences(path string, a, b any) (paths []string) {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	x, xIsObject := a.(map[string]any)
	y, yIsObject := b.(map[string]any)
	if !xIsObject || !yIsObject {
		if path == metadataProperty {
			return []string{path + metadataFields(a, b)}
		}
		return []string{path}
	}
	keys := slices.Collect(maps.Keys(x))
	for key := range y {
		if _, both := x[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		paths = append(paths, differences(path+"."+key, x[key], y[key])...)
	}
	return paths
}

// metadataFields names the fields of the discovery document that differ, so that people recognize what they changed.
func metadataFields(a, b any) string {
	x, xOK := object(a)
	y, yOK := object(b)
	if !xOK || !yOK {
		return ""
	}
	var names []string
	for _, path := range differences("", x, y) {
		names = append(names, strings.TrimPrefix(path, "."))
	}
	if len(names) == 0 {
		return " (the order of its fields)"
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// object reads a JSON object from a text.
func object(text any) (fields map[string]any, ok bool) {
	s, _ := text.(string)
	return fields, json.Unmarshal([]byte(s), &fields) == nil
}

// refusal says what the deploy would do to the datastore, and what to do instead.
func refusal(datastoreStack string, changes []string, stacks []stack) error {
	var others []string
	for _, s := range stacks {
		if s.Name != datastoreStack {
			others = append(others, s.Name)
		}
	}
	inPlace := !slices.ContainsFunc(changes, func(c string) bool {
		return c != "DatastoreName" && !strings.HasPrefix(c, "IdentityProviderConfiguration")
	})

	var b strings.Builder
	fmt.Fprintf(&b, "Stopped: this deploy would replace the datastore of stack %s. "+
		"CloudFormation can set these only when it creates a datastore, and they changed:\n\n", datastoreStack)
	for _, c := range changes {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	if slices.Contains(changes, removed) {
		b.WriteString("\nThe datastore would be removed from the stack. It would be deleted with all its records " +
			"unless protectDatastore was true at the last deploy.\n")
	} else {
		b.WriteString("\nThe new datastore would be empty, with another id and endpoint. " +
			"The old one would be kept with its records,\noutside of the stack, and would still cost money.\n")
	}
	if inPlace {
		var name string
		if slices.Contains(changes, "DatastoreName") {
			name = " --datastore-name <new name>"
		}
		fmt.Fprintf(&b, "\nTo change the datastore in place instead, and keep its records:\n"+
			"  make idp-config > idp.json\n"+
			"  aws healthlake update-fhir-datastore --datastore-id <id> --identity-provider-configuration file://idp.json%s\n"+
			"and from then on deploy the other stacks alone (docs/operations.md says why):\n"+
			"  npx cdk deploy --exclusively %s\n", name, strings.Join(others, " "))
	}
	b.WriteString("\nTo replace the datastore:\n  CONFIRM_REPLACEMENT=yes make deploy")
	return errors.New(b.String())
}
