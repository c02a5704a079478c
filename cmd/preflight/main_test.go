package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"

	"healthlake-smart-on-fhir/cmd/internal/awstest"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/cmd/preflight/internal/provider"
)

const secret, key = "s3cret-s3cret", "k3y-k3y"

// folder is a project with a context, to which changes are made; nil takes a key away.
func folder(t *testing.T, changes map[string]any) string {
	t.Helper()
	context := map[string]any{
		"account": "210987654321", "region": "eu-west-2", "tagName": "a", "tagValue": "b", "prefix": "t-",
		"datastoreName": "records", "clientId": "me", "introspectionAuth": "basic", "requiredAudience": "https://fhir.example",
	}
	for k, v := range changes {
		context[k] = v
		if v == nil {
			delete(context, k)
		}
	}
	text, err := json.MarshalIndent(context, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cdk.context.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs the command without AWS credentials and returns what it printed.
func run(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runWithReach(t, nil, stdin, args...)
}

// runWithReach is run with other reaches of addresses.
func runWithReach(
	t *testing.T, reach func(netip.Addr) provider.Reach, stdin string, args ...string,
) (status int, stdout, stderr string) {
	t.Helper()
	awstest.NoFiles(t)
	awstest.NoCredentials(t)
	var out, complaints strings.Builder
	p := process{
		getenv: func(name string) string {
			return map[string]string{"CLIENT_SECRET": secret, "SRV_API_KEY": key}[name]
		},
		stdin: strings.NewReader(stdin), stdout: &out, stderr: &complaints, reach: reach,
	}
	status = p.run(context.Background(), args)
	printed := out.String() + complaints.String()
	for _, s := range []string{secret, key, "the-token"} {
		if strings.Contains(printed, s) {
			t.Errorf("%s is printed:\n%s", s, printed)
		}
	}
	if i := strings.IndexFunc(printed, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("a character that a terminal obeys is printed: %q", printed[i:min(i+20, len(printed))])
	}
	return status, out.String(), complaints.String()
}

// startIDP is a provider on this machine, with its introspection endpoint at /admin, which its document names or not.
func startIDP(t *testing.T, changes map[string]any) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	document := map[string]any{
		"issuer": server.URL + "/", "authorization_endpoint": server.URL + "/auth", "token_endpoint": server.URL + "/token",
		"introspection_endpoint": server.URL + "/admin", "jwks_uri": server.URL + "/keys",
		"grant_types_supported":            []string{"authorization_code", "client_credentials"},
		"code_challenge_methods_supported": []string{"S256"},
	}
	for k, v := range changes {
		document[k] = v
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(document)
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[{"kty":"EC"}]}`) })
	mux.HandleFunc("POST /admin", func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != secret {
			w.WriteHeader(http.StatusUnauthorized)
		} else if r.PostFormValue("token") == "the-token" {
			fmt.Fprint(w, `{"active":true,"exp":4102444800,"aud":"https://fhir.example","scope":"patient/Observation.rs?a=1&b=2","patient":"p1","name":"`+"\u009b2J\u202e"+`"}`)
		} else {
			fmt.Fprint(w, `{"active":false}`)
		}
	})
	return server.URL
}

func TestUsage(t *testing.T) {
	good := folder(t, map[string]any{"authEndpoint": "https://idp.example/"})
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "cdk.context.json"), []byte(`{"clientSecret": "`+secret+`",}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--nonsense"}, "nonsense"},
		{[]string{"extra"}, `"extra" is not an option`},
		{[]string{"-c", "account"}, `-c "account" is not key=value`},
		{[]string{"--calls", "0"}, "--calls"},
		{[]string{"--offline", "--write"}, "--write needs the network"},
		{[]string{"--trust-new-hosts"}, "--trust-new-hosts is for --write"},
		{[]string{"--offline", "--token-stdin"}, "--token-stdin needs the network"},
		{[]string{"--token-stdin"}, "one token on standard input"},
		{[]string{"--dir", broken}, "cdk.context.json, line 1, column 33: a comma before the closing }; remove it"},
	} {
		status, stdout, stderr := run(t, " \n", append([]string{"--dir", good}, test.args...)...)
		if status != 2 || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%v: status %d\n%s%s", test.args, status, stdout, stderr)
		}
	}
	if status, _, stderr := run(t, "", "--help"); status != 0 || !strings.Contains(stderr, "--offline") && !strings.Contains(stderr, "-offline") {
		t.Errorf("--help: status %d\n%s", status, stderr)
	}
}

