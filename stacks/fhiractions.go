package stacks

import (
	"slices"

	"healthlake-smart-on-fhir/internal/config"
)

// access is what an IAM action of HealthLake's data plane lets a FHIR request do.
type access int

const (
	toRead access = iota
	toWrite
	// toExport is not granted: Patient/$export and Group/<id>/$export read whole populations, and a filter in a scope does not
	// restrict them.
	toExport
	// withheld is not granted: bulk jobs change or delete many records at once.
	withheld
)

// fhirActions has each IAM action of HealthLake's data plane (Service Authorization Reference, AWS HealthLake). Actions of the
// control plane, such as DescribeFHIRDatastore and TagResource, are not here: no FHIR request needs them.
var fhirActions = map[access][]string{
	toRead: {
		"ExpandValueSetWithGet", "ExpandValueSetWithPost",
		"GetCapabilities",
		"GetHistoryByResourceId",
		"InquirePreAuthClaim",
		"LookupCodeSystemWithGet", "LookupCodeSystemWithPost",
		"QuestionnairePackage",
		"ReadResource",
		"SearchEverything", "SearchWithGet", "SearchWithPost",
		"TranslateConceptMapWithGet", "TranslateConceptMapWithPost",
		"ValidateResource", // stores nothing
		"VersionReadResource",
	},
	toWrite: {
		"ConfirmAttributionList",
		"CreateResource",
		"DeleteResource",
		"GenerateDocumentWithGet", "GenerateDocumentWithPost",
		"MemberAdd", "MemberMatch", "MemberRemove",
		"PatchResource",
		"ProcessBundle", // a bundle may write
		"RetrieveAttributionStatus",
		"SubmitPreAuthClaim",
		"UpdateResource",
	},
	toExport: {
		"CancelFHIRExportJobWithDelete",
		"DescribeFHIRExportJobWithGet",
		"GetExportedFile",
		"StartFHIRExportJobWithGet", "StartFHIRExportJobWithPost",
	},
	withheld: {
		"DescribeFHIRBulkDeleteJob", "StartFHIRBulkDeleteJob",
		"DescribeFHIRBulkMemberMatchJob", "StartFHIRBulkMemberMatchJob",
		"DescribeFHIRBulkPatchJob", "StartFHIRBulkPatchJob",
	},
}

// serviceActions are the actions that the service role has on the datastore, for a value of the key healthLakeAccess. They
// limit what any token, whatever its scopes, can make HealthLake do.
func serviceActions(healthLakeAccess string) []string {
	granted := fhirActions[toRead]
	if healthLakeAccess == config.AccessReadWrite {
		granted = slices.Concat(granted, fhirActions[toWrite])
	}
	actions := make([]string, len(granted))
	for i, name := range granted {
		actions[i] = "healthlake:" + name
	}
	slices.Sort(actions)
	return actions
}
