package stacks

import "healthlake-smart-on-fhir/internal/config"

// fhirActions are the IAM actions that the service role has on the datastore. They bound what any token, whatever its
// scopes, can make HealthLake do.
func fhirActions(access string) []string {
	if access == config.AccessReadOnly {
		// Nothing here can change a record or a tag. ValidateResource checks a resource without storing it; ProcessBundle is
		// out since a bundle may write.
		return []string{
			"healthlake:DescribeFHIRDatastore",
			"healthlake:GetCapabilities",
			"healthlake:GetHistoryByResourceId",
			"healthlake:ListTagsForResource",
			"healthlake:ReadResource",
			"healthlake:SearchEverything",
			"healthlake:SearchWithGet",
			"healthlake:SearchWithPost",
			"healthlake:ValidateResource",
			"healthlake:VersionReadResource",
		}
	}
	return []string{
		"healthlake:CreateResource",
		"healthlake:DeleteResource",
		"healthlake:DescribeFHIRDatastore",
		"healthlake:GetCapabilities",
		"healthlake:GetHistoryByResourceId",
		"healthlake:ListTagsForResource",
		"healthlake:PatchResource",
		"healthlake:ProcessBundle",
		"healthlake:ReadResource",
		"healthlake:SearchEverything",
		"healthlake:SearchWithGet",
		"healthlake:SearchWithPost",
		"healthlake:TagResource",
		"healthlake:UntagResource",
		"healthlake:UpdateResource",
		"healthlake:ValidateResource",
		"healthlake:VersionReadResource",
	}
}
