package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
)

// target is one deployment that the run makes.
type target struct {
	name    string // of its tree
	prefix  string
	secret  string
	context map[string]any
	// credentials are given when the stacks are deployed and not before: parameters of the stack with the secret.
	credentials map[string]string
	alone       sync.Locker // see caller
	dir         string
	d           *deployment
	caller      *caller
}

func (t *target) stack(name string) string { return t.prefix + name }

// proof deploys, tries, changes and removes.
func (s *suite) proof(ctx context.Context) {
	first, second := s.forHydra(), s.forOIDCProvider()
	third, fourth := s.verifying(first, "hydra-jwt"), s.verifying(second, "oidc-jwt")

	s.steps.in("Deployment for ORY Hydra")
	bootstrapped := s.steps.begun(ctx, "cdk bootstrap", func(ctx context.Context) error {
		return s.runCDK(ctx, s.work, "bootstrap", "aws://"+awslocal.Account+"/"+awslocal.Region)
	})
	synthesized := s.begunSynth(ctx, first)
	ready := bootstrapped()
	if !synthesized() || !ready {
		return
	}
	// The second one is synthesized while the first is looked at.
	synthesized = s.begunSynth(ctx, second)
	deployed := s.deployed(ctx, first)
	if deployed {
		s.examine(ctx, first, s.hydra.PublicURL())
	}

	if synthesized() && deployed {
		s.steps.in("A second deployment beside it, for oidc-provider")
		if deployed = s.deployed(ctx, second); deployed {
			s.examine(ctx, second, s.oidc.Issuer+"/")
			s.steps.do(ctx, "the first deployment is what it was", func(ctx context.Context) error {
				return s.unchanged(ctx, first)
			})
		}
	}
	if !deployed || !s.startFunctions(ctx, first, second) {
		return
	}
	clients, ok := s.registerClients(ctx)
	if !ok {
		return
	}
	// These too are synthesized while others are looked at.
	synthesizedJWT := []func() bool{s.begunSynth(ctx, third), s.begunSynth(ctx, fourth)}
	s.introspectedTokens(ctx, first, second, clients)
	if !s.deployVerifying(ctx, synthesizedJWT, third, fourth) {
		return
	}
	s.verifiedTokens(ctx, third, fourth, clients)
	clients, ok = s.outage(ctx, first, third, clients)
	if !ok {
		return
	}
	s.changes(ctx, first, second, clients)
	s.removal(ctx, first, second, third, fourth)
}

// forHydra is the sample's configuration, with Hydra's endpoints, secrets of its own and an audience.
func (s *suite) forHydra() *target {
	credentials := map[string]string{"ClientSecret": rand.Text(), "SrvAPIKey": "srv_pat_" + rand.Text()}
	t := &target{name: "first", prefix: "sof-hl-", secret: "SOF-HL", credentials: credentials, alone: &s.hydra.Alone}
	t.context = map[string]any{
		"account":                    awslocal.Account,
		"region":                     awslocal.Region,
		"tagName":                    "Purpose",
		"tagValue":                   "sof-hl",
		"prefix":                     "sof-hl-",
		"datastoreName":              "datastorename",
		"preloadData":                false,
		"preloadDataType":            "SYNTHEA",
		"clientId":                   "e2e-resource-server",
		"authEndpoint":               s.hydra.PublicURL(),
		"authEndpointToken":          s.hydra.PublicURL() + "oauth2/token",
		"authEndpointIntrospect":     s.hydra.AdminURL() + "admin/oauth2/introspect",
		"requiredAudience":           []string{audience},
		"lambdaConcurrentExecutions": 5,
		"lambdaEnhancedLogging":      false,
		"lambdaArchitecture":         architecture(),
	}
	return t
}

// forOIDCProvider differs in all that it can: names, endpoints, client authentication, key, scaling, rules. Its client
// secret stands in the context.
func (s *suite) forOIDCProvider() *target {
	t := s.forHydra()
	t.name, t.prefix, t.secret, t.credentials, t.alone = "second", "other-", "other/SOF-HL", nil, new(sync.Mutex)
	maps.Copy(t.context, map[string]any{
		"prefix":                        t.prefix,
		"secretName":                    t.secret,
		"datastoreName":                 "records",
		"preloadData":                   true,
		"clientId":                      s.oidc.ResourceServerID,
		"clientSecret":                  s.oidc.ResourceServerSecret,
		"introspectionAuth":             "basic",
		"authEndpoint":                  s.oidc.Issuer + "/",
		"authEndpointToken":             s.oidc.Issuer + "/token",
		"authEndpointIntrospect":        s.oidc.Issuer + "/token/introspection",
		"authEndpointAuthorize":         s.oidc.Issuer + "/auth",
		"authIssuer":                    s.oidc.Issuer,
		"authEndpointJwks":              s.oidc.Issuer + "/jwks",
		"authEndpointRevoke":            s.oidc.Issuer + "/token/revocation",
		"trustedIssuers":                []string{s.oidc.Issuer},
		"kmsKey":                        "create",
		"healthLakeAccess":              "read-only",
		"lambdaMaxConcurrentExecutions": 10,
		"lambdaMemorySize":              256,
	})
	return t
}

