package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/cmd/internal/awstest"
)

// The CDK's command line, in the package's place. It writes down what it was called with, and what other users of the machine
// could see of that.
const fakeCDK = `
const fs = require("fs");
const seen = fs.existsSync("/proc/self/cmdline") ? fs.readFileSync("/proc/self/cmdline", "latin1") : "";
const env = process.env.DEPLOY_ARGUMENTS || "";
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

const validContext = `{"account": "123456789012", "region": "us-east-1", "tagName": "a", "tagValue": "b", "prefix": "p-",
	"datastoreName": "records", "clientId": "me", "authEndpoint": "https://idp.example", "authEndpointToken": "https://idp.example/token",
	"authEndpointIntrospect": "https://idp.example/introspect"}`

// project is a directory with a synthesized assembly, in which the test runs from now on, and an AWS where nothing is
// deployed.
func project(t *testing.T) *awstest.Server {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	for path, content := range map[string]string{
		"bin/npx":                               "#!/bin/sh\necho \"$@\" >>npx.log\necho synthesized\n",
		"cdk.context.json":                      validContext,
		"cdk.out/manifest.json":                 manifest,
		"cdk.out/p-Secret.template.json":        secretTemplate,
		"cdk.out/p-Datastore.template.json":     withParameters,
		"node_modules/aws-cdk/package.json":     `{"name": "aws-cdk", "bin": {"cdk": "somewhere/cdk.js"}, "exports": {"./package.json": "./package.json"}}`,
		"node_modules/aws-cdk/somewhere/cdk.js": fakeCDK,
	} {
		write(t, path, content)
	}
	for _, name := range []string{"CLIENT_SECRET", "SRV_API_KEY", "CLIENT_PRIVATE_KEY", "CONFIRM_REPLACEMENT", "APPROVE"} {
		t.Setenv(name, "") // so that it is as before after the test
		os.Unsetenv(name)
	}
	s := awstest.Start(t)
	s.Fail("cloudformation DescribeStacks", "ValidationError", "Stack with id x does not exist")
	return s
}

// deploys makes a stack exist, with the defaults as its parameters' values.
func deploys(t *testing.T, s *awstest.Server, name, status, template string) {
	t.Helper()
	var parameters, body strings.Builder
	if strings.HasPrefix(template, "{") {
		for name, p := range parse(t, template).Parameters {
			parameters.WriteString("<member><ParameterKey>" + name + "</ParameterKey><ParameterValue>")
			value, _ := text(p.Default)
			_ = xml.EscapeText(&parameters, []byte(value))
			parameters.WriteString("</ParameterValue></member>")
		}
	}
	_ = xml.EscapeText(&body, []byte(template))
	s.Respond("cloudformation DescribeStacks "+name, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>`+
		name+`</StackName><StackStatus>`+status+`</StackStatus><CreationTime>2026-01-02T03:00:00Z</CreationTime><Parameters>`+parameters.String()+`</Parameters><Outputs><member>`+
		`<OutputKey>DatastoreId</OutputKey><OutputValue>d1</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult>`+
		`</DescribeStacksResponse>`)
	s.Respond("cloudformation GetTemplate "+name, `<GetTemplateResponse><GetTemplateResult><TemplateBody>`+body.String()+
		`</TemplateBody></GetTemplateResult></GetTemplateResponse>`)
}

