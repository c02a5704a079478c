package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
	"healthlake-smart-on-fhir/local/e2e/internal/hydra"
	"healthlake-smart-on-fhir/local/e2e/internal/process"
	"healthlake-smart-on-fhir/local/runtimeapi"
)

// tour follows the documents: it types their commands into a shell, in a tree of its own and against a local AWS of its
// own, from a context with little more than an issuer in it to the removal of everything.
type tour struct {
	*suite
	documented map[string]shown // by command
	tried      map[string]bool
	part       string

	dir    string
	prefix string
	id     string // of the datastore
	client hydra.Client
	token  string
	secret string
	cli    int // major version of the AWS command line
}

// stop is one command of the tour.
type stop struct {
	about   string // what the reader is to know before it
	command string // as the documents have it
	// shell is what is typed where that is more than the command, which %s stands for.
	shell string
	whole bool     // all of the document's block is typed, of which the command is the last line
	last  int      // of its lines are shown; 0 for all
	fails bool     // ends with a status that is not 0
	wants []string // what the output must have
	cli   int      // the major version that the AWS command line must have at least
}

// untried are the documents' commands that no tour can try, and why.
var untried = map[string]string{
	"make demo":                "`.ci/run` runs it at every change; its output is in the README",
	"make e2e":                 "it types these",
	"make invoke":              "its own test runs it",
	"make test":                "`.ci/run` runs it at every change",
	"make sandbox":             "`make sandbox-test` runs it at every change",
	"npm ci":                   "make runs it in every new checkout, that of `.ci/run` too",
	"make local-aws PORT=4566": "the end-to-end run starts the same server",
	"aws healthlake update-fhir-datastore --datastore-id <id> --identity-provider-configuration file://idp.json": "the " +
		"AWS command lines at hand do not have it yet",
	`curl -i -H "Authorization: Bearer $TOKEN" "<endpoint>Patient?_count=1"`: "needs HealthLake itself",
	"curl -s <issuer>/.well-known/openid-configuration":                      "preflight reads that document",
	"aws healthlake update-fhir-datastore --datastore-id <id> --backup-configuration " +
		"Status=ENABLED,BackupType=CONTINUOUS,RetentionPeriodInDays=30": "the AWS command lines at hand do not have it yet",
	"aws healthlake restore-fhir-datastore --source-datastore-id <id> --restore-configuration " +
		"'ContinuousBackupRestoreConfiguration={RestorePointTime=2026-11-23T12:00:00Z}' " +
		"--identity-provider-configuration file://idp.json": "the AWS command lines at hand do not have it yet",
	"aws healthlake list-fhir-datastores --query " +
		"'DatastorePropertiesList[].[DatastoreId,DatastoreName,DatastoreStatus,CreatedAt]' --output table": "only reads, as preflight does",
	"aws healthlake delete-fhir-datastore --datastore-id <id>": "the removal of the stacks deletes the datastore",
}

