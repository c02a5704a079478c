package scopes_test

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/scopes"
)

const all = scopes.Read | scopes.Search | scopes.Write

func TestParse(t *testing.T) {
	for text, want := range map[string]scopes.Scope{
		"patient/Observation.read":          {Level: "patient", Resource: "Observation", Permissions: scopes.Read | scopes.Search},
		"user/*.write":                      {Level: "user", Resource: "*", Permissions: scopes.Write},
		"system/*.*":                        {Level: "system", Resource: "*", Permissions: all},
		"patient/Observation.rs":            {Level: "patient", Resource: "Observation", Permissions: scopes.Read | scopes.Search, V2: true},
		"user/*.cruds":                      {Level: "user", Resource: "*", Permissions: all, V2: true},
		"system/Patient.c":                  {Level: "system", Resource: "Patient", Permissions: scopes.Create, V2: true},
		"system/Patient.ud":                 {Level: "system", Resource: "Patient", Permissions: scopes.Update | scopes.Delete, V2: true},
		"patient/MedicationRequest.s":       {Level: "patient", Resource: "MedicationRequest", Permissions: scopes.Search, V2: true},
		"patient/Observation.rs?category=a": {Level: "patient", Resource: "Observation", Permissions: scopes.Read | scopes.Search, V2: true, Filtered: true},
		"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory&status=final": {
			Level: "patient", Resource: "Observation", Permissions: scopes.Read | scopes.Search, V2: true, Filtered: true},
	} {
		if got, ok := scopes.Parse(text); !ok || got != want {
			t.Errorf("%s: got %+v, %t, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "openid", "fhirUser", "launch", "launch/patient", "offline_access", "patient", "patient/", "patient/Observation", "patient/Observation.",
		"patient/.rs", "patient/*", "patient/*.", "/Observation.rs", "Patient/Observation.rs", "PATIENT/Observation.rs", "group/*.rs",
		"patient/observation.rs", "patient/Observation.sr", "patient/Observation.rr", "patient/Observation.x", "patient/Observation.Read",
		"patient/Observation.READ", "patient/Observation.rsx", "patient/Observation.reads", "patient/Observation.**", "patient/**.rs",
		"patient/Observation.rs?", "patient/Observation.rs?category", "patient/Observation.rs?category=", "patient/Observation.rs?=a",
		"patient/Observation.rs?a=b&", "patient/Observation.rs?a=\"", "patient/*.rs?category=a", "patient/Observation.read?category=a",
		"patient/Observation.*?a=b", "patient/Observation.?a=b", "patient/Observation-x.rs", "patient/Obs3.rs", "patient/Observation.rs.cud",
		"patient/Observation/1.rs", "patient//Observation.rs", " patient/Observation.rs", "patient/Observation.rs ", "patient/Observation.rs\t",
		"patient/Оbservation.rs", "patient/Observation.сruds",
	} {
		if got, ok := scopes.Parse(text); ok {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestAll(t *testing.T) {
	got := scopes.All("openid patient/Observation.rs  launch/patient\tx user/*.read patient/x.rs")
	if len(got) != 2 || got[0].Level != scopes.Patient || got[1].Level != scopes.User {
		t.Errorf("got %+v", got)
	}
	if got := scopes.All(""); got != nil {
		t.Errorf("got %+v from nothing", got)
	}
}

// A scope that can be read says in its own text what it permits.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"patient/Observation.rs?category=laboratory", "system/*.*", "user/*.write", "launch/patient", "patient/*.rs?a=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scope, ok := scopes.Parse(text)
		if !ok {
			if scope != (scopes.Scope{}) {
				t.Errorf("%q cannot be read, and is %+v", text, scope)
			}
			return
		}
		permissions, _, filtered := strings.Cut(strings.TrimPrefix(text, string(scope.Level)+"/"+scope.Resource+"."), "?")
		if filtered != scope.Filtered || strings.ContainsAny(text, " \t\n") || scope.Permissions == 0 {
			t.Errorf("%q is read as %+v", text, scope)
		}
		writes := permissions == "write" || permissions == "*" || scope.V2 && strings.ContainsAny(permissions, "cud")
		if writes != (scope.Permissions&scopes.Write != 0) {
			t.Errorf("%q is read as %+v", text, scope)
		}
	})
}
