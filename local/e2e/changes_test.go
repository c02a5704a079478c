package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secret changes a secret by hand, while a function runs. It gets up to a minute to notice.
func secret(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	l.deployed(t, l.oidcOpaque)
	go l.deleted() // takes a minute, in which other parts deploy
	l.step(t, "logging and the endpoint's path take effect within a minute, and a token then leaves no personal claim in the log",
		func(ctx context.Context) error { return l.changeByHand(ctx, l.hydraOpaque) })
	l.step(t, "an endpoint on another server is refused, and no token goes there", func(ctx context.Context) error {
		return l.moveByHand(ctx, l.hydraOpaque)
	})
}

// deletion waits until a function has gone without its secret for longer than it keeps it otherwise.
func deletion(l *lab, t *testing.T) {
	l.deployed(t, l.oidcOpaque)
	l.step(t, "the secret is deleted: the last good document serves on", func(context.Context) error { return l.deleted() })
}

// changeByHand turns enhanced logging on and changes the introspection endpoint's path, and waits until both are in use.
func (l *lab) changeByHand(ctx context.Context, target *target) error {
	const mark = "changed-by-hand"
	document := maps.Clone(target.d.secret)
	document["lambda_enhanced_logging"] = "true"
	document["auth_endpoint_introspect"] += "?" + mark
	if err := l.aws.putSecret(ctx, target.secret, document); err != nil {
		return err
	}
	tokens, err := issuer{l.hydra, "opaque"}.user(ctx)
	if err != nil {
		return err
	}
	err = within(ctx, time.Minute, time.Second, func() (bool, error) {
		if err := target.call.authorized(ctx, tokens.AccessToken, appScope, nil); err != nil {
			return false, err
		}
		asked, err := l.hydra.logged(mark)
		return asked && strings.Contains(strings.Join(target.call.Logs(), "\n"), `"request":{`), err
	})
	_, wrong := target.call.log()
	return errors.Join(err, wrong)
}

// deleteSecret deletes the secret for good and calls the function until its document is older than it gets otherwise.
func (l *lab) deleteSecret(ctx context.Context, target *target) error {
	token, err := issuer{l.oidc, "opaque"}.backend(ctx, audience)
	if err != nil {
		return err
	}
	_, err = l.aws.secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &target.secret, ForceDeleteWithoutRecovery: aws.Bool(true)})
	if err != nil {
		return err
	}
	if _, err := l.aws.secretValue(ctx, target.secret); err == nil {
		return errors.New("it is still there")
	}
	for begin := time.Now(); time.Since(begin) < time.Minute+3*time.Second; time.Sleep(2 * time.Second) {
		if err := target.call.authorized(ctx, token, readScope, nil); err != nil {
			return err
		}
	}
	return nil
}

// moveByHand has the secret name another server. It asks a function that starts then, and puts the secret back.
func (l *lab) moveByHand(ctx context.Context, target *target) error {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer elsewhere.Close()
	now, err := l.aws.secretValue(ctx, target.secret)
	if err != nil {
		return err
	}
	moved := maps.Clone(now)
	moved["auth_endpoint_introspect"] = elsewhere.URL + "/admin/oauth2/introspect"
	if err := l.aws.putSecret(ctx, target.secret, moved); err != nil {
		return err
	}
	other := *target
	token, err := issuer{l.hydra, "opaque"}.backend(ctx, audience)
	return errors.Join(err, l.start(&other), other.call.becomes(ctx, token, want{outcome: "error", reason: "idp_settings"}),
		equal("the other server was asked", asked, false), l.aws.putSecret(ctx, target.secret, now))
}