// datastore makes the datastore of the templates exist, with a token endpoint.
func datastore(s *awstest.Server, tokenEndpoint string) {
	s.Respond("healthlake DescribeFHIRDatastore d1", `{"DatastoreProperties": {"DatastoreId": "d1", "DatastoreArn": "x",
		"DatastoreEndpoint": "x", "DatastoreTypeVersion": "R4", "DatastoreStatus": "ACTIVE", "DatastoreName": "a",
		"IdentityProviderConfiguration": {"AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": true,
			"IdpLambdaArn": "arn:live", "Metadata": "{\"authorization_endpoint\":\"https://idp.example/a\",\"token_endpoint\":\"`+tokenEndpoint+`\",\"capabilities\":[\"c\"]}"}}}`)
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
	if err := run(t.Context(), []string{"-c", "region=us-east-1", "--", "--require-approval", "never"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	c, ok := called(t)
	want := []string{"deploy", "--app", "cdk.out", "--all", "--require-approval", "never",
		"--parameters", "p-Secret:ClientSecret=hunter-2 $x", "--parameters", "p-Secret:SrvAPIKey="}
	if !ok || !slices.Equal(c.Argv, want) {
		t.Errorf("cdk got %q, want %q", c.Argv, want)
	}
	if strings.Contains(c.Seen+c.Env+out.String(), "hunter") {
		t.Errorf("the secret can be seen: %q %q %q", c.Seen, c.Env, out.String())
	}
	if b, _ := os.ReadFile("npx.log"); string(b) != "--no -- cdk synth --quiet --output cdk.out -c region=us-east-1\n" {
		t.Errorf("npx got %q", b)
	}
}

func TestParameters(t *testing.T) {
	s := project(t)
	err := run(t.Context(), nil, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "CLIENT_SECRET is not set, and the parameter ClientSecret of stack p-Secret") {
		t.Errorf("first deploy without values: %v", err)
	}
	if _, ok := called(t); ok {
		t.Error("deployed all the same")
	}

	// A stack that failed at first keeps nothing.
	deploys(t, s, "p-Secret", "ROLLBACK_COMPLETE", secretTemplate)
	if err := run(t.Context(), nil, io.Discard, io.Discard); err == nil {
		t.Error("took values from a stack that is about to be deleted")
	}

	deploys(t, s, "p-Secret", "UPDATE_COMPLETE", secretTemplate)
	if err := run(t.Context(), nil, io.Discard, io.Discard); err != nil {
		t.Errorf("later deploy without values: %v", err)
	}
	if c, _ := called(t); slices.Contains(c.Argv, "--parameters") {
		t.Errorf("cdk got %q", c.Argv)
	}
}

// The private key goes between the quotation marks of the secret's JSON document.
func TestPrivateKey(t *testing.T) {
	for name, der := range map[string]func(*ecdsa.PrivateKey) ([]byte, error){
		"PRIVATE KEY":    func(k *ecdsa.PrivateKey) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) },
		"EC PRIVATE KEY": x509.MarshalECPrivateKey,
	} {
		project(t)
		write(t, "cdk.out/p-Secret.template.json", `{"Parameters": {"ClientPrivateKey": {"Type": "String", "NoEcho": true}}}`)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		block, err := der(key)
		if err != nil {
			t.Fatal(err)
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: block}))
		t.Setenv("CLIENT_PRIVATE_KEY", text)
		if err := run(t.Context(), nil, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		c, _ := called(t)
		parameter, ok := strings.CutPrefix(c.Argv[len(c.Argv)-1], "p-Secret:ClientPrivateKey=")
		var decoded string
		if err := json.Unmarshal([]byte(`"`+parameter+`"`), &decoded); !ok || err != nil || decoded != text {
			t.Errorf("%s: the secret gets %q, %v", name, decoded, err)
		}

		_ = os.Remove("cdk.json")
		t.Setenv("CLIENT_PRIVATE_KEY", `{"comment":"`+strings.Repeat("x", 4096)+`",`+jwk(t, key)[1:])
		err = run(t.Context(), nil, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "CloudFormation's limit for a parameter") {
			t.Errorf("%s: a long key: %v", name, err)
		}
		t.Setenv("CLIENT_PRIVATE_KEY", text[:len(text)/2])
		err = run(t.Context(), nil, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "CLIENT_PRIVATE_KEY: ") || strings.Contains(err.Error(), "MI") {
			t.Errorf("%s: half of a key: %v", name, err)
		}
		if _, ok := called(t); ok {
			t.Error("deployed with half of a key")
		}
	}
}

