package stacks

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Source is the project that the function is compiled from, and what the function will say about itself when it starts.
type Source struct {
	Root     string // the project's directory
	Version  string // package.json's
	Revision string // the last commit that changed the function, "+dirty" if files differ from it, or "unknown"
}

// The functions' main packages, below lambda.
const (
	checkTokenMain = "checktoken"
	settingsMain   = "datastoresettings"
)

// functionFiles are the git pathspecs of the checkToken function's sources. Commits that change nothing else leave the function's bytes
// as they are, so that deploying them replaces nothing.
var functionFiles = []string{
	"lambda/" + checkTokenMain, "internal", "go.mod", "go.sum", ":(exclude)internal/config",
	":(exclude)internal/datastoresettings", ":(exclude,glob)**/*_test.go",
}

// FindSource looks for the project from the working directory upwards: cdk runs the app in the project's directory, go
// test in a package's.
func FindSource() (Source, error) {
	dir, err := os.Getwd()
	if err != nil {
		return Source{}, err
	}
	for {
		if info, err := os.Stat(Source{Root: dir}.entry(checkTokenMain)); err == nil && info.IsDir() {
			version, err := packageVersion(filepath.Join(dir, "package.json"))
			return Source{Root: dir, Version: version, Revision: revision(dir)}, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return Source{}, errors.New("lambda/checktoken not found: run this in the project's directory")
		}
		dir = parent
	}
}

// entry is the directory of a function's main package.
func (s Source) entry(main string) string { return filepath.Join(s.Root, "lambda", main) }

// plainVersion is one that can be put on a command line as it is.
var plainVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]*$`)

func packageVersion(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var file struct{ Version string }
	if err := json.Unmarshal(b, &file); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if !plainVersion.MatchString(file.Version) {
		return "", fmt.Errorf("%s: version %q, want one such as 0.1.0", path, file.Version)
	}
	return file.Version, nil
}

// revision is "unknown" where git knows nothing of the project: a downloaded archive, a machine without git.
func revision(root string) string {
	git := func(args ...string) (string, error) {
		args = append(append([]string{"-C", root}, args...), "--")
		out, err := exec.Command("git", append(args, functionFiles...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("log", "-1", "--format=%H")
	if err != nil || commit == "" {
		return "unknown"
	}
	if changes, err := git("status", "--porcelain"); err != nil || changes != "" {
		return commit + "+dirty"
	}
	return commit
}

// caBundle is the file of authorities that goes into the function's package. path may be relative to the project. The
// error is a line for the person who deploys.
func (s Source) caBundle(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.Root, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("authCaBundle: %w; give the path of a PEM file, from the project's folder", err)
	}
	if err := checkCertificates(content); err != nil {
		return "", fmt.Errorf("authCaBundle: %s: %w", path, err)
	}
	return path, nil
}

// checkCertificates wants nothing but certificates: everything else, a private key above all, would go into the
// function's package and the bucket that it is deployed from.
func checkCertificates(content []byte) error {
	found := 0
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("got a PEM block %q, want certificates alone", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d: %w", found+1, err)
		}
		found++
	}
	if found == 0 {
		return errors.New("got no certificate, want at least one in PEM form")
	}
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		return fmt.Errorf("the PEM block after certificate %d is broken", found)
	}
	return nil
}
