package e2e

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"healthlake-smart-on-fhir/local/functionbinary"
)

// lab is what one run has.
type lab struct {
	t    *testing.T // the whole test: what it starts runs until its end
	root string     // the project
	work string     // scratch
	tree string     // a copy of the project, as a user would check it out
	logs string     // of the servers; they stay after a failure
	env  []string

	aws         *localAWS
	hydra, oidc *provider

	hydraOpaque, oidcOpaque, hydraJWT, oidcJWT *target

	bootstrapped bool
	deploys      int
	deleted      func() error // deletes the secret of oidcOpaque, once, and waits for what comes of it
	replaced     []string     // ids of the datastores that CloudFormation has replaced and kept

	mu     sync.Mutex
	passed strings.Builder // the report's list
}

// newLab starts the local AWS and the providers. All end with the test, or when this process ends.
func newLab(t *testing.T) *lab {
	root, err := functionbinary.Root()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, root: root, work: t.TempDir(), logs: filepath.Join(root, "local", ".cache", "e2e")}
	if err := os.MkdirAll(l.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, variable := range os.Environ() {
		// What the user has set for real accounts must reach nothing here.
		if !strings.HasPrefix(variable, "AWS_") && !strings.HasPrefix(variable, "CDK_") {
			l.env = append(l.env, variable)
		}
	}
	l.env = append(l.env, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", "CDK_DISABLE_CLI_TELEMETRY=1", "NO_COLOR=1",
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore", "NODE_NO_WARNINGS=1", "CDK_REQUIRE_APPROVAL=never")
	if l.tree, err = copyProject(root, l.logs); err != nil {
		t.Fatal(err)
	}
	if l.aws, err = startAWS(l); err != nil {
		t.Fatal(err)
	}
	// From here on every program that is started knows the local AWS, and no other.
	for name, value := range l.aws.environment {
		l.env = append(l.env, name+"="+value)
	}
	if l.hydra, err = startHydra(l); err != nil {
		t.Fatal(err)
	}
	if l.oidc, err = startOIDCProvider(l); err != nil {
		t.Fatal(err)
	}
	l.makeTargets()
	l.deleted = sync.OnceValue(func() error { return l.deleteSecret(t.Context(), l.oidcOpaque) })
	return l
}

// copyProject copies what a deployment needs, without tests, so that nothing in this checkout is changed. The copy is always at
// the same place, for which Go has kept what it compiled.
func copyProject(root, dir string) (string, error) {
	tree := filepath.Join(dir, "project")
	if err := os.RemoveAll(tree); err != nil {
		return "", err
	}
	for _, name := range []string{"cmd", "internal", "lambda", "stacks", "events"} {
		if err := os.CopyFS(filepath.Join(tree, name), os.DirFS(filepath.Join(root, name))); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"main.go", "go.mod", "go.sum", "cdk.json", "package.json", "package-lock.json", "Makefile"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(tree, name), content, 0o644); err != nil {
			return "", err
		}
	}
	// Installed once is enough; make goes by the dates.
	if err := os.Symlink(filepath.Join(root, "node_modules"), filepath.Join(tree, "node_modules")); err != nil {
		return "", err
	}
	return tree, os.Chtimes(filepath.Join(tree, "package-lock.json"), time.Time{}, time.Unix(0, 0))
}

// unchecked has the CDK leave out its own rules for templates, which take most of a synthesis's time. They are checked in the
// first deployment, by make synth and by the tests of the stacks.
const unchecked = "CDK_VALIDATION=false"

// quicken has all that follows use the app as it is compiled now, unchecked.
func (l *lab) quicken(ctx context.Context) error {
	_, err := l.shell(ctx, "go build -o bin/app .")
	l.env = append(l.env, "CDK_APP=bin/app", unchecked)
	return err
}

// setContext writes the tree's cdk.context.json.
func (l *lab) setContext(context map[string]any) error {
	content, err := json.MarshalIndent(context, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.tree, "cdk.context.json"), content, 0o600)
}

