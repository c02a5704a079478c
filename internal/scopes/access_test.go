package scopes_test

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/scopes"
)

func TestAccessOf(t *testing.T) {
	var (
		read        = scopes.Access{}
		write       = scopes.Access{Write: true}
		export      = scopes.Access{Export: true}
		writeExport = scopes.Access{Write: true, Export: true}
	)
	for _, test := range []struct {
		claim string
		want  scopes.Access
	}{
		// Nothing for FHIR resources.
		{"", read}, {" ", read}, {"openid", read}, {"openid fhirUser offline_access", read}, {"launch", read},
		{"launch/patient", read}, {"write", read}, {"*", read}, {"*.*", read}, {"system", read}, {"system/", read},

		// v1.
		{"patient/*.read", read}, {"patient/Observation.read", read}, {"user/*.read", read}, {"system/*.read", export},
		{"system/Patient.read", export}, {"patient/*.write", write}, {"patient/Observation.write", write}, {"user/*.write", write},
		{"system/*.write", write}, {"patient/*.*", write}, {"user/*.*", write}, {"user/Patient.*", write}, {"system/*.*", writeExport},
		{"system/Patient.*", writeExport},

		// v2.
		{"patient/*.r", read}, {"patient/*.s", read}, {"patient/*.rs", read}, {"user/Observation.rs", read}, {"system/*.rs", export},
		{"system/*.r", export}, {"system/*.s", read}, {"patient/*.c", write}, {"patient/*.u", write}, {"patient/*.d", write},
		{"patient/*.cud", write}, {"patient/*.cruds", write}, {"user/Observation.crus", write}, {"system/*.c", write},
		{"system/*.cud", write}, {"system/*.cruds", writeExport}, {"system/Observation.ru", writeExport},

		// v2.2.
		{"patient/Observation.rs?category=laboratory", read}, {"patient/Observation.cruds?category=laboratory", write},
		{"system/Observation.rs?category=laboratory", read}, {"system/Observation.cruds?category=laboratory", write},
		{"system/Observation.rs?category=laboratory system/Patient.rs", export},

		// Several.
		{"openid patient/*.rs patient/Observation.c", write}, {"patient/*.rs user/*.rs", read}, {"system/*.rs system/*.cud", writeExport},
		{"system/*.rs patient/*.rs", read}, {"system/*.rs user/*.rs", read}, {"system/*.cruds patient/*.rs", write},
		{"openid system/*.rs", export}, {"launch/patient system/*.rs", export}, {"user/*.rs system/*.c", write},

		// What cannot be read grants nothing.
		{"patient/*.writ", read}, {"patient/*.WRITE", read}, {"patient/*.Write", read}, {"PATIENT/*.write", read}, {"patient/*.dc", read},
		{"patient/*.cc", read}, {"patient/*.crudsx", read}, {"patient/*.cruds?a=b", read}, {"patient/observation.write", read},
		{"patient/.write", read}, {"patient/*write", read}, {"patient*.write", read}, {"other/*.write", read}, {"system /*.rs", read},
		{"SYSTEM/*.rs", read}, {"system/*.reads", read}, {"system/*.rs?a=b", read}, {"system//*.rs", read}, {"xsystem/*.rs", read},
		{"patient/*.write\n", read}, {"patient/*.write\tpatient/*.c", read}, {"patient/*.write,patient/*.rs", read},
		{"https://resource.example/patient/*.write", read},
	} {
		if got := scopes.AccessOf(test.claim); got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.claim, got, test.want)
		}
	}
}

// No write role without a write scope, and no export for anybody but a backend service.
func FuzzAccessOf(f *testing.F) {
	for _, seed := range []string{"patient/*.rs system/*.rs", "system/*.*", "user/*.write", "patient/Observation.cruds?a=b", "system/*.s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, claim string) {
		writes, systems, others := false, false, false
		for word := range strings.SplitSeq(claim, " ") {
			level, rest, _ := strings.Cut(word, "/")
			_, permissions, _ := strings.Cut(rest, ".")
			permissions, _, _ = strings.Cut(permissions, "?")
			fhir := level == "patient" || level == "user" || level == "system"
			writes = writes || fhir && (permissions == "write" || permissions == "*" || permissions != "read" && strings.ContainsAny(permissions, "cud"))
			_, readable := scopes.Parse(word)
			systems = systems || level == "system"
			others = others || readable && level != "system"
		}
		got := scopes.AccessOf(claim)
		if got.Write && !writes || got.Export && (!systems || others) {
			t.Errorf("%q gets %+v", claim, got)
		}
	})
}
