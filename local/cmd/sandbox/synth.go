package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/config"
)

// ofTheProvider are the context keys that are about the provider and its tokens. The sandbox's own provider replaces them.
var ofTheProvider = []string{
	"authEndpoint", "authEndPoint", "authEndpointToken", "authEndpointIntrospect", "authEndpointAuthorize", "authIssuer",
	"authEndpointJwks", "authEndpointRevoke", "authEndpointRegister", "authEndpointManage", "authCaBundle", "clientId", "clientSecret",
	"srvAPIKey", "tokenValidation", "introspectionAuth", "claimNames", "requiredAudience", "requiredScope", "trustedIssuers",
	"maxTokenLifetimeSeconds", "clientAssertionAudience", "moreIssuers", "smartCapabilities", "smartScopes", "grantTypes",
	"tokenEndpointAuthMethods", "tokenEndpointAuthSigningAlgs",
}

// readContext reads the context as a deployment does, puts the sandbox's provider into it, and checks it.
func (s *settings) readContext(root string, assignments []string) (config.Config, error) {
	project, err := cdkcontext.Read(root, assignments)
	if err != nil {
		return config.Config{}, err
	}
	s.Context = project.Values
	delete(s.Context, config.KeyEnv)    // its file is in the values already
	delete(s.Context, "adoptDatastore") // the sandbox takes the place of a new one
	if s.Issuer != "" {
		for _, key := range ofTheProvider {
			delete(s.Context, key)
		}
		maps.Copy(s.Context, s.ownProvider())
	}
	cfg, problems := config.Parse(s.Context)
	if config.HasErrors(problems) {
		var text strings.Builder
		config.Report(&text, problems)
		return cfg, fmt.Errorf("the CDK context has errors:\n%s", text.String())
	}
	return cfg, nil
}

// ownProvider is the part of the context that describes the sandbox's provider.
func (s *settings) ownProvider() map[string]any {
	return map[string]any{
		"authEndpoint": s.Issuer, "authIssuer": s.Issuer, "authEndpointToken": s.Issuer + "token",
		"authEndpointIntrospect": s.Issuer + "introspect", "authEndpointAuthorize": s.Issuer + "authorize",
		"authEndpointJwks": s.Issuer + "jwks", "authEndpointRevoke": s.Issuer + "revoke",
		"clientId": s.ResourceServer.ID, "introspectionAuth": "basic", "requiredAudience": "datastore",
		"smartCapabilities": []any{
			"launch-standalone", "launch-ehr", "client-public", "client-confidential-symmetric",
			"client-confidential-asymmetric", "sso-openid-connect", "context-standalone-patient", "context-ehr-patient", "context-banner",
			"permission-offline", "permission-online", "permission-patient", "permission-user", "permission-v1", "permission-v2", "permission-v2.2",
		},
		"tokenEndpointAuthMethods":     "client_secret_basic client_secret_post private_key_jwt none",
		"tokenEndpointAuthSigningAlgs": "RS384 ES384",
	}
}

// synthesize runs the CDK app and returns the directory of the templates. It is kept for as long as neither the app's sources
// nor the context change.
func synthesize(ctx context.Context, root string, values map[string]any, stderr io.Writer) (string, error) {
	values = maps.Clone(values)
	values["aws:cdk:bundling-stacks"] = []string{} // the function need not be compiled for this
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	sum, err := fingerprint(root, text)
	if err != nil {
		return "", err
	}
	cache := filepath.Join(root, "local", ".cache", "templates")
	kept := filepath.Join(cache, sum)
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	fmt.Fprintln(stderr, "Synthesizing the stacks, which is done again after a change of them only ...")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	out, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(out)
	app := exec.CommandContext(ctx, "go", "run", "-buildvcs=false", ".")
	app.Dir = root
	// The CDK's own rules for templates would take most of the time, and nothing is deployed.
	app.Env = append(os.Environ(), "CDK_CONTEXT_JSON="+string(text), "CDK_OUTDIR="+out, "CDK_VALIDATION=false",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	if output, err := app.CombinedOutput(); err != nil {
		return "", fmt.Errorf("synthesize the stacks: %w\n%s", err, output)
	}
	if err := os.Rename(out, kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return kept, nil
}

// fingerprint is a digest of what the templates are made from.
func fingerprint(root string, values []byte) (string, error) {
	digest := sha256.New()
	digest.Write(values)
	files := []string{"main.go", "go.mod", "go.sum", "package.json"}
	for _, dir := range []string{"stacks", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				name, _ := filepath.Rel(root, path)
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(files)
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(digest, "\n%s %d\n", name, len(content))
		digest.Write(content)
	}
	return hex.EncodeToString(digest.Sum(nil)[:12]), nil
}
