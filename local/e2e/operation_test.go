package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

// preflight goes from a context with little more than an issuer in it to one that can be deployed, and tries faults against the
// running providers and the local AWS. What is wrong with a context alone, preflight's own tests try.
func preflight(l *lab, t *testing.T) {
	// Hydra's discovery document does not say where introspection is.
	sparse := map[string]any{"account": account, "region": region, "tagName": "Purpose", "tagValue": "sof-hl", "prefix": "sof-hl-",
		"datastoreName": "records", "clientId": "resource-server", "authIssuer": l.hydra.issuer,
		"authEndpointIntrospect": l.hydra.introspect, "lambdaArchitecture": architecture}
	l.must(t, "`make preflight ARGS=--write` fills in the endpoints and asks for a bootstrap", func(ctx context.Context) error {
		return errors.Join(l.setContext(sparse), l.refused(ctx, "make preflight ARGS=--write", "authEndpointToken: ",
			"failed   AWS CDK bootstrap", "npx cdk bootstrap aws://", "failed 1,", "got http"))
	})
	l.bootstrap(t)
	l.step(t, "`make preflight` finds nothing that fails any more", func(ctx context.Context) error {
		return l.says(ctx, "make preflight", "failed 0,", "ok       AWS CDK bootstrap", "make deploy")
	})
	l.step(t, "`make preflight ARGS='--token-stdin' < token.txt` shows the answer for an app's token", func(ctx context.Context) error {
		token, err := issuer{l.hydra, "jwt"}.backend(ctx, audience)
		if err != nil {
			return err
		}
		file := filepath.Join(l.tree, "token.txt")
		return errors.Join(os.WriteFile(file, []byte(token+"\n"), 0o600), l.says(ctx, "make preflight ARGS='--token-stdin' < token.txt",
			"ok       token ", `"isAuthorized": true`, `"scope": "`+writeScope+`"`))
	})
	tls := strings.Replace(l.hydra.issuer, "http:", "https:", 1)
	for _, fault := range []struct {
		kind  string
		with  string // as -c takes it
		check string // the failed row
		says  string // and what it says, of reason or fix
	}{
		{"a wrong path", "authEndpointToken=" + l.hydra.issuer + "/oauth2/tokn", "endpoint authEndpointToken", "HTTP 404"},
		{"a path that is not the discovery document's", "authEndpointToken=" + l.hydra.issuer + "/oauth2/tokn",
			"discovery authEndpointToken", "set authEndpointToken to " + l.hydra.endpoint.TokenURL},
		{"an issuer without its last slash", "authIssuer=" + l.hydra.issuer, "discovery authIssuer", "the slash at the end counts"},
		{"a host that does not exist", "authEndpointRevoke=https://idp.invalid/revoke", "endpoint authEndpointRevoke", "idp.invalid"},
		{"a port where nothing listens", "authEndpointIntrospect=http://127.0.0.1:1/introspect", "endpoint authEndpointIntrospect",
			"127.0.0.1:1"},
		{"TLS where there is none", "authEndpointToken=" + tls + "/oauth2/token", "endpoint authEndpointToken", "TLS"},
		{"keys that are none", "authEndpointJwks=" + l.hydra.issuer + "/.well-known/openid-configuration", "JWKS authEndpointJwks", ""},
		{"credentials that the provider refuses", "authEndpointIntrospect=" + l.oidc.introspect + "' -c 'clientId=" + resourceServer +
			"' -c 'introspectionAuth=basic", "introspection credentials", "401"},
		{"credentials of another account", "account=210987654321", "AWS account", account},
		{"a region that is not bootstrapped", "region=us-west-2", "AWS CDK bootstrap", "npx cdk bootstrap aws://"},
		{"more concurrency than the account has", "lambdaReservedConcurrency=950", "AWS Lambda concurrency", "100"},
	} {
		l.step(t, "preflight finds "+fault.kind, func(ctx context.Context) error {
			output, err := l.shell(ctx, "bin/preflight --calls 1 -c '"+fault.with+"'", "CLIENT_SECRET=wrong", "SRV_API_KEY=")
			if err == nil {
				return fmt.Errorf("it did not fail:\n%s", output)
			}
			row := regexp.MustCompile(`(?m)^failed   ` + regexp.QuoteMeta(fault.check) + ` .*\n +fix: .*$`).FindString(output)
			if row == "" {
				return fmt.Errorf("no line says that %s failed:\n%s", fault.check, output)
			}
			return contains("preflight", row, fault.says)
		})
	}
}

