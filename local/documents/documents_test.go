package documents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"healthlake-smart-on-fhir/local/functionbinary"
)

var (
	// fencedBlock is a block between fences, with its language.
	fencedBlock = regexp.MustCompile(`(?ms)^ *` + "```" + `(\w*)\n(.*?)^ *` + "```" + `$`)
	// shellBlock is how a block without a language begins if it holds commands, not a program's output.
	shellBlock = regexp.MustCompile(`^\s*(?:[A-Za-z_]+=\S*\s+)*(?:[a-z_]+=\S|(?:\.ci/run|aws|cdk|curl|echo|git|go|make|npm|npx|pip|python3|sed)\s)`)
	// inlineCommand is a command within a sentence.
	inlineCommand = regexp.MustCompile("`((?:aws|cdk|go|make|npm|npx|pip) [^`\n]+)`")
	placeholder   = regexp.MustCompile(`<[a-z ]+>`)
)

// newer are the subcommands that only a later AWS command line than the one at hand may know.
var newer = []string{"logs tail", "healthlake update-fhir-datastore", "healthlake restore-fhir-datastore"}

// What the documents tell people to type can be typed: the shell reads it, and every program, make target, subcommand,
// option, AWS operation and file of the project in it exists. A shell runs each block; filters such as sed and jq run for
// real, all other programs are only checked. The end-to-end run types those that change something.
func TestDocumentedCommands(t *testing.T) {
	c, found := newCommandCheck(t), 0
	for script, document := range scripts(t, c.root) {
		found++
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			if err := c.script(t.Context(), script, t.TempDir()); err != nil {
				t.Errorf("%s\n%v", script, err)
			}
		})
	}
	if found < 20 {
		t.Errorf("only %d command blocks found", found)
	}
}

// Each of these must be found wrong.
func TestCommandCheckFindsMistakes(t *testing.T) {
	c := newCommandCheck(t)
	for script, want := range map[string]string{
		"make 'x":                            "quote",
		"make deplow":                        "no target deplow",
		"make deploy ARG=1":                  "no variable ARG",
		"make preflight ARGS=--ofline":       "no option --ofline",
		"make preflight ofline":              "no option --ofline",
		"make invoke EVENT=events/none.json": "no file events/none.json",
		"npx cdk dif":                        "no subcommand",
		"npx cdk diff --methd template":      "no option --methd",
		"aws lambda get-polic":               "get-polic",
		"aws lambda get-policy --functn x":   "--functn",
		"for x in a b; do unknown; done":     "unknown program unknown",
		"echo ok | jq '.a |'":                "exit status",
	} {
		if err := c.script(t.Context(), script, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", script, err, want)
		}
	}
}

// scripts are the command blocks and inline commands of all documents, each with the document that has it first.
func scripts(t *testing.T, root string) map[string]string {
	found := map[string]string{}
	documents, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, entry os.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" && filepath.Base(path) != "tested.md" {
			documents = append(documents, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range documents {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text, name := string(content), strings.TrimPrefix(path, root+"/")
		for _, block := range fencedBlock.FindAllStringSubmatch(text, -1) {
			if slices.Contains([]string{"sh", "bash", "shell"}, block[1]) || block[1] == "" && shellBlock.MatchString(block[2]) {
				found[block[2]] = name
			}
		}
		for _, inline := range inlineCommand.FindAllStringSubmatch(fencedBlock.ReplaceAllString(text, ""), -1) {
			found[inline[1]] = name
		}
	}
	return found
}

// commandCheck checks commands against the project and the programs of this machine.
type commandCheck struct {
	root    string
	mu      sync.Mutex
	outputs map[string]string // what programs have printed, by command line
	toAWS   *json.Encoder     // of aws.py, which runs the AWS command line
	fromAWS *json.Decoder
}

func newCommandCheck(t *testing.T) *commandCheck {
	if exec.Command("python3", "-c", "import awscli").Run() != nil || exec.Command("jq", "--version").Run() != nil {
		t.Skip("with Python's package awscli and with jq this test checks the commands in the documents")
	}
	root, err := functionbinary.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := &commandCheck{root: root, outputs: map[string]string{}}
	awscli := exec.Command("python3", "-B", "aws.py")
	awscli.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1")
	input, err1 := awscli.StdinPipe()
	output, err2 := awscli.StdoutPipe()
	if err := errors.Join(err1, err2, awscli.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(input.Close(), awscli.Wait()) })
	c.toAWS, c.fromAWS = json.NewEncoder(input), json.NewDecoder(output)
	return c
}

// script runs a script in a directory of its own with all programs checked rather than run, filters apart.
func (c *commandCheck) script(ctx context.Context, script, dir string) error {
	file, err := syntax.NewParser().Parse(strings.NewReader(placeholder.ReplaceAllString(script, "x")), "")
	if err != nil {
		return err
	}
	// What the reader has: the project's events, a token, a JWT's claims, the files that commands before have written.
	if err := os.CopyFS(filepath.Join(dir, "events"), os.DirFS(filepath.Join(c.root, "events"))); err != nil {
		return err
	}
	for _, name := range []string{"answer.json", "event.json", "idp.json", "datastore.json", "token.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
			return err
		}
	}
	var failed []error
	check := func(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
		return func(ctx context.Context, args []string) error {
			err := c.command(ctx, args, next)
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", strings.Join(args, " "), err))
			}
			return nil
		}
	}
	env := append(os.Environ(), "TOKEN=e30.eyJzdWIiOiJhIn0.x", "NEW=new")
	var said bytes.Buffer
	runner, err := interp.New(interp.Dir(dir), interp.Env(expand.ListEnviron(env...)), interp.StdIO(nil, &said, &said),
		interp.ExecHandlers(check))
	if err != nil {
		return err
	}
	if err := runner.Run(ctx, file); err != nil {
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("%w\n%s", err, said.String())
	}
	return nil
}