func (s *suite) begunSynth(ctx context.Context, t *target) func() bool {
	return s.steps.begun(ctx, "cdk synth, "+t.name+" deployment", func(ctx context.Context) (err error) {
		if t.dir, err = s.tree(t.name, t.context); err != nil {
			return err
		}
		return s.synth(ctx, t.dir)
	})
}

func (s *suite) deployed(ctx context.Context, t *target) bool {
	return s.steps.do(ctx, "cdk deploy --all, "+t.name+" deployment", func(ctx context.Context) error {
		var parameters []string
		for name, value := range t.credentials {
			parameters = append(parameters, t.stack("Secret")+":"+name+"="+value)
		}
		return s.deploy(ctx, t.dir, parameters...)
	}) && s.steps.do(ctx, "read back function, package, secret and datastore", func(ctx context.Context) (err error) {
		t.d, err = s.readBack(ctx, t.prefix)
		return err
	})
}

// examine looks at what was deployed; nothing runs yet. issuer is the provider's, with a slash at the end.
func (s *suite) examine(ctx context.Context, t *target, issuer string) {
	for _, check := range []struct {
		name string
		run  func(context.Context, *target) error
	}{
		{"the function has the settings that the context asks for", s.checkFunction},
		{"its alias live has provisioned concurrency, scaling if asked for, and HealthLake may invoke it", s.checkAlias},
		{"the secret's document holds what the function needs", s.checkSecret},
		{"the datastore calls the alias", s.checkDatastore},
		{"the roles are bound to Lambda, to this account's datastores and to this datastore", s.checkRoles},
	} {
		s.steps.do(ctx, check.name, func(ctx context.Context) error { return check.run(ctx, t) })
	}
	s.steps.do(ctx, "the datastore's metadata has the provider's own endpoints", func(ctx context.Context) error {
		return checkMetadata(ctx, t, issuer)
	})
}

func (s *suite) checkFunction(_ context.Context, t *target) error {
	f := t.d.function
	memory := 512
	if configured, ok := t.context["lambdaMemorySize"].(int); ok {
		memory = configured
	}
	variables := f.Environment.Variables
	var validation error
	if t.context["tokenValidation"] == "jwt" {
		validation = errors.Join(
			equal("TOKEN_VALIDATION", variables["TOKEN_VALIDATION"], "jwt"),
			equal("AUTH_ISSUER", variables["AUTH_ISSUER"], t.context["authIssuer"]),
			equal("AUTH_ENDPOINT_JWKS", variables["AUTH_ENDPOINT_JWKS"], t.context["authEndpointJwks"]),
		)
	}
	return errors.Join(
		validation,
		equal("REQUIRED_AUDIENCE", variables["REQUIRED_AUDIENCE"], audience),
		equal("name", f.FunctionName, t.prefix+"checkToken"),
		equal("runtime", f.Runtime, "provided.al2023"),
		equal("handler", f.Handler, "bootstrap"),
		equal("memory", f.MemorySize, memory),
		equal("architectures", f.Architectures, []string{architecture()}),
		equal("SECRET_ID", variables["SECRET_ID"], t.d.outputs[t.stack("Secret")]["SecretArn"]),
	)
}

