package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/cmd/preflight/internal/provider"
)

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// madeUp are the ids in the pages and in testdata/discovery.
var madeUp = strings.NewReplacer("_Ab1Cd2Ef3", "_Qw4Er5Ty6", "1a2b3c4d5e6f7g8h9", "9z8y7x6w5v4u3t2s1", "0a1b2c3d-1111-4222-8333-444455556666",
	"9f8e7d6c-1111-4222-8333-444455556666", "abfba8f6-1111-4222-8333-f2f3e4cafb05", "cdcdcdcd-1111-4222-8333-f2f3e4cafb05")

// The contexts that the providers' pages offer to copy need no more than people's own values and --write: preflight then
// has nothing against them but what their README explains. testdata/discovery has each provider's document as the provider
// documents it.
func TestContextsOfTheProviderPages(t *testing.T) {
	contexts := 0
	for page, documents := range map[string][]string{
		"auth0": {"auth0"}, "cognito": {"cognito"}, "entra-id": {"entra-id"}, "keycloak": {"keycloak"}, "okta": {"okta"},
		"ory": {"ory", "ory"}, "ping": {"pingone", "pingfederate"},
	} {
		text, err := os.ReadFile("../../docs/providers/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		var offered []string
		for _, block := range jsonBlock.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], `"account"`) {
				offered = append(offered, block[1])
			}
		}
		if len(offered) != len(documents) {
			t.Errorf("%s: %d contexts, want %d", page, len(offered), len(documents))
			continue
		}
		for i, context := range offered {
			contexts++
			t.Run(fmt.Sprintf("%s %d", page, i+1), func(t *testing.T) { cleanRun(t, context, documents[i]) })
		}
	}
	if contexts == 0 {
		t.Error("no contexts")
	}
}

// cleanRun puts own values into a context and runs preflight with --write.
func cleanRun(t *testing.T, context, document string) {
	context = madeUp.Replace(context)
	standIn, hosts := startProvider(t, document)
	for _, host := range hosts {
		context = strings.ReplaceAll(context, host, standIn.URL)
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(context), &values); err != nil {
		t.Fatal(err)
	}
	values["account"], values["authCaBundle"] = "210987654321", "ca.pem"
	values["requiredAudience"] = "https://fhir.hospital.org"
	if _, ok := values["clientId"]; ok {
		values["clientId"] = "me"
	}
	if names, ok := values["claimNames"].(map[string]any); ok {
		for name, theirs := range names {
			names[name] = strings.ReplaceAll(theirs.(string), "clinic.example", "hospital.org")
		}
	}
	dir := t.TempDir()
	mine, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: standIn.Certificate().Raw})
	for name, content := range map[string][]byte{"cdk.context.json": mine, "ca.pem": certificate} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	public := func(netip.Addr) provider.Reach { return provider.Public }
	_, stdout, stderr := runWithReach(t, public, "", "--dir", dir, "--write", "--trust-new-hosts", "--json", "--calls", "2")
	var result checklist.Document
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for _, row := range result.Checks {
		explained := row.Check == "SMART metadata" && slices.ContainsFunc(explainedWarnings(t), func(capability string) bool {
			return strings.Contains(row.Reason, "got no "+capability)
		})
		if row.Status == checklist.Failed || row.Status == checklist.Warning && !explained {
			t.Errorf("%s  %s  %s (fix: %s)", row.Status, row.Check, row.Reason, row.Fix)
		}
	}
	if len(result.Checks) < 15 || len(result.Changes) < 3 {
		t.Errorf("%d checks, %d changes\n%s", len(result.Checks), len(result.Changes), stdout)
	}
}

// explainedWarnings are the capabilities of which the pages' README says why they are missing.
func explainedWarnings(t *testing.T) (capabilities []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/providers/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## What preflight still warns of\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, match := range regexp.MustCompile("(?m)^- no `([a-z-]+)`").FindAllStringSubmatch(section, -1) {
		capabilities = append(capabilities, match[1])
	}
	return capabilities
}

// startProvider starts a provider of the document's shape, at its paths. hosts are those that the document has.
func startProvider(t *testing.T, document string) (server *httptest.Server, hosts []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/discovery/" + document + ".json")
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(madeUp.Replace(string(text)))
	hosts = regexp.MustCompile(`https://[^/"]+`).FindAllString(string(text), -1)
	mine := string(text)
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, password, _ := r.BasicAuth()
		switch {
		case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
			fmt.Fprint(w, mine)
		case r.Method == http.MethodGet && strings.Contains(strings.ToLower(r.URL.Path), "/j") || strings.HasSuffix(r.URL.Path, "/certs") || strings.HasSuffix(r.URL.Path, "/keys"):
			fmt.Fprint(w, `{"keys": [{"kty": "EC"}]}`)
		case strings.Contains(r.URL.Path, "introspect") && password != secret && r.Header.Get("Authorization") != "Bearer "+key:
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "introspect") && strings.Contains(string(body), "token="):
			fmt.Fprint(w, `{"active": false}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	for _, host := range hosts {
		mine = strings.ReplaceAll(mine, host, server.URL)
	}
	return server, hosts
}
