package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
	"healthlake-smart-on-fhir/local/e2e/internal/hydra"
	"healthlake-smart-on-fhir/local/e2e/internal/oidcprovider"
	"healthlake-smart-on-fhir/local/e2e/internal/process"
	"healthlake-smart-on-fhir/local/runtimeapi"
)

// suite is one run.
type suite struct {
	root  string // the project
	work  string // for trees, assemblies and unpacked binaries
	group *process.Group
	steps *steps

	env      []string // of every program that is started
	python   string
	aws      *awslocal.Server
	hydra    *hydra.Server
	oidc     *oidcprovider.Server
	versions [][2]string

	mu           sync.Mutex
	functions    map[string]*runtimeapi.Function
	functionLogs map[string][]byte
}

// What the user before the apps is.
var session = map[string]any{"fhirUser": "Practitioner/e2e-practitioner", "patient": "e2e-patient"}

// run runs every step that can be run; the steps hold what came of it.
func (s *suite) run(ctx context.Context) {
	s.functions, s.functionLogs = map[string]*runtimeapi.Function{}, map[string][]byte{}
	s.steps.in(preparation)
	if !s.steps.do(ctx, "find the programs that are needed", s.findPrograms) || !s.prepare(ctx) {
		return
	}
	s.proof(ctx)
	s.tryCommands(ctx)
}

// preparation is the section whose steps prove nothing.
const preparation = "Preparation"

// close ends everything that runs.
func (s *suite) close() {
	s.stopFunctions()
	s.group.Close()
}

// stopFunctions ends the functions and keeps what they have logged.
func (s *suite) stopFunctions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.functions {
		s.functionLogs[name] = []byte(strings.Join(f.Logs(), "\n") + "\n")
		_ = f.Stop()
	}
}

// findPrograms says in one line each what is missing and how to get it.
func (s *suite) findPrograms(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s, Linux is needed: the binary that is deployed to Lambda is run here", runtime.GOOS)
	}
	var missing []error
	for _, program := range []struct{ name, install string }{
		{"node", "Node.js 22 or 24 is needed: https://nodejs.org/"},
		{"npm", "npm is needed; it comes with Node.js: https://nodejs.org/"},
		{"aws", "the AWS command line is needed: pip install awscli, or https://aws.amazon.com/cli/"},
		{"script", "script is needed, which gives a program a terminal: apt-get install bsdutils"},
		{"python3", "Python 3.10 or later is needed: https://www.python.org/downloads/"},
	} {
		if _, err := exec.LookPath(program.name); err != nil {
			missing = append(missing, errors.New(program.install))
		}
	}
	if _, err := exec.LookPath("cc"); err != nil {
		if _, err := exec.LookPath("gcc"); err != nil {
			missing = append(missing, errors.New("a C compiler is needed, for Hydra's SQLite: apt-get install gcc"))
		}
	}
	// What the user has set for real accounts must reach nothing here.
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") && !strings.HasPrefix(variable, "CDK_") {
			s.env = append(s.env, variable)
		}
	}
	s.env = append(s.env, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", "CDK_DISABLE_CLI_TELEMETRY=1")
	if len(missing) > 0 {
		return errors.Join(missing...)
	}
	s.python = "python3"
	check := exec.CommandContext(ctx, s.python, filepath.Join(s.root, "local", "aws", "server.py"), "--check")
	if out, err := check.CombinedOutput(); err != nil {
		return errors.New(strings.TrimSpace(string(out)))
	}
	return nil
}

// prepare installs, builds and starts everything that the deployments need.
func (s *suite) prepare(ctx context.Context) bool {
	var binary string
	waits := []func() bool{
		s.steps.begun(ctx, "install the CDK's command line", s.installCDK),
		s.steps.begun(ctx, "build ORY Hydra, unless that was done before", func(ctx context.Context) (err error) {
			binary, err = hydra.Build(ctx, s.group, s.root, s.env)
			return err
		}),
		s.steps.begun(ctx, "install oidc-provider", func(ctx context.Context) error {
			return oidcprovider.Install(ctx, s.group, s.root, s.env)
		}),
		s.steps.begun(ctx, "start the local AWS", func(ctx context.Context) (err error) {
			s.aws, err = awslocal.Start(ctx, s.group, s.root, s.python, s.env)
			return err
		}),
	}
	ready := true
	for _, wait := range waits {
		ready = wait() && ready
	}
	if !ready {
		return false
	}
	waits = []func() bool{
		s.steps.begun(ctx, "start ORY Hydra", func(ctx context.Context) (err error) {
			s.hydra, err = hydra.Start(ctx, s.group, binary, s.work, s.env)
			return err
		}),
		s.steps.begun(ctx, "start oidc-provider", func(ctx context.Context) (err error) {
			s.oidc, err = oidcprovider.Start(ctx, s.group, s.root, s.env, session)
			return err
		}),
		s.steps.begun(ctx, "ask all of them for their versions", func(ctx context.Context) error {
			return s.readVersions(ctx, binary)
		}),
	}
	for _, wait := range waits {
		ready = wait() && ready
	}
	return ready
}

func (s *suite) installCDK(ctx context.Context) error {
	if _, err := os.Stat(s.cdk()); err == nil {
		return nil
	}
	_, err := s.group.Run(ctx, process.Command{
		Name: "cdk-install", Path: "npm", Args: []string{"ci", "--no-audit", "--no-fund"}, Dir: s.root, Env: s.env,
	})
	return err
}

func (s *suite) cdk() string { return filepath.Join(s.root, "node_modules", ".bin", "cdk") }