func (s *suite) checkAlias(ctx context.Context, t *target) error {
	function := "/functions/" + t.prefix + "checkToken/"
	var concurrency struct{ AllocatedProvisionedConcurrentExecutions int }
	path := "/2019-09-30" + function + "provisioned-concurrency?Qualifier=live"
	if err := s.aws.Get(ctx, "lambda", path, &concurrency); err != nil {
		return err
	}
	var held struct{ Policy string }
	if err := s.aws.Get(ctx, "lambda", "/2015-03-31"+function+"policy?Qualifier=live", &held); err != nil {
		return err
	}
	var policy struct {
		Statement []struct {
			Principal, Condition map[string]any
			Action, Resource     string
		}
	}
	if err := json.Unmarshal([]byte(held.Policy), &policy); err != nil {
		return err
	}
	if len(policy.Statement) == 0 {
		return errors.New("nobody may invoke the alias")
	}
	var scaling struct {
		ScalableTargets []struct{ MinCapacity, MaxCapacity int }
	}
	err := s.aws.JSON(ctx, "application-autoscaling", "AnyScaleFrontendService.DescribeScalableTargets", map[string]any{
		"ServiceNamespace": "lambda", "ResourceIds": []string{"function:" + t.prefix + "checkToken:live"},
	}, &scaling)
	if err != nil {
		return err
	}
	capacity := 0 // fixed
	if len(scaling.ScalableTargets) > 0 {
		capacity = scaling.ScalableTargets[0].MaxCapacity
	}
	most, _ := t.context["lambdaMaxConcurrentExecutions"].(int)
	statement := policy.Statement[0]
	arn := fmt.Sprintf("arn:aws:lambda:%s:%s:function:%scheckToken:live", awslocal.Region, awslocal.Account, t.prefix)
	return errors.Join(
		equal("alias", t.d.alias.AliasArn, arn),
		equal("output AliasArn", t.d.outputs[t.stack("CheckToken")]["AliasArn"], arn),
		equal("provisioned concurrency", concurrency.AllocatedProvisionedConcurrentExecutions, 5),
		equal("capacity to scale to", capacity, most),
		equal("principal", statement.Principal, map[string]any{"Service": "healthlake.amazonaws.com"}),
		equal("action", statement.Action, "lambda:InvokeFunction"),
		equal("resource", statement.Resource, arn),
	)
}

func (s *suite) checkSecret(ctx context.Context, t *target) error {
	role, _, err := s.role(ctx, t.prefix+"Role-for-HealthLake")
	if err != nil {
		return err
	}
	text := func(key string) string {
		value, _ := t.context[key].(string)
		return value
	}
	clientSecret, apiKey := text("clientSecret"), ""
	if t.credentials != nil {
		clientSecret, apiKey = t.credentials["ClientSecret"], t.credentials["SrvAPIKey"]
	}
	want := map[string]string{
		"client_id":                text("clientId"),
		"client_secret":            clientSecret,
		"auth_endpoint":            text("authEndpoint"),
		"auth_endpoint_token":      text("authEndpointToken"),
		"auth_endpoint_introspect": text("authEndpointIntrospect"),
		"api_key":                  apiKey,
		"hl_role_arn":              role,
		"hl_datastore_name":        t.prefix + text("datastoreName"),
		"lambda_enhanced_logging":  "false",
	}
	for name, value := range want {
		if t.d.secret[name] != value {
			return fmt.Errorf("%s is not what it should be", name) // its value may be a credential
		}
	}
	if len(t.d.secret) != len(want) {
		return fmt.Errorf("the document has the fields %v", slices.Sorted(maps.Keys(t.d.secret)))
	}
	var policy struct{ Name, ResourcePolicy string }
	err = s.aws.JSON(ctx, "secretsmanager", "secretsmanager.GetResourcePolicy",
		map[string]string{"SecretId": t.secret}, &policy)
	if err != nil {
		return err
	}
	if !strings.Contains(policy.ResourcePolicy, `"Deny"`) || !strings.Contains(policy.ResourcePolicy, t.d.function.Role) {
		return fmt.Errorf("its resource policy does not keep it for the function: %s", policy.ResourcePolicy)
	}
	return equal("name", policy.Name, t.secret)
}

func (s *suite) checkDatastore(_ context.Context, t *target) error {
	d, outputs := t.d.datastore, t.d.outputs[t.stack("Datastore")]
	name, _ := t.context["datastoreName"].(string)
	return errors.Join(
		equal("name", d.DatastoreName, t.prefix+name),
		equal("function", d.IdentityProviderConfiguration.IdpLambdaArn, t.d.alias.AliasArn),
		equal("strategy", d.IdentityProviderConfiguration.AuthorizationStrategy, "SMART_ON_FHIR"),
		equal("fine-grained authorization", d.IdentityProviderConfiguration.FineGrainedAuthorizationEnabled, true),
		equal("output DatastoreArn", outputs["DatastoreArn"], d.DatastoreArn),
		equal("output DatastoreEndpoint", outputs["DatastoreEndpoint"], d.DatastoreEndpoint),
		equal("output DiscoveryDocumentUrl", outputs["DiscoveryDocumentUrl"],
			d.DatastoreEndpoint+".well-known/smart-configuration"),
	)
}

