package account

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
)

var sample = config.Config{Account: "123456789012", Region: "us-east-1", Prefix: "t-", DatastoreName: "records",
	SecretName: "SOF-HL", LambdaConcurrentExecutions: 5}

// aws is an AWS in which everything is answered by moto, except what moto does not know.
type aws struct {
	url        string
	moto       string
	unreserved atomic.Int32
	datastores atomic.Value // JSON, the elements of an array
}

func startAWS(t *testing.T) *aws {
	t.Helper()
	if testing.Short() {
		t.Skip("short: the AWS checks, which start a process each, are not tested")
	}
	for _, name := range []string{"aws", "moto_server"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: the AWS checks are not tested", name)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	command := exec.Command("moto_server", "-H", "127.0.0.1", "-p", port)
	command.Stdout, command.Stderr = io.Discard, io.Discard
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	moto := &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if response, err := http.Get(moto.String() + "/moto-api/data.json"); err == nil {
			response.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto_server does not answer")
		}
	}

	a := &aws{moto: moto.String()}
	a.unreserved.Store(1000)
	a.datastores.Store("")
	proxy := httputil.NewSingleHostReverseProxy(moto)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/account-settings/"), strings.HasSuffix(r.URL.Path, "/account-settings"):
			fmt.Fprintf(w, `{"AccountLimit":{"ConcurrentExecutions":1000,"UnreservedConcurrentExecutions":%d}}`, a.unreserved.Load())
		case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "HealthLake."):
			fmt.Fprintf(w, `{"DatastorePropertiesList":[%s]}`, a.datastores.Load())
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *aws) environ(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=" + a.url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=hidden-key"}, more...)
}

// do makes one request of a JSON service to moto, which tells the services apart by the signature's scope.
func (a *aws) do(t *testing.T, service, target, body string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, a.moto, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", target)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/"+sample.Region+"/"+service+
		"/aws4_request, SignedHeaders=host, Signature=00")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", target, response.Status, text)
	}
}

// one makes a single check.
func (a *aws) one(t *testing.T, check func(context.Context, cli, config.Config, *checklist.List), cfg config.Config, want string) {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal(err)
	}
	var l checklist.List
	check(context.Background(), cli{path: path, region: cfg.Region, environ: a.environ("AWS_PAGER=")}, cfg, &l)
	compare(t, l, []string{want})
}

func (a *aws) expect(t *testing.T, cfg config.Config, want ...string) {
	t.Helper()
	var l checklist.List
	Check(context.Background(), cfg, a.environ(), "hnb659fds", &l)
	compare(t, l, want)
}

// compare wants these rows and no other, each "<status> <check>: <part of the reason> | <part of the fix>".
func compare(t *testing.T, l checklist.List, want []string) {
	t.Helper()
	if len(l) != len(want) {
		t.Errorf("%d rows, want %d", len(l), len(want))
	}
	for i, w := range want[:min(len(l), len(want))] {
		head, rest, _ := strings.Cut(w, ": ")
		reason, fix, _ := strings.Cut(rest, " | ")
		r := l[i]
		if string(r.Status)+" "+r.Check != head || !strings.Contains(r.Reason, reason) || !strings.Contains(r.Fix, fix) {
			t.Errorf("got %+v\nwant %s", r, w)
		}
		if strings.Contains(fmt.Sprint(r), "hidden") {
			t.Errorf("a key in %+v", r)
		}
	}
}

