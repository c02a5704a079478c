package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/internal/config"
)

// deployments deploys all targets and looks at what was deployed. No function has been called yet.
func deployments(l *lab, t *testing.T) {
	for i, one := range l.targets() {
		l.section("%s, %s", one.provider.name, strings.TrimSuffix(one.prefix, "-"))
		l.deployed(t, one)
		for _, check := range []struct {
			name string
			run  func(context.Context, *target) error
		}{
			{"the function has the settings that the context asks for", l.checkFunction},
			{"its alias live has provisioned concurrency, scaling if asked for, and HealthLake may invoke it", l.checkAlias},
			{"the secret's document holds what the function needs", l.checkSecret},
			{"the datastore calls the alias", l.checkDatastore},
			{"the roles are bound to Lambda, to this account's datastores and to this datastore", l.checkRoles},
			{"the datastore's metadata has the provider's own endpoints", l.checkMetadata},
		} {
			l.step(t, check.name, func(ctx context.Context) error { return check.run(ctx, one) })
		}
		if i == 0 {
			l.step(t, "`make preflight` knows the names as this deployment's own", func(ctx context.Context) error { return l.checkPreflight(ctx, one) })
		}
		for _, other := range l.targets()[:i] {
			l.step(t, "the deployment "+other.prefix+" is what it was", func(ctx context.Context) error {
				now, err := l.aws.readBack(ctx, other.prefix, l.work)
				return errors.Join(err, unchanged(now, other.d), equal("the same secret", maps.Equal(now.secret, other.d.secret), true))
			})
		}
	}
}

// checkPreflight has preflight look at what is deployed: the names are this deployment's own then.
func (l *lab) checkPreflight(ctx context.Context, t *target) error {
	return errors.Join(l.setContext(t.context), l.says(ctx, "CLIENT_SECRET= SRV_API_KEY= make preflight", "failed 0,", "ok       AWS secret",
		"ok       AWS function"))
}

func (l *lab) checkFunction(_ context.Context, t *target) error {
	f, variables := t.d.function, t.d.variables()
	memory := config.DefaultMemorySize
	if configured, ok := t.context["lambdaMemorySize"].(int); ok {
		memory = configured
	}
	wanted := map[string]any{"REQUIRED_AUDIENCE": audience, "SECRET_ID": t.d.outputs["SecretArn"]}
	if t.context["tokenValidation"] == "jwt" {
		maps.Copy(wanted, map[string]any{"TOKEN_VALIDATION": "jwt", "AUTH_ISSUER": t.context["authIssuer"],
			"AUTH_ENDPOINT_JWKS": t.context["authEndpointJwks"]})
	} else {
		host, _, _ := strings.Cut(strings.TrimPrefix(t.provider.introspect, "http://"), "/")
		wanted["INTROSPECTION_ORIGIN"] = "http://" + host
	}
	wrong := []error{
		equal("name", *f.FunctionName, t.prefix+"checkToken"),
		equal("runtime", string(f.Runtime), "provided.al2023"),
		equal("handler", *f.Handler, "bootstrap"),
		equal("memory", int(*f.MemorySize), memory),
		equal("architectures", fmt.Sprint(f.Architectures), "["+architecture+"]"),
	}
	for name, value := range wanted {
		wrong = append(wrong, equal(name, any(variables[name]), value))
	}
	return errors.Join(wrong...)
}

func (l *lab) checkAlias(ctx context.Context, t *target) error {
	name, live := aws.String(t.prefix+"checkToken"), aws.String("live")
	concurrency, err := l.aws.lambda.GetProvisionedConcurrencyConfig(ctx,
		&lambda.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: live})
	if err != nil {
		return err
	}
	held, err := l.aws.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name, Qualifier: live})
	if err != nil {
		return err
	}
	var policy struct {
		Statement []struct {
			Principal, Condition map[string]any
			Action, Resource     string
		}
	}
	if err := json.Unmarshal([]byte(*held.Policy), &policy); err != nil || len(policy.Statement) != 1 {
		return fmt.Errorf("who may invoke the alias: %s %w", *held.Policy, err)
	}
	scalable, err := l.aws.scaling.DescribeScalableTargets(ctx, &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: scaling.ServiceNamespaceLambda, ResourceIds: []string{"function:" + *name + ":live"}})
	if err != nil {
		return err
	}
	capacity := 0 // fixed
	if len(scalable.ScalableTargets) > 0 {
		capacity = int(*scalable.ScalableTargets[0].MaxCapacity)
	}
	most, _ := t.context["lambdaMaxConcurrentExecutions"].(int)
	statement := policy.Statement[0]
	arn := fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s:live", region, account, *name)
	return errors.Join(
		equal("alias", *t.d.alias.AliasArn, arn),
		equal("output AliasArn", t.d.outputs["AliasArn"], arn),
		equal("provisioned concurrency", int(*concurrency.AllocatedProvisionedConcurrentExecutions), 5),
		equal("capacity to scale to", capacity, most),
		equal("principal", statement.Principal, map[string]any{"Service": "healthlake.amazonaws.com"}),
		equal("action", statement.Action, "lambda:InvokeFunction"),
		equal("resource", statement.Resource, arn),
	)
}

