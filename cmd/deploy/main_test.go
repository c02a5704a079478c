package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The AWS command line, as far as it is used: it answers from files.
const awsScript = `#!/bin/sh
echo "$@" >>aws.log
case "$1 $2" in
"sts get-caller-identity") cat account ;;
"cloudformation describe-stacks")
	if [ -e "deployed/$4.status" ]; then cat "deployed/$4.status"; exit; fi
	if [ -e broken ]; then echo "An error occurred (AccessDenied) when calling DescribeStacks" >&2; exit 254; fi
	echo "An error occurred (ValidationError) when calling DescribeStacks: Stack with id $4 does not exist" >&2
	exit 254 ;;
"cloudformation get-template") cat "deployed/$4.json" ;;
*) exit 2 ;;
esac
`

// The CDK's command line, in the place where node looks for it: it writes down what it was called with, and what other
// users of the machine could see of that.
const cdkScript = `
const fs = require("fs");
const seen = fs.existsSync("/proc/self/cmdline") ? fs.readFileSync("/proc/self/cmdline", "latin1") : "";
const env = process.env.DEPLOY_PARAMETERS || "";
fs.writeFileSync("cdk.json", JSON.stringify({ argv: process.argv.slice(2), seen, env }));
`

const manifest = `{"artifacts": {
	"p-Secret": {"type": "aws:cloudformation:stack", "environment": "aws://123456789012/us-east-1",
		"properties": {"templateFile": "p-Secret.template.json"}},
	"p-Datastore": {"type": "aws:cloudformation:stack", "environment": "aws://123456789012/us-east-1",
		"properties": {"templateFile": "p-Datastore.template.json"}},
	"p-Secret.assets": {"type": "cdk:asset-manifest", "properties": {"file": "x"}}
}}`

const secretTemplate = `{"Parameters": {
	"ClientSecret": {"Type": "String", "NoEcho": true, "Description": "secret of the client"},
	"SrvAPIKey": {"Type": "String", "NoEcho": true},
	"BootstrapVersion": {"Type": "String", "Default": "/cdk"}
}, "Resources": {}}`

// project is a directory with a synthesized assembly, in which the test runs from now on.
func project(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	for path, content := range map[string]string{
		"bin/aws":                           awsScript,
		"bin/npx":                           "#!/bin/sh\necho \"$@\" >>npx.log\necho synthesized\n",
		"node_modules/aws-cdk/bin/cdk":      cdkScript,
		"account":                           "123456789012\n",
		"cdk.out/manifest.json":             manifest,
		"cdk.out/p-Secret.template.json":    secretTemplate,
		"cdk.out/p-Datastore.template.json": before,
		"node_modules/aws-cdk/package.json": `{"name": "aws-cdk", "exports": {"./bin/cdk": "./bin/cdk"}}`,
	} {
		write(t, path, content)
	}
	for _, name := range []string{"CLIENT_SECRET", "SRV_API_KEY", "CONFIRM_REPLACEMENT"} {
		t.Setenv(name, "") // so that it is as before after the test
		os.Unsetenv(name)
	}
}