// A broken context: every fault is a line, and nothing else is tried.
func TestBrokenContext(t *testing.T) {
	dir := folder(t, map[string]any{"account": "12345", "regoin": "eu-west-2", "authEndpoint": "idp.example",
		"clientSecret": []any{secret}})
	status, stdout, stderr := run(t, "", "--dir", dir)
	if status != 1 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	for _, want := range []string{
		"failed   context account", `got "12345"`, "fix: want 12 digits",
		"failed   context regoin", "did you mean region?",
		"failed   context authEndpoint ", `got "idp.example"`,
		"failed   context clientSecret", "(hidden, a list)",
		"skipped  introspection credentials", "the context has errors", "skipped  AWS account",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
}

func TestOffline(t *testing.T) {
	dir := folder(t, map[string]any{"authEndpoint": "https://idp.example/", "authEndpointToken": "https://idp.example/token",
		"authEndpointIntrospect":   "https://idp.example/introspect",
		"tokenEndpointAuthMethods": "private_key_jwt", "tokenEndpointAuthSigningAlgs": "RS384"})
	status, stdout, _ := run(t, "", "--dir", dir, "--offline", "--json")
	var d checklist.Document
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if status != 0 || d.Status != checklist.OK || d.Checks.Count(checklist.OK) != 2 || d.Checks.Count(checklist.Skipped) != 13 {
		t.Errorf("status %d\n%s", status, stdout)
	}
	// A rule of SMART that is only a recommendation.
	status, stdout, _ = run(t, "", "--dir", dir, "--offline", "-c", "smartScopes=openid")
	if status != 0 || !strings.Contains(stdout, "warning  SMART metadata") || !strings.Contains(stdout, "smartScopes: got no fhirUser") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	// And one that is broken.
	status, stdout, _ = run(t, "", "--dir", dir, "--offline", "-c", "grantTypes=client_credentials")
	if status != 1 || !strings.Contains(stdout, "failed   context grantTypes") || !strings.Contains(stdout, "fix: want authorization_code, or") {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

// From the issuer alone to a configuration that is checked, with a token.
func TestWriteAndToken(t *testing.T) {
	idp := startIDP(t, nil)
	dir := folder(t, map[string]any{"authIssuer": idp, "authEndpointToken": "https://old.example/token"})
	status, stdout, stderr := run(t, "the-token\n", "--dir", dir, "--write", "--token-stdin", "--calls", "2",
		"--datastore-endpoint", "https://d.example/r4/")
	if status != 0 {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	for _, want := range []string{
		`authIssuer: "` + idp + `/", was "` + idp + `"`,
		`authEndpointToken: "` + idp + `/token", was "https://old.example/token"`,
		`authEndpointRevoke: "", was nothing`,
		"ok       write", "ok       token", "of 2 calls", "skipped  AWS account",
		`"isAuthorized": true`, `"name": "\u009b2J\u202e"`, `"scope": "patient/Observation.rs?a=1&b=2"`, `"patient": "p1"`, `"aud": "https://d.example/r4/"`,
		`"iamRoleARN": "arn:aws:iam::210987654321:role/t-Role-for-HealthLake-Read"`,
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	// What the document does not name stays out, with a warning about what that means.
	if strings.Contains(stdout, "tokenEndpointAuthMethods: \"") || !strings.Contains(stdout, "tokenEndpointAuthMethods: got nothing") {
		t.Errorf("no warning about the token endpoint in\n%s", stdout)
	}
	// Once more there is nothing to change.
	status, stdout, _ = run(t, "", "--dir", dir, "--write", "--calls", "1")
	if status != 0 || !strings.Contains(stdout, "0 keys changed") || strings.Contains(stdout, "Changed in") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	// Placeholders of the sample do not stay, and an issuer may come from the command line.
	dir = folder(t, map[string]any{"authEndPoint": "https://main-oauth2-server-link.com/"})
	status, stdout, _ = run(t, "", "--dir", dir, "--write", "--calls", "1", "-c", "authIssuer="+idp+"/")
	text, err := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	if status != 0 || err != nil || !strings.Contains(string(text), `"authEndPoint": "`+idp+`/"`) ||
		!strings.Contains(string(text), `"authIssuer": "`+idp+`/"`) {
		t.Errorf("status %d, %v\n%s\n%s", status, err, stdout, text)
	}
}

// The lists of the provider's document go into the context, and from there into the datastore's document.
func TestWriteLists(t *testing.T) {
	idp := startIDP(t, map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "ES384"}})
	dir := folder(t, map[string]any{"authIssuer": idp, "tokenEndpointAuthSigningAlgs": []string{"RS256", "ES384"}})
	status, stdout, _ := run(t, "", "--dir", dir, "--write", "--calls", "1")
	text, err := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	if status != 0 || err != nil || !strings.Contains(string(text), `"tokenEndpointAuthMethods": "client_secret_basic, private_key_jwt"`) {
		t.Errorf("status %d, %v\n%s\n%s", status, err, stdout, text)
	}
	// The array that was right stays as it was.
	if strings.Contains(stdout, "tokenEndpointAuthSigningAlgs: \"") ||
		!strings.Contains(stdout, "ok       discovery tokenEndpointAuthSigningAlgs") || strings.Contains(stdout, "got nothing, but") {
		t.Errorf("got\n%s", stdout)
	}
	status, stdout, _ = run(t, "", "--dir", dir, "--calls", "1", "-c", "tokenEndpointAuthMethods=private_key_jwt none")
	if status != 0 || !strings.Contains(stdout, "warning  discovery tokenEndpointAuthMethods") || !strings.Contains(stdout, "does not support none") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	// What could not be read back is not written.
	dir = folder(t, map[string]any{"authIssuer": startIDP(t, map[string]any{"token_endpoint_auth_methods_supported": []string{"a, b"}})})
	if status, stdout, _ := run(t, "", "--dir", dir, "--write"); status != 1 || !strings.Contains(stdout, `"a, b"`) {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		context map[string]any
		idp     map[string]any
		want    string
	}{
		{"no issuer", map[string]any{}, nil, "there is no issuer"},
		{"not a URL", map[string]any{"authIssuer": "idp.example"}, nil, "there is no issuer"},
		{"another's document", map[string]any{"authIssuer": "<idp>"}, map[string]any{"issuer": "https://evil.example/"},
			`is the document of the issuer "https://evil.example/"`},
		{"unencrypted endpoint", map[string]any{"authIssuer": "<idp>"}, map[string]any{"token_endpoint": "http://idp.example/t"},
			"not usable: authEndpointToken"},
		{"dynamic reference", map[string]any{"authIssuer": "<idp>"},
			map[string]any{"authorization_endpoint": "https://idp.example/{{resolve:secretsmanager:other:SecretString:password}}"},
			"not usable: authEndpointAuthorize"},
		{"dynamic reference where nothing would be written", map[string]any{"authIssuer": "<idp>"},
			map[string]any{"registration_endpoint": "https://idp.example/{{resolve:secretsmanager:other}}"},
			"not usable: authEndpointRegister"},
		{"braces", map[string]any{"authIssuer": "<idp>"}, map[string]any{"jwks_uri": "https://idp.example/{tenant}/keys"},
			"not usable: authEndpointJwks"},
		{"no document", map[string]any{"authIssuer": "<idp>/realm"}, nil, "HTTP 404"},
		{"no bundle", map[string]any{"authIssuer": "<idp>", "authCaBundle": "missing.pem"}, nil, "missing.pem"},
	} {
		t.Run(test.name, func(t *testing.T) {
			idp := startIDP(t, test.idp)
			if s, _ := test.context["authIssuer"].(string); s != "" {
				test.context["authIssuer"] = strings.Replace(s, "<idp>", idp, 1)
			}
			dir := folder(t, test.context)
			before, _ := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
			status, stdout, _ := run(t, "", "--dir", dir, "--write")
			after, _ := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
			if status != 1 || !strings.Contains(stdout, "failed   write") || !strings.Contains(stdout, test.want) {
				t.Errorf("status %d\n%s", status, stdout)
			}
			if string(before) != string(after) {
				t.Errorf("written:\n%s", after)
			}
		})
	}
}

// What a document names on this machine or in its network is not even asked, unless the document itself is from there.
func TestWriteFromAfar(t *testing.T) {
	var asked atomic.Int32
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(victim.Close)
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("this machine has no second loopback address: %v", err)
	}
	far := httptest.NewUnstartedServer(nil)
	far.Listener.Close()
	far.Listener = listener
	far.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer := "http://" + listener.Addr().String()
		fmt.Fprintf(w, `{"issuer": %q, "authorization_endpoint": %[1]q, "token_endpoint": %[1]q, "jwks_uri": %[1]q,
			"introspection_endpoint": %[2]q}`, issuer, victim.URL+"/introspect")
	})
	far.Start()
	t.Cleanup(far.Close)

	dir := folder(t, map[string]any{"authIssuer": far.URL})
	before, _ := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	reach := func(a netip.Addr) provider.Reach {
		if a.Unmap() == netip.MustParseAddr("127.0.0.2") {
			return provider.Public
		}
		return provider.ReachOf(a)
	}
	status, stdout, _ := runWithReach(t, reach, "the-token", "--dir", dir, "--write", "--trust-new-hosts", "--token-stdin")
	after, _ := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	want := "introspection_endpoint is " + victim.URL + "/introspect, on an address of this machine; the document came from a public address"
	if status != 1 || !strings.Contains(stdout, want) || string(before) != string(after) {
		t.Errorf("status %d, written: %s\n%s", status, after, stdout)
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests to what the document names", asked.Load())
	}
}

