// Package build makes the function's binary with the flags of the deployment, so that what runs on this machine is what
// would be deployed.
package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"

	"healthlake-smart-on-fhir/internal/contract"
)

var rootModule = regexp.MustCompile(`(?m)^module healthlake-smart-on-fhir$`)

// Root returns the directory of the project, which the current directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	for {
		if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && rootModule.Match(mod) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("build: the current directory is not inside this project")
		}
		dir = parent
	}
}

// Function builds lambda/checktoken into dir and returns the path of its bootstrap. It differs from the deployed binary
// in the platform alone, which is this machine's.
func Function(ctx context.Context, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	return bootstrap, Binary(ctx, root, "./lambda/checktoken", bootstrap, runtime.GOARCH)
}

// Binary builds a package of the module in the directory module with the flags of the deployment, and those given, for
// an architecture, and writes the executable to the file output.
func Binary(ctx context.Context, module, pkg, output, arch string, flags ...string) error {
	output, err := filepath.Abs(output)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", contract.LinkerFlags("unknown", "unknown"), "-tags", contract.BuildTags,
		"-o", output}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}