// shell runs a command line in the tree and returns what it prints. With an error it returns that too.
func (l *lab) shell(ctx context.Context, command string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env, cmd.WaitDelay = l.tree, slices.Concat(l.env, env), 5*time.Second
	output, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		err = fmt.Errorf("%s: %w; it said at the end:\n%s", command, err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return string(output), err
}

// refused fails unless the command fails and says all of this.
func (l *lab) refused(ctx context.Context, command string, parts ...string) error {
	output, err := l.shell(ctx, command)
	return errors.Join(equal(command+" failed", err != nil, true), contains(command, output, parts...))
}

// says fails unless the command succeeds and says all of this.
func (l *lab) says(ctx context.Context, command string, parts ...string) error {
	output, err := l.shell(ctx, command)
	return errors.Join(err, contains(command, output, parts...))
}

// server is a program that runs until its standard input is closed, so that it never outlives this process.
type server struct {
	cmd    *exec.Cmd
	stdin  interface{ Close() error }
	log    string
	exited chan struct{}
}

// serve starts a server. Its output goes to a file of that name.
func (l *lab) serve(name string, env []string, program string, args ...string) (*server, error) {
	s := &server{log: filepath.Join(l.logs, name+".log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, args...)
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = slices.Concat(l.env, env), log, log
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		_ = log.Close()
		close(s.exited)
	}()
	l.t.Cleanup(s.stop)
	return s, nil
}

func (s *server) stop() {
	_ = s.stdin.Close()
	_ = s.signal(syscall.SIGCONT)
	select {
	case <-s.exited:
	case <-time.After(3 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

func (s *server) signal(signal syscall.Signal) error { return s.cmd.Process.Signal(signal) }

// logged tells whether the server has written this.
func (s *server) logged(text string) (bool, error) {
	output, err := os.ReadFile(s.log)
	return bytes.Contains(output, []byte(text)), err
}

var loopback = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)\n`)

// address is the first address of loopback that the server has written.
func (s *server) address(ctx context.Context) (found string, err error) {
	err = within(ctx, time.Minute, 50*time.Millisecond, func() (bool, error) {
		output, err := os.ReadFile(s.log)
		if line := loopback.FindSubmatch(output); line != nil {
			found = string(line[1])
		}
		select {
		case <-s.exited:
			return false, fmt.Errorf("%s has ended:\n%s", s.cmd, output)
		default:
			return found != "", err
		}
	})
	return found, err
}

// versions are those of the parts that are not this project's.
func (l *lab) versions(t *testing.T) [][2]string {
	manifest := func(path string) string {
		content, err := os.ReadFile(filepath.Join(l.root, path, "package.json"))
		var manifest struct{ Version string }
		if err == nil {
			err = json.Unmarshal(content, &manifest)
		}
		if err != nil {
			t.Fatal(err)
		}
		return manifest.Version
	}
	printed := func(command string) string {
		output, err := l.shell(t.Context(), command)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(output)
	}
	binary, err := buildinfo.ReadFile(hydraBinary(l))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(binary.Deps, func(m *debug.Module) bool { return m.Path == "github.com/ory/hydra/v2" })
	return [][2]string{
		{"ORY Hydra", binary.Deps[i].Version},
		{"oidc-provider", manifest("local/oidcprovider/node_modules/oidc-provider")},
		{"AWS CDK command line", manifest("node_modules/aws-cdk")},
		{"moto", printed(`python3 -c "import moto; print(moto.__version__)"`)},
		{"Python", printed(`python3 -c "import sys; print('%d.%d' % sys.version_info[:2])"`)},
		{"Node.js", printed(`node -p "process.versions.node.split('.')[0]"`)},
		{"Go", strings.Join(strings.Split(strings.TrimPrefix(runtime.Version(), "go"), ".")[:2], ".")},
		{"Platform of the function", runtime.GOOS + " " + architecture},
	}
}

// architecture is this machine's in Lambda's terms: the deployed binary is run here.
var architecture = map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
