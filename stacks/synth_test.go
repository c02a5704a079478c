package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

// sample is what the sample context comes to, with the lists cut short.
func sample() config.Config {
	return config.Config{
		Account:                    "123456789012",
		Region:                     "us-east-1",
		TagName:                    "Purpose",
		TagValue:                   "sof-hl",
		Prefix:                     "sof-hl-",
		DatastoreName:              "datastorename",
		PreloadDataType:            "SYNTHEA",
		ClientID:                   "11111111-2222-3333-4444-555555555555",
		ClientSecret:               "abcdefghijklmnopqrstuvxyz",
		SrvAPIKey:                  "srv_pat_aBcDeFgHiJkLmNoPqRsTuVwXyZ",
		AuthEndpoint:               "https://idp.example/",
		AuthEndpointToken:          "https://idp.example/oauth2/token",
		AuthEndpointIntrospect:     "https://idp.example/admin/oauth2/introspect",
		AuthEndpointAuthorize:      "https://idp.example/oauth2/auth",
		AuthIssuer:                 "https://idp.example/",
		AuthEndpointJwks:           "https://idp.example/.well-known/jwks.json",
		AuthEndpointRevoke:         "https://idp.example/oauth2/revoke",
		TokenValidation:            config.TokenValidationIntrospection,
		IntrospectionAuth:          clientauth.Auto,
		AuthorizationStrategy:      config.StrategySMART,
		FineGrainedAuthorization:   true,
		SmartCapabilities:          []string{"launch-standalone", "sso-openid-connect", "permission-v1", "permission-v2"},
		SmartScopes:                []string{"openid", "patient/*.rs"},
		GrantTypes:                 []string{"authorization_code", "client_credentials"},
		KMSKey:                     config.KMSKeyAWSOwned,
		HealthLakeAccess:           config.AccessReadWrite,
		BulkExport:                 config.BulkExportOff,
		SecretName:                 "SOF-HL",
		LambdaArchitecture:         config.ArchitectureARM64,
		LambdaMemorySize:           512,
		LambdaConcurrentExecutions: 5,
		LogRetentionDays:           14,
		AuditClaims:                contract.DefaultAuditClaims,
		Dashboard:                  true,
	}
}

// source is this project as any clone of it would have it.
var source = Source{Root: root(), Version: "1.2.3", Revision: "0123456789abcdef0123456789abcdef01234567"}

func root() string {
	dir, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return dir
}

// caFile is a file with one certificate, which TestMain writes.
var caFile string