// control is what is for a terminal alone: control sequences (ECMA-48), and npm's wheel that turns, in Braille patterns.
var control = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|[\x{2800}-\x{28FF}]`)

// tryCommands takes the tour until a step fails.
func (s *suite) tryCommands(ctx context.Context) {
	t := &tour{prefix: "sof-hl-", tried: map[string]bool{}}
	s.steps.in("The documents' commands, typed as a new user would")
	defer func() {
		if t.suite != nil {
			t.stopFunctions()
			maps.Copy(s.functionLogs, t.functionLogs)
		}
	}()
	if !s.steps.do(ctx, "make a new copy of the project, and a new local AWS", func(ctx context.Context) error {
		return t.prepare(ctx, s)
	}) {
		return
	}
	for _, part := range []func(context.Context) bool{t.before, t.brokenContexts, t.lookInside, t.deployment, t.operation, t.change, t.adoption, t.removal} {
		if !part(ctx) {
			return
		}
	}
	s.steps.do(ctx, "no command of the documents is left untried without a reason", t.covers)
}

func (t *tour) prepare(ctx context.Context, s *suite) (err error) {
	t.suite = &suite{root: s.root, work: filepath.Join(s.work, "tour"), group: s.group, steps: s.steps, env: s.env,
		python: s.python, hydra: s.hydra, oidc: s.oidc, functions: map[string]*runtimeapi.Function{}, functionLogs: map[string][]byte{}}
	if t.documented, err = documented(s.root); err != nil {
		return err
	}
	if t.aws, err = awslocal.Start(ctx, s.group, s.root, s.python, s.env); err != nil {
		return err
	}
	for _, v := range s.versions {
		if v[0] == awsCLI {
			if _, err := fmt.Sscanf(v[1], "%d.", &t.cli); err != nil {
				return fmt.Errorf("the AWS command line's version is %q", v[1])
			}
		}
	}
	if err := t.reached(ctx); err != nil {
		return err
	}
	t.client = hydra.Client{ID: "tour", Secret: rand.Text(), Scope: backendScope, JWT: true}
	if err := t.hydra.Register(ctx, t.client); err != nil {
		return err
	}
	if t.token, err = t.hydra.ClientCredentials(ctx, t.client); err != nil {
		return err
	}
	t.secret = rand.Text()
	// Nothing but an issuer, and where introspection is, which Hydra's discovery document does not say.
	t.dir, err = t.tree("project", map[string]any{
		"account":                awslocal.Account,
		"region":                 awslocal.Region,
		"tagName":                "Purpose",
		"tagValue":               "sof-hl",
		"prefix":                 t.prefix,
		"datastoreName":          "records",
		"clientId":               "resource-server",
		"authIssuer":             strings.TrimSuffix(t.hydra.PublicURL(), "/"),
		"authEndpointIntrospect": t.hydra.AdminURL() + "admin/oauth2/introspect",
		"lambdaArchitecture":     architecture(),
		// Off by default: what it does is in the answer of one of the commands.
		"restrictInvokeToAccount": true,
	})
	if err != nil {
		return err
	}
	return t.furnish()
}

// reached fails unless the AWS command line goes to the local AWS. Here it can go nowhere else.
func (t *tour) reached(ctx context.Context) error {
	env := slices.Concat(t.env, []string{"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1"})
	for name, value := range t.aws.Environment() {
		env = append(env, name+"="+value)
	}
	_, err := t.group.Run(ctx, process.Command{
		Name: "aws-reached", Path: "aws", Args: []string{"sts", "get-caller-identity"}, Env: env,
	})
	if err != nil {
		return fmt.Errorf("the AWS command line needs to know AWS_ENDPOINT_URL, as it does from 1.29 and 2.13 on: %w", err)
	}
	return nil
}

// furnish adds to the tree what a user has there and a deployment does not need.
func (t *tour) furnish() error {
	if err := os.CopyFS(filepath.Join(t.dir, "events"), os.DirFS(filepath.Join(t.root, "events"))); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(t.dir, "token.txt"), []byte(t.token+"\n"), 0o600); err != nil {
		return err
	}
	// Installed once is enough; make goes by the dates.
	installed := filepath.Join(t.root, "node_modules")
	if err := os.Symlink(installed, filepath.Join(t.dir, "node_modules")); err != nil {
		return err
	}
	return os.Chtimes(filepath.Join(t.dir, "package-lock.json"), time.Time{}, time.Unix(0, 0))
}

// in begins a part of the tour.
func (t *tour) in(part string) { t.part = part }

// take takes the stops in turn and tells whether all were as they should be.
func (t *tour) take(ctx context.Context, stops ...stop) bool {
	for _, s := range stops {
		name := "`" + s.command + "`"
		if s.cli > t.cli {
			name += fmt.Sprintf(": not tried, it needs version %d of the AWS command line", s.cli)
		}
		if !t.steps.do(ctx, name, func(ctx context.Context) error { return t.try(ctx, s) }) {
			return false
		}
	}
	return true
}

func (t *tour) try(ctx context.Context, s stop) error {
	place, ok := t.documented[s.command]
	if !ok {
		return errors.New("no document has this command")
	}
	typed := s.command
	if s.whole {
		typed = place.block
	}
	for _, command := range append(commands(typed), s.command) {
		t.tried[command] = true
	}
	if s.cli > t.cli {
		return nil
	}
	typed = strings.NewReplacer("<prefix>", t.prefix, "<id>", t.id).Replace(typed)
	typed = strings.NewReplacer("CLIENT_SECRET=…", "CLIENT_SECRET="+t.secret, "SRV_API_KEY=…", "SRV_API_KEY=",
		"ClientSecret=…", "ClientSecret="+t.secret, "SrvAPIKey=…", "SrvAPIKey=").Replace(typed)
	if s.shell != "" {
		typed = strings.ReplaceAll(s.shell, "%s", typed)
	}
	output, err := t.typed(ctx, typed)
	status := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		return err
	}
	wrong := []error{equal("failed", status != 0, s.fails)}
	for _, want := range s.wants {
		if !strings.Contains(output, want) {
			wrong = append(wrong, fmt.Errorf("it does not say %q", want))
		}
	}
	for _, credential := range []string{t.secret, t.token} {
		if strings.Contains(output, credential) {
			wrong = append(wrong, errors.New("it shows a credential"))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%w; it said:\n%s", err, output)
	}
	return nil
}

// typed is what a shell in the tree prints for a command. An *exec.ExitError is its status.
func (t *tour) typed(ctx context.Context, command string) (string, error) {
	env := slices.Concat(t.env, []string{
		"CLIENT_SECRET=" + t.secret, "SRV_API_KEY=", "TOKEN=" + t.token,
		"CDK_REQUIRE_APPROVAL=never", "CDK_PROGRESS=events", "NO_COLOR=1", // nobody is there to answer, or to look
		"NODE_NO_WARNINGS=1", "NPM_CONFIG_USERCONFIG=/dev/null", // this machine's, not the project's
	})
	for name, value := range t.aws.Environment() {
		env = append(env, name+"="+value)
	}
	output, err := t.group.Run(ctx, process.Command{
		Name: "tour", Path: "sh", Args: []string{"-c", command}, Dir: t.dir, Env: env,
	})
	output = strings.NewReplacer(t.dir+"/", "", t.dir, ".", t.root+"/", "", "\r", "").Replace(output)
	return control.ReplaceAllString(output, ""), err
}

// edit changes keys of the context, as a user does in an editor.
func (t *tour) edit(ctx context.Context, what string, change func(map[string]any)) bool {
	return t.steps.do(ctx, "edit cdk.context.json: "+what, func(context.Context) error {
		path := filepath.Join(t.dir, "cdk.context.json")
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var context map[string]any
		if err := json.Unmarshal(content, &context); err != nil {
			return err
		}
		change(context)
		if content, err = json.MarshalIndent(context, "", "  "); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o600)
	})
}

// covers fails if a command is neither tried nor excused, or an excuse is for none.
func (t *tour) covers(context.Context) error {
	var wrong []error
	for command, place := range t.documented {
		if !t.tried[command] && untried[command] == "" {
			wrong = append(wrong, fmt.Errorf("%s: %s", place.document, command))
		}
	}
	for command := range untried {
		if _, ok := t.documented[command]; !ok {
			wrong = append(wrong, fmt.Errorf("no document has this command: %s", command))
		}
	}
	return errors.Join(wrong...)
}