func TestAccount(t *testing.T) {
	a := startAWS(t)
	a.expect(t, sample,
		"ok AWS account: 123456789012",
		"ok AWS region: HealthLake answers in us-east-1",
		"failed AWS CDK bootstrap: not bootstrapped | npx cdk bootstrap aws://123456789012/us-east-1",
		"ok AWS Lambda concurrency: lambdaConcurrentExecutions asks for 5, 1000 are unreserved",
		"ok AWS secret: no secret SOF-HL yet",
		"ok AWS function: no function t-checkToken yet")

	other := sample
	other.Account = "210987654321"
	a.expect(t, other,
		"failed AWS account: for 123456789012, the context says 210987654321 | correct account",
		"skipped AWS region: another account", "skipped AWS CDK bootstrap: another account",
		"skipped AWS Lambda concurrency: another account", "skipped AWS secret: another account",
		"skipped AWS function: another account")

	// Everything in the way.
	a.do(t, "ssm", "AmazonSSM.PutParameter", `{"Name":"/cdk-bootstrap/hnb659fds/version","Value":"5","Type":"String"}`)
	a.do(t, "secretsmanager", "secretsmanager.CreateSecret", `{"Name":"SOF-HL","SecretString":"hidden","ClientRequestToken":"`+token+`"}`)
	a.unreserved.Store(110)
	a.datastores.Store(`{"DatastoreStatus":"DELETED"},{"DatastoreStatus":"ACTIVE"}`)
	greedy := sample
	greedy.LambdaMaxConcurrentExecutions = 11
	a.expect(t, greedy,
		"ok AWS account: 123456789012",
		"ok AWS region: a datastore t-records is there already",
		"failed AWS CDK bootstrap: version 5, at least 6 | npx cdk bootstrap",
		"failed AWS Lambda concurrency: lambdaMaxConcurrentExecutions asks for 11, 110 are unreserved | quota",
		"failed AWS secret: SOF-HL is there already, and not of this deployment | another secretName",
		"ok AWS function: no function")

	a.do(t, "ssm", "AmazonSSM.PutParameter",
		`{"Name":"/cdk-bootstrap/own/version","Value":"28","Type":"String"}`)
	a.one(t, func(ctx context.Context, c cli, cfg config.Config, l *checklist.List) {
		bootstrap(ctx, c, cfg, "own", l)
	}, sample,
		"ok AWS CDK bootstrap: version 28")
	a.do(t, "secretsmanager", "secretsmanager.DeleteSecret", `{"SecretId":"SOF-HL","RecoveryWindowInDays":7}`)
	a.one(t, secret, sample, "failed AWS secret: scheduled for deletion | --force-delete-without-recovery")
	a.do(t, "secretsmanager", "secretsmanager.CreateSecret", `{"Name":"stack","SecretString":"hidden",
		"ClientRequestToken":"`+token+`","Tags":[{"Key":"`+stackTag+`","Value":"t-Secret"}]}`)
	ours := sample
	ours.SecretName = "stack"
	a.one(t, secret, ours, "ok AWS secret: the secret stack is there, of this deployment")
}

// token is the idempotency token that a client has to make up.
const token = "00000000-0000-0000-0000-000000000000"

func TestAsked(t *testing.T) {
	for _, test := range []struct {
		provisioned, most, reserved int
		want                        string
	}{
		{5, 0, 0, "lambdaConcurrentExecutions 5"},
		{5, 50, 0, "lambdaMaxConcurrentExecutions 50"},
		{5, 50, 60, "lambdaReservedConcurrency 60"},
	} {
		key, wanted := asked(config.Config{LambdaConcurrentExecutions: test.provisioned,
			LambdaMaxConcurrentExecutions: test.most, LambdaReservedConcurrency: test.reserved})
		if got := fmt.Sprint(key, " ", wanted); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestOwned(t *testing.T) {
	for owner, want := range map[string]string{
		"t-CheckToken": "ok AWS function: of this deployment",
		"":             "failed AWS function: not of this deployment | choose another prefix, or remove it",
		"x-CheckToken": "failed AWS function: of the stack x-CheckToken | choose another prefix, or remove that stack",
	} {
		var l checklist.List
		owned(checkFunction, "the function f", owner, "t-CheckToken", "prefix", &l)
		compare(t, l, []string{want})
	}
}

func TestNoAccount(t *testing.T) {
	skipped := func(reason string) (l []string) {
		for _, check := range []string{"account", "region", "CDK bootstrap", "Lambda concurrency", "secret", "function"} {
			l = append(l, "skipped AWS "+check+": "+reason)
		}
		return l
	}
	t.Run("no command line", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		var l checklist.List
		Check(context.Background(), sample, nil, "hnb659fds", &l)
		compare(t, l, skipped("is not installed"))
	})
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("aws is not installed: its answers are not tested")
	}
	t.Run("no credentials", func(t *testing.T) {
		var l checklist.List
		Check(context.Background(), sample,
			[]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "AWS_EC2_METADATA_DISABLED=true"}, "hnb659fds", &l)
		compare(t, l, skipped("no AWS credentials"))
	})
	t.Run("no network", func(t *testing.T) {
		a := &aws{url: "http://127.0.0.1:1"}
		a.expect(t, sample, append([]string{"failed AWS account: get-caller-identity: AWS does not answer | reaches AWS"},
			skipped("the account is not known")[1:]...)...)
	})
	t.Run("not allowed", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ParseForm() == nil && r.PostForm.Get("Action") == "GetCallerIdentity" {
				fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>
					</GetCallerIdentityResult></GetCallerIdentityResponse>`)
				return
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"hidden"}`)
		}))
		t.Cleanup(server.Close)
		a := &aws{url: server.URL}
		a.expect(t, sample, "ok AWS account: ",
			"warning AWS region: not known: list-fhir-datastores: AccessDeniedException | allow",
			"warning AWS CDK bootstrap: not known: get-parameter: AccessDeniedException | allow",
			"warning AWS Lambda concurrency: not known: get-account-settings: ",
			"warning AWS secret: not known: describe-secret: AccessDeniedException | allow",
			"warning AWS function: not known: get-function: ")
	})
}
