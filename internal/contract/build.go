package contract

// version and revision are set by the linker; see LinkerFlags.
var version, revision = "unknown", "unknown"

// Build returns the project's version, and the last commit that changed the function, as they were when this binary was
// built by LinkerFlags; "unknown" otherwise.
func Build() (builtVersion, builtRevision string) { return version, revision }

// LinkerFlags are the linker's flags (go build -ldflags) for a function. They leave out what differs from machine to
// machine, so that the same source gives the same bytes.
func LinkerFlags(version, revision string) string {
	const here = "healthlake-smart-on-fhir/internal/contract"
	return "-s -w -buildid= -X " + here + ".version=" + version + " -X " + here + ".revision=" + revision
}

// BuildTags leave out of a function's binary what only Lambda's retired Go runtime needs.
const BuildTags = "lambda.norpc"
