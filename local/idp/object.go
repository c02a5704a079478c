package idp

import (
	"encoding/json"
	"maps"
)

// Object is a JSON object's members.
type Object map[string]any

// String is the object as JSON. It panics where that has no such value.
func (o Object) String() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// With returns a copy with members that are added or replaced; nil removes one.
func (o Object) With(members Object) Object {
	changed := maps.Clone(o)
	maps.Copy(changed, members)
	maps.DeleteFunc(changed, func(_ string, value any) bool { return value == nil })
	return changed
}
