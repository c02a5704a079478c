// Package functionbinary builds the function with the flags of the deployment, so that what runs on this machine is what
// would be deployed.
package functionbinary

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"healthlake-smart-on-fhir/internal/contract"
)

// Root returns the project's directory, which the current directory must be in.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "healthlake-smart-on-fhir").Output()
	if err != nil {
		return "", fmt.Errorf("functionbinary: the current directory is not inside this project: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Build builds lambda/checktoken for this machine, once per process, and returns the path of its bootstrap in local/.cache.
// It differs from the deployed binary in the platform alone.
var Build = sync.OnceValues(func() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	bootstrap := filepath.Join(root, "local", ".cache", "bootstrap")
	// The rename is atomic: another process may be starting the one that is there.
	mine := fmt.Sprintf("%s-%d", bootstrap, os.Getpid())
	if err := Compile(context.Background(), root, "./lambda/checktoken", mine, runtime.GOARCH); err != nil {
		return "", err
	}
	return bootstrap, os.Rename(mine, bootstrap)
})

// Compile builds a package of the module in the directory module for an architecture, with the flags of the deployment and
// those given, and writes the executable to the file output.
func Compile(ctx context.Context, module, pkg, output, arch string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", contract.LinkerFlags("unknown", "unknown"),
		"-tags", contract.BuildTags, "-o", output}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("functionbinary: %w\n%s", err, out)
	}
	return nil
}
