package stacks

import (
	"slices"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/scopes"
)

// access is what an IAM action of HealthLake's data plane lets a FHIR request do.
type access int

const (
	toRead access = iota
	toWrite
	// toBundle sends several interactions in one request. Which of them are carried out depends on the token's scopes.
	toBundle
	// toExport reads whole populations (Patient/$export, Group/<id>/$export), and a filter in a scope does not restrict it.
	toExport
	// toExportToS3 writes the same to a bucket that the deployment has for it.
	toExportToS3
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
		"RetrieveAttributionStatus",
		"SubmitPreAuthClaim",
		"UpdateResource",
	},
	toExport: {
		"CancelFHIRExportJobWithDelete",
		"DescribeFHIRExportJobWithGet",
		"GetExportedFile",
		"StartFHIRExportJobWithGet",
	},
	toExportToS3: {"StartFHIRExportJobWithPost"},
	toBundle:     {"ProcessBundle"},
	withheld: {
		"DescribeFHIRBulkDeleteJob", "StartFHIRBulkDeleteJob",
		"DescribeFHIRBulkMemberMatchJob", "StartFHIRBulkMemberMatchJob",
		"DescribeFHIRBulkPatchJob", "StartFHIRBulkPatchJob",
	},
}

// serviceActions are the actions that a service role has on the datastore. The key healthLakeAccess is the most that any role
// has. They limit what a token, whatever its scopes, can make HealthLake do.
func serviceActions(cfg config.Config, needs scopes.Access) []string {
	granted := fhirActions[toRead]
	// With read-only, no bundle either: nobody outside of AWS knows whether its entries are checked against this policy.
	if cfg.HealthLakeAccess == config.AccessReadWrite {
		granted = slices.Concat(granted, fhirActions[toBundle])
		if needs.Write {
			granted = slices.Concat(granted, fhirActions[toWrite])
		}
	}
	if needs.Export {
		granted = slices.Concat(granted, fhirActions[toExport])
		if cfg.BulkExport == config.BulkExportS3 {
			granted = slices.Concat(granted, fhirActions[toExportToS3])
		}
	}
	actions := make([]string, len(granted))
	for i, name := range granted {
		actions[i] = "healthlake:" + name
	}
	slices.Sort(actions)
	return actions
}
