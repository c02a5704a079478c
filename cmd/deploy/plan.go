package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/datastoresettings"
)

// plan is what a deploy does to the datastore of a stack.
type plan struct {
	stack   string
	keeps   map[string]string // parameters that the stack does not have yet, with what its datastore was created with
	removed bool              // the datastore is no longer in the template
	changed []string          // the settings that change in place
	byHand  []string          // the settings that the datastore has otherwise than by the last deploy
	applies bool              // the deploy compares the settings with the datastore's own

	// replaces names the changes for which CloudFormation would build a new, empty datastore: context keys, or a property's
	// path where no key leads to it.
	replaces []string
}

// decide compares a synthesized stack with the deployed one. given are the options of cdk deploy. live is what the datastore
// has; nil: nobody knows. A value that is only written differently counts as another one if it is not plain text, because
// CloudFormation's functions are not evaluated here.
func decide(s stack, before deployed, given []string, live *contract.DatastoreSettings) plan {
	p := plan{stack: s.Name, keeps: map[string]string{}}
	options, keepsPrevious := givenValues(given, s.Name)
	was, now := before.resources(contract.DatastoreType), s.template.resources(contract.DatastoreType)
	for id := range was {
		asDeployed(now[id], was[id], before, p.keeps)
	}
	for name := range options {
		delete(p.keeps, name)
	}
	next := maps.Clone(p.keeps)
	maps.Copy(next, options)
	values := nextValues(s.template, before, next, keepsPrevious)

	for _, id := range slices.Sorted(maps.Keys(was)) {
		if now[id] == nil {
			p.removed = true
			continue
		}
		a, _ := resolve(was[id], before.values).(map[string]any)
		b, _ := resolve(now[id], values).(map[string]any)
		p.replaces = append(p.replaces, replacing(a, b)...)
	}
	lastWanted, known := settingsOf(before.template, before.values)
	if wanted, ok := settingsOf(s.template, values); ok && known {
		p.changed = datastoresettings.Differences(lastWanted, wanted)
	}
	if live != nil && known {
		p.byHand = datastoresettings.Differences(lastWanted, *live)
	}
	p.applies = options[contract.ApplyParameter] != "" && options[contract.ApplyParameter] != before.values[contract.ApplyParameter]
	return p
}

// replacing names the differences of a datastore's properties. Only tags are no reason for a new one (CloudFormation registry,
// AWS::HealthLake::FHIRDatastore).
func replacing(before, after map[string]any) (names []string) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, property := range slices.Sorted(maps.Keys(all)) {
		if property == "Tags" || reflect.DeepEqual(before[property], after[property]) {
			continue
		}
		if keys := config.Replacing(property); len(keys) > 0 {
			names = append(names, keys[0])
			continue
		}
		names = append(names, differences(property, before[property], after[property])...)
	}
	return names
}

// differences returns the paths at which two JSON values differ.
func differences(path string, a, b any) (paths []string) {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	x, xIsObject := a.(map[string]any)
	y, yIsObject := b.(map[string]any)
	if !xIsObject || !yIsObject {
		return []string{path}
	}
	all := maps.Clone(x)
	maps.Copy(all, y)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		paths = append(paths, differences(path+"."+key, x[key], y[key])...)
	}
	return paths
}

// settingsOf returns the settings that a template gives its datastore: the custom resource's, or those of the datastore itself
// in a stack of an earlier version.
func settingsOf(t template, values map[string]string) (settings contract.DatastoreSettings, ok bool) {
	for _, properties := range t.resources(contract.SettingsType) {
		resolved, _ := resolve(properties, values).(map[string]any)
		delete(resolved, "DatastoreId") // refers to the datastore
		var custom contract.DatastoreProperties
		if convert(resolved, &custom) == nil {
			return custom.Settings(), true
		}
	}
	for _, properties := range t.resources(contract.DatastoreType) {
		resolved, _ := resolve(properties, values).(map[string]any)
		err := convert(resolved, &settings)
		if err == nil {
			err = convert(resolved["IdentityProviderConfiguration"], &settings)
		}
		if err == nil {
			return settings, true
		}
	}
	return contract.DatastoreSettings{}, false
}

func convert(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}