func (s *suite) checkRoles(ctx context.Context, t *target) error {
	lambdaRole, trust, err := s.role(ctx, t.prefix+"Lambda-Role")
	if err != nil {
		return err
	}
	wrong := []error{equal("the function's role", t.d.function.Role, lambdaRole)}
	if !strings.Contains(trust, `"lambda.amazonaws.com"`) || strings.Contains(trust, "healthlake") {
		wrong = append(wrong, fmt.Errorf("the function's role can be assumed by others: %s", trust))
	}
	_, trust, err = s.role(ctx, t.prefix+"Role-for-HealthLake")
	if err != nil {
		return err
	}
	parts := []string{`"healthlake.amazonaws.com"`, `"aws:SourceAccount"`, `"aws:SourceArn"`, awslocal.Account}
	for _, part := range parts {
		if !strings.Contains(trust, part) {
			wrong = append(wrong, fmt.Errorf("the service role's trust lacks %s: %s", part, trust))
		}
	}
	policy, err := s.policyOf(ctx, t.prefix+"Role-for-HealthLake")
	if err != nil {
		return err
	}
	if !strings.Contains(policy, `"`+t.d.datastore.DatastoreArn+`"`) {
		wrong = append(wrong, fmt.Errorf("the service role's policy is not on the datastore: %s", policy))
	}
	policy, err = s.policyOf(ctx, t.prefix+"Lambda-Role")
	if err != nil {
		return err
	}
	if !strings.Contains(policy, `"`+t.d.function.Environment.Variables["SECRET_ID"]+`"`) {
		wrong = append(wrong, fmt.Errorf("the function may not read its secret: %s", policy))
	}
	return errors.Join(wrong...)
}

// checkMetadata compares the datastore's metadata with the provider's own discovery document. What the metadata
// advertises must be there.
func checkMetadata(ctx context.Context, t *target, issuer string) error {
	var metadata, own map[string]any
	text := t.d.datastore.IdentityProviderConfiguration.Metadata
	if err := json.Unmarshal([]byte(text), &metadata); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+".well-known/openid-configuration", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &own); err != nil {
		return fmt.Errorf("the provider's discovery document: %w", err)
	}
	var wrong []error
	for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"} {
		wrong = append(wrong, equal(name, metadata[name], own[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		if strings.HasSuffix(name, "_endpoint") && !reflect.DeepEqual(metadata[name], own[name]) {
			wrong = append(wrong, fmt.Errorf("%s is advertised as %v, the provider has %v", name, metadata[name], own[name]))
		}
	}
	return errors.Join(wrong...)
}

// unchanged fails if anything of a deployment differs from what was read before.
func (s *suite) unchanged(ctx context.Context, t *target) error {
	now, err := s.readBack(ctx, t.prefix)
	if err != nil {
		return err
	}
	return errors.Join(
		equal("function", now.function, t.d.function),
		equal("alias", now.alias, t.d.alias),
		equal("secret", now.secret, t.d.secret),
		equal("datastore", now.datastore, t.d.datastore),
	)
}

// startFunctions starts what was deployed.
func (s *suite) startFunctions(ctx context.Context, targets ...*target) bool {
	for _, t := range targets {
		if !s.steps.do(ctx, "start the function of the "+t.name+" deployment as Lambda does",
			func(ctx context.Context) error {
				return s.startFunction(ctx, t)
			}) {
			return false
		}
	}
	return true
}

func (s *suite) startFunction(ctx context.Context, t *target) error {
	role, _, err := s.role(ctx, t.prefix+"Role-for-HealthLake")
	if err != nil {
		return err
	}
	f, err := s.start(ctx, t.name+"-"+t.d.function.Version, t.d)
	if err != nil {
		return err
	}
	t.caller, err = newCaller(f, t, role)
	return err
}

// removal removes all deployments. What CloudFormation replaced before stays.
func (s *suite) removal(ctx context.Context, targets ...*target) {
	s.steps.in("Removal")
	for _, t := range targets {
		s.steps.do(ctx, "cdk destroy --all, "+t.name+" deployment", func(ctx context.Context) error {
			return s.destroy(ctx, t.dir)
		})
		s.steps.do(ctx, "no stack, secret, function, log group or role of it is left", func(ctx context.Context) error {
			return s.gone(ctx, t.prefix, t.secret)
		})
	}
	s.steps.do(ctx, "the datastores are gone, but for the one that was replaced", func(ctx context.Context) error {
		left, err := s.datastores(ctx)
		if err != nil {
			return err
		}
		return equal("datastores", left, []string{targets[0].d.datastore.DatastoreId})
	})
}

func equal(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%s is %v, want %v", what, got, want)
}

// mark changes the function's code in a tree.
func mark(dir, text string) error {
	source := fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc init() { _ = os.Setenv(\"E2E_MARK\", %q) }\n", text)
	return os.WriteFile(filepath.Join(dir, "lambda", "checktoken", "mark.go"), []byte(source), 0o644)
}

func marked(binary, text string) error {
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	if !bytes.Contains(content, []byte(text)) {
		return errors.New("the deployed binary is not the changed one")
	}
	return nil
}
