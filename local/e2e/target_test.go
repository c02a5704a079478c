package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// target is one deployment that the run makes.
type target struct {
	prefix   string
	secret   string // its name
	provider *provider
	context  map[string]any
	// credentials are given when the stacks are deployed, and are not in the context.
	credentials map[string]string

	d      *deployment // nil until it is deployed
	call   *caller
	failed bool
}

// role is the ARN of the role that an answer with this scope must name.
func (t *target) role(scope string) string {
	return "arn:aws:iam::" + account + ":role/" + t.prefix + t.roleName(scope)
}

func (t *target) roleName(scope string) string {
	name := "Role-for-HealthLake"
	if scope != writeScope {
		name += "-Read"
	}
	if t.context["bulkExport"] != "off" && strings.HasPrefix(scope, "system/") {
		name += "-Export"
	}
	return name
}

// makeTargets fills in the four deployments.
func (l *lab) makeTargets() {
	// The sample's configuration, with Hydra's endpoints, secrets of its own and an audience.
	l.hydraOpaque = &target{prefix: "sof-hl-", secret: "SOF-HL", provider: l.hydra,
		credentials: map[string]string{"CLIENT_SECRET": rand.Text(), "SRV_API_KEY": "srv_pat_" + rand.Text()},
		context: map[string]any{
			"account":                    account,
			"region":                     region,
			"tagName":                    "Purpose",
			"tagValue":                   "sof-hl",
			"prefix":                     "sof-hl-",
			"datastoreName":              "datastorename",
			"preloadData":                false,
			"preloadDataType":            "SYNTHEA",
			"clientId":                   "e2e-resource-server",
			"authEndpoint":               l.hydra.issuer + "/",
			"authEndpointToken":          l.hydra.endpoint.TokenURL,
			"authEndpointIntrospect":     l.hydra.introspect,
			"requiredAudience":           []string{audience},
			"bulkExport":                 "get",
			"lambdaConcurrentExecutions": 5,
			"lambdaEnhancedLogging":      false,
			"lambdaArchitecture":         architecture,
		}}
	// The second one differs in all that it can: names, endpoints, client authentication, key, scaling, rules. Its client secret
	// stands in the context.
	l.oidcOpaque = beside(l.hydraOpaque, l.oidc, "other-", map[string]any{
		"datastoreName":                 "records",
		"preloadData":                   true,
		"clientId":                      resourceServer,
		"clientSecret":                  resourceServerSecret,
		"introspectionAuth":             "basic",
		"authEndpoint":                  l.oidc.issuer + "/",
		"authEndpointToken":             l.oidc.endpoint.TokenURL,
		"authEndpointIntrospect":        l.oidc.introspect,
		"authEndpointAuthorize":         l.oidc.endpoint.AuthURL,
		"authIssuer":                    l.oidc.issuer,
		"authEndpointJwks":              l.oidc.issuer + "/jwks",
		"authEndpointRevoke":            l.oidc.revoke,
		"trustedIssuers":                []string{l.oidc.issuer},
		"kmsKey":                        "create",
		"healthLakeAccess":              "read-only",
		"bulkExport":                    "off",
		"lambdaMaxConcurrentExecutions": 10,
		"lambdaMemorySize":              256,
	})
	// Two verify tokens by the provider's keys, and have no credentials.
	l.hydraJWT = beside(l.hydraOpaque, l.hydra, "hydra-jwt-", map[string]any{
		"tokenValidation": "jwt", "authIssuer": l.hydra.issuer + "/", "authEndpointJwks": l.hydra.issuer + "/.well-known/jwks.json",
		"bulkExport": "off",
	})
	l.oidcJWT = beside(l.oidcOpaque, l.oidc, "oidc-jwt-", map[string]any{"tokenValidation": "jwt", "bulkExport": "s3"})
	for _, t := range []*target{l.hydraJWT, l.oidcJWT} {
		for _, key := range []string{"clientId", "clientSecret", "introspectionAuth", "authEndpointIntrospect", "kmsKey"} {
			delete(t.context, key)
		}
	}
}

func (l *lab) targets() []*target {
	return []*target{l.hydraOpaque, l.oidcOpaque, l.hydraJWT, l.oidcJWT}
}

// beside is a deployment with another prefix and these keys changed.
func beside(other *target, p *provider, prefix string, changed map[string]any) *target {
	t := &target{prefix: prefix, secret: prefix + "SOF-HL", provider: p, context: maps.Clone(other.context)}
	maps.Copy(t.context, changed)
	t.context["prefix"], t.context["secretName"] = t.prefix, t.secret
	return t
}

// deployed deploys a target unless that was done, and starts its function.
func (l *lab) deployed(t *testing.T, target *target) {
	t.Helper()
	if target.failed {
		t.Fatalf("%sCheckToken could not be deployed", target.prefix)
	}
	if target.call != nil {
		return
	}
	target.failed = true
	if err := l.setContext(target.context); err != nil {
		t.Fatal(err)
	}
	l.bootstrap(t)
	command := "npx cdk deploy --all"
	if len(target.credentials) > 0 {
		command = "make deploy"
	}
	l.deploy(t, target, command)
	l.must(t, target.prefix+"checkToken starts as Lambda starts it", func(context.Context) error { return l.start(target) })
	target.failed = false
}

// deploy deploys the target's context by a command, which must say all of this, and reads back what is there then.
func (l *lab) deploy(t *testing.T, target *target, command string, says ...string) {
	t.Helper()
	l.must(t, fmt.Sprintf("`%s`, %s", command, target.prefix), func(ctx context.Context) error {
		if err := l.setContext(target.context); err != nil {
			return err
		}
		if l.deploys++; l.deploys == 2 { // the first one does all that a user's does
			if err := l.quicken(ctx); err != nil {
				return err
			}
		}
		var env []string
		for name, value := range target.credentials {
			env = append(env, name+"="+value)
		}
		output, err := l.shell(ctx, command, env...)
		if err != nil {
			return err
		}
		for _, credential := range target.credentials {
			if strings.Contains(output, credential) {
				return errors.New("the output has a credential in it")
			}
		}
		target.d, err = l.aws.readBack(ctx, target.prefix, l.work)
		return errors.Join(err, contains(command, output, says...))
	})
}

func (l *lab) bootstrap(t *testing.T) {
	if l.bootstrapped {
		return
	}
	l.must(t, "`npx cdk bootstrap`", func(ctx context.Context) error {
		_, err := l.shell(ctx, "npx cdk bootstrap aws://"+account+"/"+region, unchecked)
		return err
	})
	l.bootstrapped = true
}
