package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
	"healthlake-smart-on-fhir/local/e2e/internal/process"
)

// minute is how soon a changed secret takes effect, and how old a document gets before the function wants a new one.
const minute = time.Minute

// changes changes the secrets by hand, and while that takes its minute, code, settings and an endpoint by deployment.
func (s *suite) changes(ctx context.Context, first, second *target, formats []clients) {
	s.steps.in("Change")
	changed := s.secretChange(ctx, first, formats[0])
	deleted := s.secretDeletion(ctx, second)

	code, endpoint := *first, *first
	code.credentials, endpoint.credentials = nil, nil // CloudFormation keeps them
	code.name, code.context = "changed-code", maps.Clone(first.context)
	code.context["lambdaMemorySize"] = 1024
	const text = "e2e: the function's second version"
	endpoint.name, endpoint.context = "changed-endpoint", maps.Clone(code.context)
	endpoint.context["authEndpointRevoke"] = s.hydra.PublicURL() + "oauth2/revoke-elsewhere"
	var synthesized []func() bool
	for _, t := range []*target{&code, &endpoint} {
		synthesized = append(synthesized, s.steps.begun(ctx, "cdk synth, "+t.name,
			func(ctx context.Context) (err error) {
				if t.dir, err = s.tree(t.name, t.context); err != nil {
					return err
				}
				if err := mark(t.dir, text); err != nil {
					return err
				}
				return s.synth(ctx, t.dir)
			}))
	}

	s.steps.do(ctx, "the local AWS refuses what AWS refuses: its unit tests", s.testLocalAWS)
	s.steps.do(ctx, "cdk deploy without a change changes nothing but what was changed by hand",
		func(ctx context.Context) error {
			if err := s.deploy(ctx, first.dir); err != nil {
				return err
			}
			now, err := s.readBack(ctx, first.prefix)
			if err != nil {
				return err
			}
			return errors.Join(
				equal("function", now.function, first.d.function),
				equal("alias", now.alias, first.d.alias),
				equal("datastore", now.datastore, first.d.datastore),
				equal("logging", now.secret["lambda_enhanced_logging"], "true"),
			)
		})
	ready := synthesized[0]()
	if synthesized[1]() && ready {
		s.deployChanges(ctx, first, &code, &endpoint, formats, text)
	}
	changed()
	deleted()
	// Removal goes by what was deployed last.
	first.dir = endpoint.dir
}

func (s *suite) testLocalAWS(ctx context.Context) error {
	_, err := s.group.Run(ctx, process.Command{
		Name: "aws-test", Path: s.python, Args: []string{"-W", "ignore", "-B", "-m", "unittest", "discover"},
		Dir: filepath.Join(s.root, "local", "aws"), Env: s.env,
	})
	return err
}

func (s *suite) deployChanges(ctx context.Context, first, code, endpoint *target, formats []clients, text string) {
	if !s.deployed(ctx, code) {
		return
	}
	s.steps.do(ctx, "changed code and memory: the alias has the new version", func(context.Context) error {
		if code.d.alias.FunctionVersion == first.d.alias.FunctionVersion {
			return fmt.Errorf("the alias is still at version %s", first.d.alias.FunctionVersion)
		}
		return errors.Join(equal("memory", code.d.function.MemorySize, 1024), marked(code.d.binary, text))
	})
	s.steps.do(ctx, "the alias's ARN, the datastore and the secret changed by hand stay", func(context.Context) error {
		return errors.Join(
			equal("alias", code.d.alias.AliasArn, first.d.alias.AliasArn),
			equal("datastore", code.d.datastore, first.d.datastore),
			equal("logging", code.d.secret["lambda_enhanced_logging"], "true"),
		)
	})
	s.steps.do(ctx, "the new version authorizes a token", func(ctx context.Context) error {
		if err := s.startFunction(ctx, code); err != nil {
			return err
		}
		token, err := s.hydra.ClientCredentials(ctx, formats[1].backend)
		if err != nil {
			return err
		}
		return code.caller.authorized(ctx, token, backendScope, nil)
	})
	if !s.deployed(ctx, endpoint) {
		return
	}
	s.steps.do(ctx, "changed endpoint: another datastore that has it, and the service role's policy is on that",
		func(ctx context.Context) error {
			if endpoint.d.datastore.DatastoreId == first.d.datastore.DatastoreId {
				return errors.New("the datastore was not replaced")
			}
			var metadata map[string]any
			text := endpoint.d.datastore.IdentityProviderConfiguration.Metadata
			if err := json.Unmarshal([]byte(text), &metadata); err != nil {
				return err
			}
			return errors.Join(
				equal("revocation_endpoint", metadata["revocation_endpoint"], endpoint.context["authEndpointRevoke"]),
				equal("alias", endpoint.d.alias, code.d.alias),
				s.checkRoles(ctx, endpoint),
			)
		})
	s.steps.do(ctx, "the datastore before it survives as it was", func(ctx context.Context) error {
		old, err := s.describeDatastore(ctx, first.d.datastore.DatastoreId)
		if err != nil {
			return err
		}
		return equal("datastore", old, first.d.datastore)
	})
}