func jwk(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	text, err := jose.JSONWebKey{Key: key}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReplacementStopsDeploy(t *testing.T) {
	s := project(t)
	deploys(t, s, "p-Secret", "CREATE_COMPLETE", secretTemplate)
	deploys(t, s, "p-Datastore", "CREATE_COMPLETE", withParameters)
	datastore(s, "https://idp.example/t")
	write(t, "cdk.out/p-Datastore.template.json", with(t, withParameters, `"Tags"`, `"SseConfiguration": {"K": "k"}, "Tags"`))

	for _, confirmation := range []string{"", "no", "YES", "true"} {
		t.Setenv("CONFIRM_REPLACEMENT", confirmation)
		err := run(t.Context(), nil, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "they changed: kmsKey.\n") {
			t.Errorf("CONFIRM_REPLACEMENT=%s: %v", confirmation, err)
		}
	}
	if _, ok := called(t); ok {
		t.Fatal("deployed all the same")
	}

	t.Setenv("CONFIRM_REPLACEMENT", "yes")
	if err := run(t.Context(), nil, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, ok := called(t); !ok {
		t.Error("not deployed after confirmation")
	}
}

// What cannot be compared is not deployed.
func TestStopsInDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *awstest.Server)
		args   []string
		want   string
	}{
		"no permission": {func(_ *testing.T, s *awstest.Server) {
			s.Fail("cloudformation DescribeStacks", "AccessDenied", "User is not authorized to perform: cloudformation:DescribeStacks")
		}, nil, "stack p-Datastore: CloudFormation DescribeStacks: AccessDenied: User is not authorized"},
		"no permission for the template": {func(t *testing.T, s *awstest.Server) {
			deploys(t, s, "p-Datastore", "CREATE_COMPLETE", withParameters)
			s.Fail("cloudformation GetTemplate p-Datastore", "AccessDenied", "x\x1b[2J")
		}, nil, "stack p-Datastore: CloudFormation GetTemplate: AccessDenied: x"},
		"not a template": {func(t *testing.T, s *awstest.Server) {
			deploys(t, s, "p-Datastore", "CREATE_COMPLETE", `"hidden"`)
		}, nil, "the deployed template of stack p-Datastore is not JSON"},
		"another error of validation": {func(_ *testing.T, s *awstest.Server) {
			s.Fail("cloudformation DescribeStacks", "ValidationError", "1 validation error detected")
		}, nil, "ValidationError: 1 validation error"},
		"another account": {func(_ *testing.T, s *awstest.Server) {
			s.Respond("sts GetCallerIdentity", `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>210987654321</Account>`+
				`</GetCallerIdentityResult></GetCallerIdentityResponse>`)
		}, nil, "the credentials belong to account 210987654321, but stack p-Datastore to account 123456789012; use credentials of account 123456789012"},
		"no credentials":  {func(t *testing.T, _ *awstest.Server) { awstest.NoCredentials(t) }, nil, "no AWS credentials; to fix it, set AWS_PROFILE"},
		"no such profile": {func(*testing.T, *awstest.Server) {}, []string{"--", "--profile", "nobody"}, `there is no AWS profile "nobody"`},
		"no such profile, with =": {func(*testing.T, *awstest.Server) {}, []string{"--", "--profile=nobody"},
			`there is no AWS profile "nobody"`},
		"no assembly": {func(*testing.T, *awstest.Server) { os.Remove("cdk.out/manifest.json") }, nil, "manifest.json"},
		"no stacks": {func(t *testing.T, _ *awstest.Server) { write(t, "cdk.out/manifest.json", `{"artifacts": {}}`) }, nil,
			"cdk.out has no stacks"},
		"no synthesis": {func(t *testing.T, _ *awstest.Server) { write(t, "bin/npx", "#!/bin/sh\nexit 3\n") }, nil,
			"cdk synth failed, so nothing was deployed (exit status 3)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := project(t)
			t.Setenv("CLIENT_SECRET", "x")
			t.Setenv("SRV_API_KEY", "x")
			test.change(t, s)
			err := run(t.Context(), test.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), "hidden") {
				t.Errorf("not fit to print: %q", err.Error())
			}
			if _, ok := called(t); ok {
				t.Error("deployed all the same")
			}
		})
	}
}

func TestDeployFails(t *testing.T) {
	project(t)
	t.Setenv("CLIENT_SECRET", "x")
	t.Setenv("SRV_API_KEY", "x")
	write(t, "node_modules/aws-cdk/somewhere/cdk.js", "process.exit(4)")
	err := run(t.Context(), nil, io.Discard, io.Discard)
	if err == nil || err.Error() != "cdk deploy failed, see above (exit status 4)" {
		t.Errorf("got %v", err)
	}
}

func TestChangesInPlace(t *testing.T) {
	const changes, byHand, unknown = "  changes in place: token_endpoint\n", "  changed by hand:  token_endpoint\n",
		"  Changes by hand are not known: HealthLake DescribeFHIRDatastore: AccessDeniedException"
	for name, test := range map[string]struct {
		before     string
		live       string // the datastore's token endpoint; empty: nobody may look
		parameters int    // that the CDK gets
		want, not  []string
	}{
		"deployed by this version": {withParameters, "https://idp.example/t", 0, []string{changes}, []string{byHand, unknown}},
		"deployed before":          {literal, "https://idp.example/t", 5, []string{changes}, []string{byHand, unknown}},
		"changed by hand":          {withParameters, "https://hand.example/t", 0, []string{changes, byHand, "sets every setting"}, nil},
		"nobody may look":          {withParameters, "", 0, []string{changes, unknown}, []string{byHand}},
	} {
		t.Run(name, func(t *testing.T) {
			s := project(t)
			deploys(t, s, "p-Secret", "CREATE_COMPLETE", secretTemplate)
			deploys(t, s, "p-Datastore", "UPDATE_COMPLETE", test.before)
			datastore(s, test.live)
			if test.live == "" {
				s.Fail("healthlake DescribeFHIRDatastore d1", "AccessDeniedException", "no")
			}
			write(t, "cdk.out/p-Datastore.template.json", with(t, withParameters, "https://idp.example/t", "https://new.example/t"))
			var out strings.Builder
			if err := run(t.Context(), nil, &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
			for _, not := range test.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("%q in\n%s", not, out.String())
				}
			}
			c, ok := called(t)
			if given := len(optionValues(c.Argv, "--parameters")); !ok || given != test.parameters {
				t.Errorf("cdk got %q", c.Argv)
			}
		})
	}
}

