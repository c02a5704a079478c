package scopes

// Access is what a token's scopes need the role for that HealthLake assumes.
type Access struct {
	Write  bool // change records
	Export bool // run bulk exports (FHIR Bulk Data Access)
}

// AccessOf returns what a scope claim needs at the least. A scope that cannot be read adds nothing.
//
// Only a backend service exports: a token needs a system scope that reads, and none of a patient or a user. An export hands
// out whole records, so the filter of a v2.2 scope is no reason to allow one.
func AccessOf(claim string) Access {
	var access Access
	systemReads, others := false, false
	for _, scope := range All(claim) {
		if scope.Permissions&Write != 0 {
			access.Write = true
		}
		switch {
		case scope.Level != System:
			others = true
		case scope.Permissions&Read != 0 && !scope.Filtered:
			systemReads = true
		}
	}
	access.Export = systemReads && !others
	return access
}