// secretChange turns enhanced logging on and moves the introspection endpoint, in the secret alone, and waits until the
// running function has noticed.
func (s *suite) secretChange(ctx context.Context, t *target, c clients) func() bool {
	return s.steps.begun(ctx, "a secret changed by hand (logging, endpoint) takes effect within a minute",
		func(ctx context.Context) error {
			moved, err := newMoved(s.hydra.AdminURL())
			if err != nil {
				return err
			}
			// It serves on until the run ends: the functions that are started later read this secret too.
			document := maps.Clone(t.d.secret)
			document["lambda_enhanced_logging"] = "true"
			document["auth_endpoint_introspect"] = moved.url + "admin/oauth2/introspect"
			if err := s.putSecret(ctx, t.secret, document); err != nil {
				return err
			}
			begin := time.Now()
			tokens, err := s.hydra.AuthorizationCode(ctx, c.app, user, session)
			if err != nil {
				return err
			}
			for {
				if err := t.caller.authorized(ctx, tokens.AccessToken, appScope, userClaims(c.app.ID)); err != nil {
					return err
				}
				detail := strings.Contains(strings.Join(t.caller.function.Logs(), "\n"), `"request":{`)
				if detail && moved.requests.Load() > 0 {
					break
				}
				if time.Since(begin) > minute {
					return fmt.Errorf("after a minute: log with detail: %t, requests to the new endpoint: %d",
						detail, moved.requests.Load())
				}
				if err := pause(ctx, time.Second); err != nil {
					return err
				}
			}
			return t.caller.logged(user, session["fhirUser"].(string), session["patient"].(string))
		})
}

// secretDeletion deletes the secret for good and calls the function until its document is older than it may get.
func (s *suite) secretDeletion(ctx context.Context, t *target) func() bool {
	return s.steps.begun(ctx, "the secret is deleted: the last good document serves on",
		func(ctx context.Context) error {
			token, err := s.oidc.Opaque().ClientCredentials(ctx, audience)
			if err != nil {
				return err
			}
			err = s.aws.JSON(ctx, "secretsmanager", "secretsmanager.DeleteSecret",
				map[string]any{"SecretId": t.secret, "ForceDeleteWithoutRecovery": true}, nil)
			if err != nil {
				return err
			}
			if _, err := s.secretValue(ctx, t.secret); !awslocal.Is(err, "ResourceNotFoundException") {
				return fmt.Errorf("it is still there: %v", err)
			}
			for begin := time.Now(); time.Since(begin) < minute+3*time.Second; {
				if err := t.caller.authorized(ctx, token, "system/*.rs", nil); err != nil {
					return err
				}
				if err := pause(ctx, 2*time.Second); err != nil {
					return err
				}
			}
			return nil
		})
}

// moved is another address of an HTTP server.
type moved struct {
	url      string
	requests atomic.Int64
}

func newMoved(target string) (*moved, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &moved{url: "http://" + listener.Addr().String() + "/"}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		m.requests.Add(1)
		r.SetURL(to)
	}}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with the process
	return m, nil
}