// awsCLI is the AWS command line among the versions.
const awsCLI = "AWS command line"

func (s *suite) readVersions(ctx context.Context, hydraBinary string) error {
	hydraVersion, err := hydra.Version(hydraBinary)
	if err != nil {
		return err
	}
	oidcVersion, err := oidcprovider.Version(s.root)
	if err != nil {
		return err
	}
	s.versions = [][2]string{{"ORY Hydra", hydraVersion}, {"oidc-provider", oidcVersion}}
	for _, program := range []struct {
		name, path string
		args       []string
	}{
		{"AWS CDK command line", s.cdk(), []string{"--version"}},
		{awsCLI, "aws", []string{"--version"}},
		{"moto", s.python, []string{"-c", "import moto; print(moto.__version__)"}},
		{"Python", s.python, []string{"-c", "import platform; print('.'.join(platform.python_version_tuple()[:2]))"}},
		{"Node.js", "node", []string{"-p", "process.versions.node.split('.')[0]"}},
	} {
		out, err := s.group.Run(ctx, process.Command{
			Name: "version", Path: program.path, Args: program.args, Dir: s.root, Env: s.env,
		})
		if err != nil {
			return err
		}
		// Warnings come before, what follows the number is a build's name.
		lines := strings.Split(strings.TrimSpace(out), "\n")
		version, _, _ := strings.Cut(lines[len(lines)-1], " ")
		s.versions = append(s.versions, [2]string{program.name, strings.TrimPrefix(version, "aws-cli/")})
	}
	goVersion := strings.TrimPrefix(runtime.Version(), "go")
	if parts := strings.Split(goVersion, "."); len(parts) > 2 {
		goVersion = strings.Join(parts[:2], ".")
	}
	s.versions = append(s.versions, [2]string{"Go", goVersion},
		[2]string{"Platform of the function", runtime.GOOS + " " + architecture()})
	return nil
}

// architecture is this machine's in Lambda's terms: the deployed binary is run here.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// tree copies the app and the function to a directory of its own, with this context: a deployment as if nobody had
// changed anything in this checkout but cdk.context.json. It returns the directory.
func (s *suite) tree(name string, context map[string]any) (string, error) {
	dir := filepath.Join(s.work, name)
	err := filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(s.root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			unwanted := []string{"local", "node_modules", "docs", "events", "bin"}
			top := filepath.Dir(relative) == "." && relative != "."
			hidden := strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "cdk.out")
			if top && (slices.Contains(unwanted, relative) || hidden) {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(dir, relative), 0o755)
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		return copyFile(filepath.Join(dir, relative), path)
	})
	if err != nil {
		return "", fmt.Errorf("copy the project: %w", err)
	}
	content, err := json.MarshalIndent(context, "", "  ")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "cdk.context.json"), content, 0o600)
}

func copyFile(to, from string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}

// runCDK runs the CDK's command line in a tree, against the local AWS alone.
func (s *suite) runCDK(ctx context.Context, dir string, args ...string) error {
	env := slices.Clone(s.env)
	for name, value := range s.aws.Environment() {
		env = append(env, name+"="+value)
	}
	_, err := s.group.Run(ctx, process.Command{
		Name: "cdk-" + filepath.Base(dir) + "-" + args[0],
		Path: s.cdk(),
		Args: append(args, "--no-notices", "--no-color"),
		Dir:  dir,
		Env:  env,
	})
	return err
}

// assembly is where synth puts a tree's templates and packages.
func assembly(dir string) string { return filepath.Join(dir, "cdk.out") }

func (s *suite) synth(ctx context.Context, dir string) error {
	return s.runCDK(ctx, dir, "synth", "--quiet", "--output", assembly(dir))
}

// deploy deploys a tree's assembly. parameters are of the form <stack>:<parameter>=<value>.
func (s *suite) deploy(ctx context.Context, dir string, parameters ...string) error {
	args := []string{"deploy", "--all", "--app", assembly(dir), "--require-approval", "never"}
	for _, parameter := range parameters {
		args = append(args, "--parameters", parameter)
	}
	return s.runCDK(ctx, dir, args...)
}

func (s *suite) destroy(ctx context.Context, dir string) error {
	return s.runCDK(ctx, dir, "destroy", "--all", "--app", assembly(dir), "--force")
}

// start runs a deployed binary as Lambda would, with the environment that was deployed. name is for its log.
func (s *suite) start(ctx context.Context, name string, d *deployment) (*runtimeapi.Function, error) {
	env := s.aws.Environment() // in the place of the execution role's credentials
	maps.Copy(env, d.function.Environment.Variables)
	f, err := runtimeapi.Start(ctx, runtimeapi.Config{
		Bootstrap:  d.binary,
		Name:       d.function.FunctionName,
		Region:     awslocal.Region,
		MemorySize: d.function.MemorySize,
		Timeout:    d.timeout(),
		Env:        env,
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.functions[name] = f
	return f, nil
}

// report is docs/evidence/tested.md. It has no times, so that it changes only if what was tested did.
func (s *suite) report() []byte {
	var b strings.Builder
	b.WriteString("# What was tested, and with what\n\n" +
		"Written by `make e2e` when it last passed, not by hand. It deploys all stacks with the CDK's command line to a\n" +
		"local AWS, reads back what was deployed, and runs the deployed binary against real identity providers.\n\n" +
		"| part | version |\n| --- | --- |\n")
	for _, v := range s.versions {
		fmt.Fprintf(&b, "| %s | %s |\n", v[0], v[1])
	}
	b.WriteString("\n## What passed\n" + s.steps.markdown(preparation))
	return []byte(b.String())
}