// deployed makes a stack exist.
func deployed(t *testing.T, name, status, template string) {
	t.Helper()
	write(t, "deployed/"+name+".status", status+"\n")
	write(t, "deployed/"+name+".json", `{"TemplateBody": `+template+`}`)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

// call is what the CDK's command line was called with; ok is false if it was not called.
type call struct {
	Argv      []string
	Seen, Env string
}

func called(t *testing.T) (c call, ok bool) {
	t.Helper()
	b, err := os.ReadFile("cdk.json")
	if err != nil {
		return call{}, false
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c, true
}

func TestFirstDeploy(t *testing.T) {
	project(t)
	t.Setenv("CLIENT_SECRET", "hunter-2 $x")
	t.Setenv("SRV_API_KEY", "")
	var out strings.Builder
	if err := run([]string{"-c", "region=us-east-1", "--", "--require-approval", "never"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	c, ok := called(t)
	want := []string{"deploy", "--all", "--app", "cdk.out", "--require-approval", "never",
		"--parameters", "p-Secret:ClientSecret=hunter-2 $x", "--parameters", "p-Secret:SrvAPIKey="}
	if !ok || !slices.Equal(c.Argv, want) {
		t.Errorf("cdk got %q, want %q", c.Argv, want)
	}
	if strings.Contains(c.Seen+c.Env+out.String(), "hunter") {
		t.Errorf("the secret can be seen: %q %q %q", c.Seen, c.Env, out.String())
	}
	if b, _ := os.ReadFile("npx.log"); string(b) != "cdk synth --quiet --output cdk.out -c region=us-east-1\n" {
		t.Errorf("npx got %q", b)
	}
}

func TestParameters(t *testing.T) {
	project(t)
	err := run(nil, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "CLIENT_SECRET is not set, and stack p-Secret has no value") {
		t.Errorf("first deploy without values: %v", err)
	}
	if _, ok := called(t); ok {
		t.Error("deployed all the same")
	}

	// A stack that failed at first keeps nothing.
	deployed(t, "p-Secret", "ROLLBACK_COMPLETE", secretTemplate)
	if err := run(nil, io.Discard, io.Discard); err == nil {
		t.Error("took values from a stack that is about to be deleted")
	}

	deployed(t, "p-Secret", "UPDATE_COMPLETE", secretTemplate)
	if err := run(nil, io.Discard, io.Discard); err != nil {
		t.Errorf("later deploy without values: %v", err)
	}
	if c, _ := called(t); slices.Contains(c.Argv, "--parameters") {
		t.Errorf("cdk got %q", c.Argv)
	}
}

func TestReplacementStopsDeploy(t *testing.T) {
	project(t)
	deployed(t, "p-Secret", "CREATE_COMPLETE", secretTemplate)
	deployed(t, "p-Datastore", "CREATE_COMPLETE", before)
	renamed := strings.Replace(before, `"DatastoreName": "a"`, `"DatastoreName": "b"`, 1)
	write(t, "cdk.out/p-Datastore.template.json", renamed)

	for _, confirmation := range []string{"", "no", "YES", "true"} {
		t.Setenv("CONFIRM_REPLACEMENT", confirmation)
		err := run(nil, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "  DatastoreName\n") {
			t.Errorf("CONFIRM_REPLACEMENT=%s: %v", confirmation, err)
		}
	}
	if _, ok := called(t); ok {
		t.Fatal("deployed all the same")
	}

	t.Setenv("CONFIRM_REPLACEMENT", "yes")
	if err := run(nil, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, ok := called(t); !ok {
		t.Error("not deployed after confirmation")
	}
}

// What cannot be compared is not deployed.
func TestStopsInDoubt(t *testing.T) {
	project(t)
	t.Setenv("CLIENT_SECRET", "x")
	t.Setenv("SRV_API_KEY", "x")
	write(t, "broken", "")
	if err := run(nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("without permission: %v", err)
	}
	os.Remove("broken")
	deployed(t, "p-Datastore", "CREATE_COMPLETE", `"not a template"`)
	if err := run(nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "p-Datastore") {
		t.Errorf("with an unknown template: %v", err)
	}
	write(t, "account", "210987654321\n")
	if err := run(nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "210987654321") {
		t.Errorf("with another account's credentials: %v", err)
	}
	if _, ok := called(t); ok {
		t.Error("deployed all the same")
	}
}

func TestIdpConfig(t *testing.T) {
	project(t)
	var out strings.Builder
	if err := run([]string{"idp-config", "-c", "a=b"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || got["IdpLambdaArn"] != "arn:live" || got["AuthorizationStrategy"] != "SMART_ON_FHIR" ||
		got["FineGrainedAuthorizationEnabled"] != true || !strings.HasPrefix(got["Metadata"].(string), `{"token_endpoint"`) {
		t.Errorf("got %s", out.String())
	}
	if b, _ := os.ReadFile("aws.log"); len(b) > 0 {
		t.Errorf("asked AWS: %s", b)
	}
}