const keyARN = "arn:aws:kms:eu-west-2:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// variants are the configurations that the tests look at. Each is synthesized at most once, without compiling the
// function.
var variants = map[string]func(*config.Config){
	"default": func(*config.Config) {},
	// Everything about the function and its secret is different; nothing that the datastore sees is.
	"function": func(c *config.Config) {
		c.ClientSecret = `quote " backslash \ amp & angle <> é`
		c.SrvAPIKey = ""
		c.AuthEndpointIntrospect = "https://idp.example/elsewhere"
		c.IntrospectionAuth = clientauth.Basic
		c.RequiredAudience = []string{"datastore", "https://fhir.example/"}
		c.RequiredScope = []string{"fhir", "launch"}
		c.ClaimNames = map[string]string{"fhirUser": "https://clinic.example/fhirUser"}
		c.TrustedIssuers = []string{"https://a.example/", "https://b.example/"}
		c.SecretName = "SOF-HL-2"
		c.SecretAdmins = []string{"arn:aws:iam::123456789012:role/Security", "arn:aws:iam::123456789012:user/kim"}
		c.IntrospectionCacheSeconds = 30
		c.AuthCABundle = caFile
		c.RestrictInvokeToAccount = true
		c.LambdaArchitecture = config.ArchitectureX8664
		c.LambdaMemorySize = 1024
		c.LambdaMaxConcurrentExecutions = 20
		c.LambdaReservedConcurrency = 50
		c.LambdaEnhancedLogging = true
		c.LogRetentionDays = 365
		c.Tracing = true
	},
	"ownKey": func(c *config.Config) {
		c.ProtectDatastore = true
		c.ClientSecret, c.SrvAPIKey = "", ""
		c.SecretAdmins = []string{"arn:aws:iam::123456789012:role/Security"}
		c.KMSKey = config.KMSKeyCreate
		c.HealthLakeAccess = config.AccessReadOnly
		c.BulkExport = config.BulkExportS3
		c.PreloadData = true
		c.AlarmEmail = "ops@example.org"
		c.AuthorizationStrategy = config.StrategySMARTV1
		c.FineGrainedAuthorization = false
	},
	"exports": func(c *config.Config) { c.BulkExport = config.BulkExportS3 },
	"vpc": func(c *config.Config) {
		c.VPCSubnets, c.VPCID = []string{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"}, "vpc-0123456789abcdef0"
		c.VPCSecretsEndpoint = true
		c.AuthEndpointIntrospect = "https://sso.clinic.internal:8443/introspect"
		c.AuthCABundle = caFile
		c.MoreIssuers = []contract.Issuer{{Issuer: "https://partner.example", JWKS: "https://partner.example:9443/jwks",
			RequiredAudience: []string{"datastore"}}}
	},
	"vpcGroups": func(c *config.Config) {
		c.VPCSubnets = []string{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"}
		c.VPCSecurityGroups = []string{"sg-0123456789abcdef0", "sg-0123456789abcdef1"}
	},
	"givenKey": func(c *config.Config) {
		c.Account = "210987654321"
		c.Region = "eu-west-2"
		c.Prefix = ""
		c.ClientSecret = "{{resolve:secretsmanager:idp:SecretString:client_secret}}"
		c.SrvAPIKey = "{{resolve:secretsmanager:idp:SecretString:api_key::}}"
		c.KMSKey = keyARN
		c.BulkExport = config.BulkExportGet
		c.Dashboard = false
		c.TokenValidation = config.TokenValidationJWT
		c.RequiredAudience = []string{"datastore"}
		c.ClientID, c.ClientSecret, c.SrvAPIKey, c.AuthEndpointIntrospect = "", "", "", ""
	},
}

func variant(name string) config.Config {
	c := sample()
	variants[name](&c)
	return c
}

// synthesized is a variant's cloud assembly.
type synthesized struct {
	dir    string
	stacks map[string]template // by name without the prefix
}

type template struct {
	assertions.Template
	json map[string]any
}

var (
	synthesizedOnce = map[string]*sync.Once{}
	assemblies      = map[string]synthesized{}
	scratch         string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer jsii.Close()
	var err error
	if scratch, err = os.MkdirTemp("", "stacks"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	// What else the path may hold must not upset the shell that copies the file.
	caFile = filepath.Join(scratch, "it's a $(bundle).pem")
	if err := os.WriteFile(caFile, certificate(), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name := range variants {
		synthesizedOnce[name] = new(sync.Once)
	}
	return m.Run()
}

// get gives a variant's assembly.
func get(t *testing.T, name string) synthesized {
	t.Helper()
	synthesizedOnce[name].Do(func() {
		assemblies[name] = synthesize(t, variant(name), filepath.Join(scratch, name), false)
	})
	if assemblies[name].stacks == nil {
		t.Fatalf("variant %s did not synthesize", name)
	}
	return assemblies[name]
}

// each runs a test on every variant.
func each(t *testing.T, test func(*testing.T, config.Config, synthesized)) {
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		t.Run(name, func(t *testing.T) { test(t, variant(name), get(t, name)) })
	}
}

// synthesize works with the feature flags of cdk.json, as the app does.
func synthesize(t *testing.T, cfg config.Config, dir string, bundle bool) synthesized {
	t.Helper()
	flags := contextFlags(t)
	if !bundle {
		flags["aws:cdk:bundling-stacks"] = []string{}
	}
	return synthesizeWith(t, cfg, source, dir, flags)
}

func synthesizeWith(t *testing.T, cfg config.Config, from Source, dir string, flags map[string]any) synthesized {
	t.Helper()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &flags, Outdir: jsii.String(dir), AnalyticsReporting: jsii.Bool(false)})
	if err := New(app, cfg, from); err != nil {
		t.Fatal(err)
	}
	app.Synth(nil)

	s := synthesized{dir: dir, stacks: map[string]template{}}
	for _, name := range []string{"Roles", "Secret", "CheckToken", "Datastore"} {
		stack := awscdk.Stack_Of(app.Node().FindChild(jsii.String(cfg.Prefix + name)))
		tmpl := assertions.Template_FromStack(stack, nil)
		s.stacks[name] = template{Template: tmpl, json: *tmpl.ToJSON()}
	}
	return s
}

func contextFlags(t *testing.T) map[string]any {
	t.Helper()
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var project struct{ Context map[string]any }
	if err := json.Unmarshal(b, &project); err != nil {
		t.Fatal(err)
	}
	return project.Context
}

// resources are the template's resources of a type, by logical id.
func (tmpl template) resources(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, r := range tmpl.all() {
		if r["Type"] == kind {
			found[id] = r
		}
	}
	return found
}

func (tmpl template) all() map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, r := range tmpl.json["Resources"].(map[string]any) {
		found[id] = r.(map[string]any)
	}
	return found
}

// one is the only resource of a type.
func (tmpl template) one(t *testing.T, kind string) (id string, resource map[string]any) {
	t.Helper()
	found := tmpl.resources(kind)
	if len(found) != 1 {
		t.Fatalf("got %d resources of type %s, want 1", len(found), kind)
	}
	for id, resource = range found {
	}
	return id, resource
}

// at follows keys into a JSON value; nil where one is missing.
func at(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// wantJSON compares a value with a JSON document.
func wantJSON(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in the expectation %s", err, want)
	}
	// Through JSON once, so that both sides have the same Go types.
	b, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var g any
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
}