// metrics compares what the metric filters count of the first deployment's log with the log.
func metrics(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	l.step(t, "the metric filters' conditions count each line of the log where it belongs", func(ctx context.Context) error {
		call := l.hydraOpaque.call
		token, err := issuer{l.hydra, "opaque"}.backend(ctx, audience)
		if err != nil {
			return err
		}
		if err := errors.Join(call.authorized(ctx, token, writeScope, nil), call.denied(ctx, "made-up", "inactive"),
			call.faulty(ctx)); err != nil {
			return err
		}
		lines, err := call.log()
		if err != nil {
			return err
		}
		want, got := map[string]int{}, map[string]int{}
		for _, line := range lines {
			switch line["outcome"] {
			case "authorized":
				want["Authorized"]++
			case "denied":
				want["Denied"]++
			case "error":
				want["Errors"]++
			}
			if requests, _ := line["idp_requests"].(float64); requests > 0 {
				want["IdpMilliseconds"]++
				if reason, _ := line["reason"].(string); !strings.HasPrefix(reason, "idp_") {
					want["IdpSuccesses"]++
				}
			}
			for _, metric := range contract.LogMetrics {
				if metric.Counts(line) {
					got[metric.Name]++
				}
			}
		}
		wrong := []error{equal("kinds of lines to count", len(want), 5)}
		for name, n := range want {
			wrong = append(wrong, equal(name, got[name], n))
		}
		return errors.Join(wrong...)
	})
}

// outage takes Hydra away and brings it back.
func outage(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	l.deployed(t, l.hydraJWT)
	asked, verified := l.hydraOpaque.call, l.hydraJWT.call
	fresh := func(format string) string {
		token, err := issuer{l.hydra, format}.backend(t.Context(), audience)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	opaque, jwt := fresh("opaque"), fresh("jwt")
	l.step(t, "the function that verifies tokens has Hydra's keys", func(ctx context.Context) error {
		return verified.authorized(ctx, jwt, writeScope, nil)
	})
	l.step(t, "Hydra does not answer: an error within the second; where tokens are verified by its keys, authorized all the same",
		func(ctx context.Context) error {
			if err := l.hydra.freeze(ctx); err != nil {
				return err
			}
			return errors.Join(asked.becomes(ctx, opaque, want{outcome: "error", reason: "idp_timeout"}),
				verified.authorized(ctx, jwt, writeScope, nil), l.hydra.thaw())
		})
	l.step(t, "it answers again: authorized", func(ctx context.Context) error { return asked.authorized(ctx, opaque, writeScope, nil) })
	l.step(t, "Hydra is stopped: an error within the second; where tokens are verified by its keys, authorized all the same",
		func(ctx context.Context) error {
			l.hydra.stop()
			return errors.Join(asked.becomes(ctx, opaque, want{outcome: "error"}), verified.authorized(ctx, jwt, writeScope, nil))
		})
	l.must(t, "Hydra is back: authorized", func(ctx context.Context) error {
		if err := l.hydra.resume(ctx); err != nil {
			return err
		}
		return asked.authorized(ctx, fresh("opaque"), writeScope, nil)
	})
}

// protection keeps the datastore when its stacks go.
func protection(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	target := l.hydraOpaque
	target.context = maps.Clone(target.context)
	target.context["protectDatastore"] = true
	l.deploy(t, target, "make deploy")
	l.step(t, "`npx cdk destroy --all --force` is refused with protectDatastore", func(ctx context.Context) error {
		return errors.Join(l.refused(ctx, "npx cdk destroy --all --force", "TerminationProtection"), l.still(ctx, target.d))
	})
	delete(target.context, "protectDatastore") // the next deployment takes the protection off
}

// still fails unless a datastore is as it was.
func (l *lab) still(ctx context.Context, before *deployment) error {
	now, err := l.aws.datastore(ctx, *before.datastore.DatastoreId)
	return errors.Join(err, sameDatastore(&deployment{datastore: now}, before))
}

// destroy removes a deployment. Its datastore, too, if the deployment has created it.
func (l *lab) destroy(t *testing.T, target *target) {
	l.step(t, "`npx cdk destroy --all --force`: nothing of "+target.prefix+" is left", func(ctx context.Context) error {
		if err := l.setContext(target.context); err != nil {
			return err
		}
		if _, err := l.shell(ctx, "npx cdk destroy --all --force"); err != nil {
			return err
		}
		return l.aws.left(ctx, target.prefix, target.secret)
	})
}

// removal removes all deployments.
func removal(l *lab, t *testing.T) {
	for _, target := range l.targets() {
		if target.d != nil {
			l.destroy(t, target)
		}
	}
	l.step(t, "no datastore is left but the one that was replaced", func(ctx context.Context) error {
		left, err := l.aws.datastores(ctx)
		return errors.Join(err, equal("datastores", left, l.replaced))
	})
}