func TestApprove(t *testing.T) {
	project(t)
	t.Setenv("CLIENT_SECRET", "")
	t.Setenv("SRV_API_KEY", "")
	t.Setenv("APPROVE", "never")
	if err := run(t.Context(), nil, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if c, _ := called(t); !slices.Equal(c.Argv[:6], []string{"deploy", "--app", "cdk.out", "--all", "--require-approval", "never"}) {
		t.Errorf("cdk got %q", c.Argv)
	}
	t.Setenv("APPROVE", "yes")
	err := run(t.Context(), nil, io.Discard, io.Discard)
	if want := `APPROVE: got "yes", want never, or nothing to be asked before rights change`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// Mistakes in the context's files end it before the CDK starts.
func TestContextFiles(t *testing.T) {
	project(t)
	write(t, "cdk.context.prod.json", "{}")
	for _, test := range []struct {
		file string
		args []string
		want string
	}{
		{"{\"a\": 1,}", nil, "cdk.context.json, line 1, column 8: a comma before the closing }; remove it"},
		{"{}", []string{"-c", "env=dev"}, `env: got "dev", want an environment that has a file cdk.context.<environment>.json; there are: prod`},
		{"{}", []string{"--context=env=dev"}, `env: got "dev"`},
	} {
		write(t, "cdk.context.json", test.file)
		for _, command := range []string{"synth", "diff", "destroy"} {
			err := run(t.Context(), append([]string{command}, test.args...), io.Discard, io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", command, err, test.want)
			}
		}
		if b, err := os.ReadFile("npx.log"); err == nil {
			t.Errorf("the CDK was started: %s", b)
		}
	}
}

// So do mistakes in the values, in the same words as everywhere.
func TestContextValues(t *testing.T) {
	project(t)
	var out strings.Builder
	err := run(t.Context(), []string{"synth", "-c", "acount=1", "-c", "region=eu-east-1"}, io.Discard, &out)
	if err == nil || err.Error() != "the context has errors, so nothing was done" {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"error    acount  ", "did you mean account?", `error    region            got "eu-east-1"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
	if b, err := os.ReadFile("npx.log"); err == nil {
		t.Errorf("the CDK was started: %s", b)
	}
}

func TestDiff(t *testing.T) {
	s := project(t)
	if err := run(t.Context(), []string{"diff", "-c", "tagValue=c", "--", "p-Secret"}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if c, _ := called(t); !slices.Equal(c.Argv, []string{"diff", "--app", "cdk.out", "--method", "template", "p-Secret"}) {
		t.Errorf("cdk got %q", c.Argv)
	}
	if calls := s.Calls(); !slices.Equal(calls, []string{"sts GetCallerIdentity"}) {
		t.Errorf("asked AWS: %q", calls)
	}
	awstest.NoCredentials(t)
	err := run(t.Context(), []string{"diff"}, io.Discard, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "no AWS credentials; to fix it, ") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestDestroy(t *testing.T) {
	s := project(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"destroy"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	want := "Nothing was there: account 123456789012, region us-east-1 has none of the stacks p-Datastore, p-Secret. " +
		"Their names begin with the prefix.\n"
	if _, ok := called(t); ok || out.String() != want {
		t.Errorf("the CDK was started: %t\n%s", ok, out.String())
	}

	deploys(t, s, "p-Secret", "ROLLBACK_COMPLETE", secretTemplate)
	if err := run(t.Context(), []string{"destroy", "--", "--force"}, io.Discard, &out); err != nil {
		t.Fatal(err)
	}
	if c, _ := called(t); !slices.Equal(c.Argv, []string{"destroy", "--app", "cdk.out", "--all", "--force"}) {
		t.Errorf("cdk got %q", c.Argv)
	}
	if !strings.Contains(out.String(), "In account 123456789012, region us-east-1 there are the stacks p-Secret.\n") {
		t.Errorf("got %s", out.String())
	}
}

func TestChooseStack(t *testing.T) {
	stacks := []stack{{Name: "t-Roles"}, {Name: "t-Secret"}, {Name: "t-CheckToken"}, {Name: "t-Datastore"}}
	for name, want := range map[string]string{"": "--all", "CheckToken": "t-CheckToken", "t-Secret": "t-Secret", "Function": "", "e": "", "store": ""} {
		got, err := choose(name, stacks)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
}