// Credentials and tokens do not go to a host in the same run in which a document has introduced it.
func TestWriteIntroducesHost(t *testing.T) {
	var secrets, empty atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.PostFormValue("token") != "" || r.PostFormValue("client_secret") != "" {
			secrets.Add(1)
		} else {
			empty.Add(1)
		}
		fmt.Fprint(w, `{"active":false}`)
	}))
	t.Cleanup(elsewhere.Close)
	idp := startIDP(t, map[string]any{"introspection_endpoint": elsewhere.URL + "/introspect"})
	withheld := []string{"skipped  introspection credentials", "skipped  introspection time", "skipped  token",
		"nothing secret was sent to " + strings.TrimPrefix(elsewhere.URL, "http://") + ", which only the provider's document names"}

	dir := folder(t, map[string]any{"authIssuer": idp + "/"})
	status, stdout, _ := run(t, "the-token", "--dir", dir, "--write", "--token-stdin", "--calls", "1")
	for _, want := range withheld {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	if status != 0 || secrets.Load() != 0 || empty.Load() == 0 {
		t.Errorf("status %d, %d requests with secrets, %d without\n%s", status, secrets.Load(), empty.Load(), stdout)
	}
	// The next run knows the host from the file; so does a run whose command line names it, or that is told to trust it.
	for _, test := range []struct {
		dir  string
		args []string
	}{
		{dir, nil},
		{folder(t, map[string]any{"authIssuer": idp + "/"}), []string{"--write", "-c", "authEndpointIntrospect=" + elsewhere.URL + "/introspect"}},
		{folder(t, map[string]any{"authIssuer": idp + "/"}), []string{"--write", "--trust-new-hosts"}},
	} {
		secrets.Store(0)
		_, stdout, _ := run(t, "the-token", append([]string{"--dir", test.dir, "--token-stdin", "--calls", "1"}, test.args...)...)
		if secrets.Load() == 0 || strings.Contains(stdout, "nothing secret was sent") {
			t.Errorf("%v: nothing was sent\n%s", test.args, stdout)
		}
	}
}

// With an environment, its file counts and is written to, and the next step names it.
func TestEnvironment(t *testing.T) {
	idp := startIDP(t, nil)
	dir := folder(t, map[string]any{"authIssuer": "https://idp.example/"})
	before, _ := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	own := filepath.Join(dir, "cdk.context.dev.json")
	if err := os.WriteFile(own, []byte(`{"prefix": "dev-", "authIssuer": "`+idp+`/"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, _ := run(t, "", "--dir", dir, "-c", "env=dev", "--write", "--trust-new-hosts", "--calls", "1")
	for _, want := range []string{"Changed in cdk.context.dev.json:", `authEndpointToken: "` + idp + `/token", was nothing`, "make deploy ENV=dev"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	base, _ := os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	written, _ := os.ReadFile(own)
	if status != 0 || string(base) != string(before) || !strings.Contains(string(written), `"authEndpointToken": "`+idp+`/token"`) {
		t.Errorf("status %d, base %s\nown %s", status, base, written)
	}
}