func (l *lab) checkSecret(ctx context.Context, t *target) error {
	text := func(key string) string {
		value, _ := t.context[key].(string)
		return value
	}
	clientSecret, apiKey := text("clientSecret"), ""
	if t.credentials != nil {
		clientSecret, apiKey = t.credentials["CLIENT_SECRET"], t.credentials["SRV_API_KEY"]
	}
	want := map[string]string{
		"client_id":                text("clientId"),
		"client_secret":            clientSecret,
		"auth_endpoint":            text("authEndpoint"),
		"auth_endpoint_token":      text("authEndpointToken"),
		"auth_endpoint_introspect": text("authEndpointIntrospect"),
		"api_key":                  apiKey,
		"hl_role_arn":              "arn:aws:iam::" + account + ":role/" + t.prefix + "Role-for-HealthLake",
		"hl_role_arn_read":         t.role(appScope),
		"hl_datastore_name":        t.prefix + text("datastoreName"),
		"lambda_enhanced_logging":  "false",
	}
	if text("bulkExport") != "off" {
		want["hl_role_arn_export"], want["hl_role_arn_read_export"] = t.role(writeScope), t.role(readScope)
	}
	for name, value := range want {
		if t.d.secret[name] != value {
			return fmt.Errorf("%s is not what it should be", name) // its value may be a credential
		}
	}
	policy, err := l.aws.secrets.GetResourcePolicy(ctx, &secretsmanager.GetResourcePolicyInput{SecretId: &t.secret})
	if err != nil {
		return err
	}
	return errors.Join(
		equal("fields", slices.Sorted(maps.Keys(t.d.secret)), slices.Sorted(maps.Keys(want))),
		equal("name", *policy.Name, t.secret),
		contains("its resource policy", *policy.ResourcePolicy, `"Deny"`, *t.d.function.Role),
	)
}

func (l *lab) checkDatastore(_ context.Context, t *target) error {
	d, idp := t.d.datastore, t.d.datastore.IdentityProviderConfiguration
	return errors.Join(
		equal("name", *d.DatastoreName, fmt.Sprint(t.prefix, t.context["datastoreName"])),
		equal("function", *idp.IdpLambdaArn, *t.d.alias.AliasArn),
		equal("strategy", string(idp.AuthorizationStrategy), "SMART_ON_FHIR"),
		equal("fine-grained authorization", idp.FineGrainedAuthorizationEnabled, true),
		equal("output DatastoreArn", t.d.outputs["DatastoreArn"], *d.DatastoreArn),
		equal("output DatastoreEndpoint", t.d.outputs["DatastoreEndpoint"], *d.DatastoreEndpoint),
		equal("output DiscoveryDocumentUrl", t.d.outputs["DiscoveryDocumentUrl"], *d.DatastoreEndpoint+".well-known/smart-configuration"),
	)
}

// checkRoles looks at who may be the function and the service roles, and on what. What exactly each may do, the policy
// simulator checks.
func (l *lab) checkRoles(ctx context.Context, t *target) error {
	trust, policy, err := l.aws.role(ctx, t.prefix+"Lambda-Role")
	if err != nil {
		return err
	}
	wrong := []error{
		contains("the function's role", *t.d.function.Role, ":role/"+t.prefix+"Lambda-Role"),
		contains("the function's trust policy", trust, `"lambda.amazonaws.com"`),
		equal("healthlake in it", strings.Contains(trust, "healthlake"), false),
		contains("what the function may do", policy, `"`+t.d.variables()["SECRET_ID"]+`"`),
	}
	const export = "healthlake:StartFHIRExportJobWithGet"
	service := t.prefix + "Role-for-HealthLake"
	for name, actions := range map[string][]string{service: {}, service + "-Read": {}, service + "-Export": {export}, service + "-Read-Export": {export}} {
		if len(actions) > 0 && t.context["bulkExport"] == "off" {
			continue
		}
		trust, policy, err := l.aws.role(ctx, name)
		wrong = append(wrong, err, contains(name+"'s trust policy", trust, `"healthlake.amazonaws.com"`, `"aws:SourceAccount"`, `"aws:SourceArn"`, account),
			contains("what it may do", policy, append(actions, "healthlake:ReadResource", `"`+*t.d.datastore.DatastoreArn+`"`)...),
			equal(name+" exports", strings.Contains(policy, export), len(actions) > 0))
		writes := !strings.Contains(name, "-Read") && t.context["healthLakeAccess"] != "read-only"
		wrong = append(wrong, equal(name+" writes", strings.Contains(policy, "healthlake:CreateResource"), writes))
	}
	return errors.Join(wrong...)
}

// checkMetadata compares the datastore's metadata with the provider's own discovery document. What it advertises must be there.
func (l *lab) checkMetadata(ctx context.Context, t *target) error {
	var metadata, own map[string]any
	if err := json.Unmarshal([]byte(*t.d.datastore.IdentityProviderConfiguration.Metadata), &metadata); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if err := t.provider.call(ctx, http.MethodGet, t.provider.issuer+"/.well-known/openid-configuration", nil, &own); err != nil {
		return err
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		required := slices.Contains([]string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"}, name)
		if required || strings.HasSuffix(name, "_endpoint") {
			wrong = append(wrong, equal(name, metadata[name], own[name]))
		}
	}
	return errors.Join(append(wrong, equal("jwks_uri", metadata["jwks_uri"], own["jwks_uri"]))...)
}

// unchanged fails if two deployments differ in anything but what the provider or a person changed in the secret.
func unchanged(now, before *deployment) error {
	if now == nil {
		return errNone
	}
	return errors.Join(
		equal("memory", *now.function.MemorySize, *before.function.MemorySize),
		equal("code", *now.function.CodeSha256, *before.function.CodeSha256),
		equal("variables", now.variables(), before.variables()),
		equal("version", *now.alias.FunctionVersion, *before.alias.FunctionVersion),
		equal("alias", *now.alias.AliasArn, *before.alias.AliasArn),
		sameDatastore(now, before),
	)
}

func sameDatastore(now, before *deployment) error {
	if reflect.DeepEqual(now.datastore, before.datastore) {
		return nil
	}
	return fmt.Errorf("the datastore is %+v, want %+v", *now.datastore, *before.datastore)
}