// command checks one command.
func (c *commandCheck) command(ctx context.Context, args []string, run interp.ExecHandlerFunc) error {
	for _, arg := range args {
		if err := c.fileExists(arg); err != nil {
			return err
		}
	}
	switch program := args[0]; program {
	case "make":
		return c.make(args[1:])
	case "npx", "cdk":
		if program == "npx" && args[1] != "cdk" { // a package that is not the project's
			return nil
		}
		return c.cdk(slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "npx" || arg == "cdk" }))
	case "aws":
		output := "2026-01-02T03:04:05 {\"msg\":\"checkToken\"}\n"
		if slices.Contains(args, "get-secret-value") {
			output = "{\"client_secret\":\"old\"}\n"
		}
		_, err := io.WriteString(interp.HandlerCtx(ctx).Stdout, output)
		return errors.Join(err, c.aws(args[1:], interp.HandlerCtx(ctx).Dir))
	case "curl", "git", "go", "npm", "pip", ".ci/run":
		return nil
	case "cat", "cut", "jq", "python3", "sed", "sort", "uniq":
		return run(ctx, args)
	default:
		return fmt.Errorf("unknown program %s", program)
	}
}

// fileExists fails if arg names a file below a directory of the project that is not there.
func (c *commandCheck) fileExists(arg string) error {
	_, value, _ := strings.Cut(arg, "=") // EVENT=events/search.json
	for _, path := range []string{arg, value} {
		top, rest, below := strings.Cut(strings.TrimPrefix(path, "./"), "/")
		if _, err := os.Stat(filepath.Join(c.root, top)); err != nil || !below || top == "" || strings.Contains(rest, "$") {
			continue
		}
		if _, err := os.Stat(filepath.Join(c.root, path)); err != nil {
			return fmt.Errorf("no file %s", path)
		}
	}
	return nil
}

func (c *commandCheck) make(args []string) error {
	content, err := os.ReadFile(filepath.Join(c.root, "Makefile"))
	if err != nil {
		return err
	}
	for _, arg := range args {
		variable, value, assigned := strings.Cut(arg, "=")
		if args[0] == "preflight" && !assigned && arg != args[0] { // an option as a word
			variable, value, assigned = "ARGS", "--"+arg, true
		}
		switch {
		case !assigned && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(arg)+`:`).Match(content):
			return fmt.Errorf("no target %s", arg)
		case assigned && !bytes.Contains(content, []byte("$("+variable+")")):
			return fmt.Errorf("no variable %s", variable)
		case variable == "ARGS" && args[0] == "preflight":
			help, err := c.output(exec.Command("go", "run", "./cmd/preflight", "-h"))
			if err != nil {
				return err
			}
			if err := optionsIn(help, strings.Fields(value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *commandCheck) cdk(args []string) error {
	help, err := c.output(exec.Command("node_modules/.bin/cdk", args[0], "--help"))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(help, "cdk "+args[0]) && !strings.Contains(help, "\ncdk "+args[0]) {
		return fmt.Errorf("no subcommand %s", args[0])
	}
	return optionsIn(help, args[1:])
}

// optionsIn fails if one of the arguments is an option that a program's help does not list.
func optionsIn(help string, args []string) error {
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && !regexp.MustCompile(`(?m)(^|[\s,])--?`+regexp.QuoteMeta(name)+`\b`).MatchString(help) {
			return fmt.Errorf("no option %s", arg)
		}
	}
	return nil
}

// aws runs the AWS command line against an address where nothing listens: it connects only after it has understood the
// command.
func (c *commandCheck) aws(args []string, dir string) error {
	if len(args) < 2 || slices.Contains(args, "help") {
		return nil
	}
	said, err := c.awsSays(dir, append(slices.Clone(args), "--endpoint-url", "http://127.0.0.1:1"))
	known := strings.Contains(said, "Could not connect") || strings.Contains(said, "arguments are required") && len(args) == 2
	if known || slices.Contains(newer, strings.Join(args[:2], " ")) && strings.Contains(said, "Invalid choice") {
		return nil
	}
	return errors.Join(err, errors.New(strings.TrimSpace(said)))
}

func (c *commandCheck) awsSays(dir string, args []string) (said string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return said, errors.Join(c.toAWS.Encode([]any{dir, args}), c.fromAWS.Decode(&said))
}

// output is what a program prints to its two outputs, run in the project, once for all who ask. A program that ends with
// another status than 0 has printed something too.
func (c *commandCheck) output(command *exec.Cmd) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.Join(command.Args, " ")
	if _, ok := c.outputs[key]; !ok {
		command.Dir = c.root
		out, err := command.CombinedOutput()
		if err != nil && len(out) == 0 {
			return "", err
		}
		c.outputs[key] = string(out)
	}
	return c.outputs[key], nil
}