// changes changes code, settings and an endpoint by deployment.
func changes(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	target := l.hydraOpaque
	first := target.d
	l.must(t, "something is changed by hand in the secret", func(ctx context.Context) error {
		document := maps.Clone(first.secret)
		document["lambda_enhanced_logging"] = "true"
		return l.aws.putSecret(ctx, target.secret, document)
	})
	l.deploy(t, target, "npx cdk deploy --all")
	l.step(t, "a deploy without a change changes nothing, not what was changed by hand either", func(context.Context) error {
		return errors.Join(unchanged(target.d, first), equal("logging", target.d.secret["lambda_enhanced_logging"], "true"))
	})

	const text = "e2e: the function's second version"
	target.context = maps.Clone(target.context)
	target.context["lambdaMemorySize"] = 1024
	l.must(t, "the code and the memory are changed", func(context.Context) error {
		source := fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc init() { _ = os.Setenv(\"E2E_MARK\", %q) }\n", text)
		return os.WriteFile(filepath.Join(l.tree, "lambda", "checktoken", "mark.go"), []byte(source), 0o644)
	})
	l.deploy(t, target, "make deploy")
	second := target.d
	l.step(t, "the alias has the new version, under the same ARN; the datastore and the secret changed by hand stay",
		func(context.Context) error {
			binary, err := os.ReadFile(second.binary)
			return errors.Join(err, equal("the changed code in the binary", strings.Contains(string(binary), text), true), equal("memory", int(*second.function.MemorySize), 1024),
				equal("the same version", *second.alias.FunctionVersion == *first.alias.FunctionVersion, false),
				equal("alias", *second.alias.AliasArn, *first.alias.AliasArn), sameDatastore(second, first),
				equal("logging", second.secret["lambda_enhanced_logging"], "true"))
		})
	l.step(t, "the new version authorizes a token", func(ctx context.Context) error {
		token, err := issuer{l.hydra, "jwt"}.backend(ctx, audience)
		return errors.Join(err, l.start(target), target.call.authorized(ctx, token, writeScope, nil))
	})

}

// inPlace changes the datastore's settings: the datastore stays, and so do its records.
func inPlace(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	target := l.hydraOpaque
	first := target.d
	l.step(t, "the first deployment has changed nothing: HealthLake got no update", func(ctx context.Context) error {
		changes, err := l.settingsLog(ctx, target)
		return errors.Join(err, equal("changes", changes, []string{"Create null"}))
	})
	l.must(t, "a record is put into the datastore", func(ctx context.Context) error {
		_, err := l.aws.record(ctx, *first.datastore.DatastoreId, patient, patientRecord)
		return err
	})
	target.context = maps.Clone(target.context)
	for _, change := range []struct {
		what    string
		command string
		says    []string
		context map[string]any
		logged  []string // what the function says that it has changed
	}{
		{"an endpoint", "npx cdk deploy --all", nil, map[string]any{"authEndpointToken": l.hydra.issuer + "/oauth2/token?moved"}, []string{"token_endpoint"}},
		{"name, strategy and fine-grained authorization", "make deploy", []string{"changes in place:"}, map[string]any{"datastoreName": "renamed",
			"authorizationStrategy": "SMART_ON_FHIR_V1", "fineGrainedAuthorization": false},
			[]string{"DatastoreName", "AuthorizationStrategy", "FineGrainedAuthorizationEnabled"}},
	} {
		maps.Copy(target.context, change.context)
		l.deploy(t, target, change.command, change.says...)
		l.step(t, "changed in place: "+change.what, func(ctx context.Context) error {
			changes, err := l.settingsLog(ctx, target)
			return errors.Join(err, l.hasSettings(target, first), l.hasRecord(ctx, first),
				contains("the function's log", changes[len(changes)-1], change.logged...))
		})
	}
	l.step(t, "a change that HealthLake refuses fails the deployment with its message, and is rolled back", func(ctx context.Context) error {
		context := maps.Clone(target.context)
		context["authEndpointRevoke"] = "http://127.0.0.2/revoke" // the local HealthLake wants https, too, but for this machine as 127.0.0.1
		err := errors.Join(l.setContext(context), l.refused(ctx, "npx cdk deploy --all", "revocation_endpoint is not an absolute https URL",
			"UPDATE_ROLLBACK_COMPLET")) // the CDK cuts the word off
		var readErr error
		target.d, readErr = l.aws.readBack(ctx, target.prefix, l.work)
		return errors.Join(err, readErr, l.hasSettings(target, first), l.hasRecord(ctx, first))
	})
	maps.Copy(target.context, map[string]any{"authEndpointToken": l.hydra.endpoint.TokenURL, "datastoreName": "datastorename",
		"authorizationStrategy": "SMART_ON_FHIR", "fineGrainedAuthorization": true})
	l.deploy(t, target, "make deploy")
	l.step(t, "after that, `make deploy` puts all settings back as they were", func(ctx context.Context) error {
		return errors.Join(l.still(ctx, first), l.hasRecord(ctx, first))
	})
}

const (
	patient       = "Patient/kept"
	patientRecord = `{"resourceType": "Patient", "id": "kept"}`
)

// hasRecord fails unless the record is in the datastore.
func (l *lab) hasRecord(ctx context.Context, in *deployment) error {
	record, err := l.aws.record(ctx, *in.datastore.DatastoreId, patient, "")
	return errors.Join(err, equal("record", record, patientRecord))
}

// replacement changes what a datastore can only be created with.
func replacement(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	target := l.hydraOpaque
	before := target.d
	l.must(t, "a record is put into the datastore", func(ctx context.Context) error {
		_, err := l.aws.record(ctx, *before.datastore.DatastoreId, patient, patientRecord)
		return err
	})
	target.context = maps.Clone(target.context)
	target.context["kmsKey"] = "create"
	l.step(t, "`make deploy` stops before another kmsKey would replace the datastore", func(ctx context.Context) error {
		return errors.Join(l.setContext(target.context), l.refused(ctx, "make deploy", "would replace", "kmsKey", "CONFIRM_REPLACEMENT=yes"),
			l.still(ctx, before))
	})
	l.deploy(t, target, "CONFIRM_REPLACEMENT=yes make deploy")
	l.replaced = append(l.replaced, *before.datastore.DatastoreId)
	l.step(t, "there is another datastore, on which the service roles' policies are, and the one before it survives as it was",
		func(ctx context.Context) error {
			return errors.Join(equal("the same datastore", *target.d.datastore.DatastoreId == *before.datastore.DatastoreId, false),
				l.checkDatastore(ctx, target), l.checkRoles(ctx, target), l.still(ctx, before), l.hasRecord(ctx, before),
				equal("records in the new datastore", l.hasRecord(ctx, target.d) == nil, false))
		})
}

// adoption has another deployment take over a datastore that the first one's function serves, and the first one take it back.
func adoption(l *lab, t *testing.T) {
	l.deployed(t, l.hydraOpaque)
	owner := l.hydraOpaque
	adopter := beside(owner, l.hydra, "adopter-", map[string]any{"adoptDatastore": *owner.d.datastore.DatastoreId})
	adopter.credentials = owner.credentials
	l.deploy(t, adopter, "make deploy")
	l.step(t, "with adoptDatastore, the same datastore calls the new function", func(ctx context.Context) error {
		return errors.Join(l.hasSettings(adopter, owner.d), l.checkRoles(ctx, adopter))
	})
	l.step(t, "the new function authorizes a token", func(ctx context.Context) error {
		token, err := issuer{l.hydra, "opaque"}.backend(ctx, audience)
		return errors.Join(err, l.start(adopter), adopter.call.authorized(ctx, token, writeScope, nil))
	})
	l.destroy(t, adopter)
	l.deploy(t, owner, `make deploy CDK_OPTIONS="--parameters `+owner.prefix+`Datastore:ApplySettings=again"`, "changed by hand:")
	l.step(t, "a new value of ApplySettings has the datastore call its first function again", func(ctx context.Context) error {
		return l.hasSettings(owner, owner.d)
	})
}

// hasSettings fails unless the datastore is the one that it was, with the settings of the context.
func (l *lab) hasSettings(target *target, first *deployment) error {
	now := target.d.datastore
	var metadata map[string]any
	err := json.Unmarshal([]byte(*now.IdentityProviderConfiguration.Metadata), &metadata)
	name, strategy, fine := target.context["datastoreName"].(string), "SMART_ON_FHIR", true
	if changed, ok := target.context["authorizationStrategy"].(string); ok {
		strategy, fine = changed, target.context["fineGrainedAuthorization"].(bool)
	}
	return errors.Join(err,
		equal("id", *now.DatastoreId, *first.datastore.DatastoreId),
		equal("endpoint", *now.DatastoreEndpoint, *first.datastore.DatastoreEndpoint),
		equal("token_endpoint", metadata["token_endpoint"], target.context["authEndpointToken"]),
		equal("name", *now.DatastoreName, target.prefix+name),
		equal("strategy", string(now.IdentityProviderConfiguration.AuthorizationStrategy), strategy),
		equal("fine-grained authorization", now.IdentityProviderConfiguration.FineGrainedAuthorizationEnabled, fine),
		equal("function", *now.IdentityProviderConfiguration.IdpLambdaArn, *target.d.alias.AliasArn),
	)
}

// settingsLog is what the function behind the settings has done: the request and the changes of each of its calls.
func (l *lab) settingsLog(ctx context.Context, target *target) (calls []string, err error) {
	group := "/aws/lambda/" + target.prefix + "datastoreSettings"
	found, err := l.aws.logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	if err != nil {
		return nil, err
	}
	for _, event := range found.Events {
		var line struct {
			Request string          `json:"request"`
			Changes json.RawMessage `json:"changes"`
		}
		if json.Unmarshal([]byte(*event.Message), &line) == nil && line.Request != "" {
			calls = append(calls, line.Request+" "+string(line.Changes))
		}
	}
	return calls, nil
}
