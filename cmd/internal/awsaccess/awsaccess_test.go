package awsaccess

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"healthlake-smart-on-fhir/cmd/internal/awstest"
)

func open(t *testing.T, profile string) (account string, problem *Error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg, account, err := Open(ctx, "eu-west-2", profile)
	if err == nil {
		if cfg.Region != "eu-west-2" {
			t.Errorf("region %q", cfg.Region)
		}
		return account, nil
	}
	if !errors.As(err, &problem) {
		t.Fatalf("%T: %v", err, err)
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") || strings.Contains(err.Error(), "secret") {
		t.Errorf("not fit to print: %q", err.Error())
	}
	return "", problem
}

func TestOpen(t *testing.T) {
	awstest.Start(t)
	if account, err := open(t, ""); err != nil || account != awstest.Account {
		t.Errorf("got %q, %v", account, err)
	}
}

const ssoConfig = `[profile dev]
sso_session = main
sso_account_id = 123456789012
sso_role_name = Admin
[sso-session main]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[profile old]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Admin
[profile console]
login_session = arn:aws:sts::123456789012:assumed-role/Admin/jo
[profile process]
credential_process = false
[profile role]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = keys
[profile keys]
aws_access_key_id = AKID
aws_secret_access_key = secret
`

// Each way in which there may be no usable credentials has its own line.
func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name    string
		profile string
		change  func(*testing.T, *awstest.Server)
		problem string
		fix     string
		none    bool
	}{
		{"no credentials", "", func(t *testing.T, _ *awstest.Server) { awstest.NoCredentials(t) },
			"no AWS credentials", "set AWS_PROFILE", true},
		{"no such profile", "nobody", nil, `there is no AWS profile "nobody"`, "set AWS_PROFILE to one in ", false},
		{"no such profile in the environment", "", func(t *testing.T, _ *awstest.Server) { t.Setenv("AWS_PROFILE", "nobody") },
			`there is no AWS profile "nobody"`, "set AWS_PROFILE to one in ", false},
		{"SSO", "dev", nil, "the SSO session of the AWS profile dev has expired, or there is none",
			"aws sso login --profile dev", false},
		{"SSO without a session's section", "old", nil, "the SSO session of the AWS profile old has expired, or there is none",
			"aws sso login --profile old", false},
		{"SSO, in the environment", "", func(t *testing.T, _ *awstest.Server) {
			awstest.NoCredentials(t)
			t.Setenv("AWS_PROFILE", "dev")
		}, "the SSO session of the AWS profile dev has expired, or there is none", "aws sso login --profile dev", false},
		{"login", "console", nil, "the session of the AWS profile console has expired, or there is none",
			"aws login --profile console", false},
		{"process", "process", nil, "the credential_process of the AWS profile process failed", "by hand", false},
		{"role that may not be assumed", "role", func(t *testing.T, s *awstest.Server) {
			t.Setenv("AWS_ENDPOINT_URL_STS", s.URL) // the SDK ignores AWS_ENDPOINT_URL for this call
			s.Fail("sts AssumeRole", "AccessDenied", "User is not authorized\x1b[2J\nto perform sts:AssumeRole")
		}, "STS AssumeRole: AccessDenied: User is not authorized\ufffd[2J to perform sts:AssumeRole", "allow it", false},
		{"expired", "", func(_ *testing.T, s *awstest.Server) {
			s.Fail("sts GetCallerIdentity", "ExpiredToken", "The security token included in the request is expired")
		}, "the AWS credentials have expired", "renew them", false},
		{"unknown", "", func(_ *testing.T, s *awstest.Server) {
			s.Fail("sts GetCallerIdentity", "InvalidClientTokenId", "x")
		}, "AWS does not accept the credentials (InvalidClientTokenId)", "correct or renew", false},
		{"not AWS", "", func(_ *testing.T, s *awstest.Server) { s.Respond("sts GetCallerIdentity", "<html>\x1b") },
			"STS GetCallerIdentity: HTTP 200 without an error of AWS", "check AWS_ENDPOINT_URL", false},
		{"nothing listens", "", func(t *testing.T, _ *awstest.Server) { t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") },
			"STS GetCallerIdentity: 127.0.0.1:1 does not respond", "check the network", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := awstest.Start(t)
			if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte(ssoConfig), 0o600); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(t, s)
			}
			_, err := open(t, test.profile)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Problem, test.problem) || !strings.Contains(err.Fix, test.fix) ||
				err.NoCredentials != test.none {
				t.Errorf("got %+v, want %s | %s", err, test.problem, test.fix)
			}
		})
	}
}

func TestBrokenFile(t *testing.T) {
	awstest.Start(t)
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[profile x\n\x1b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, "x"); err == nil {
		t.Error("no error")
	}
}

func TestExplain(t *testing.T) {
	call := func(err error) error {
		return &smithy.OperationError{ServiceID: "HealthLake", OperationName: "ListFHIRDatastores", Err: err}
	}
	unreachable := func(err error) error {
		return call(&url.Error{Op: "Post", URL: "https://healthlake.eu-north-1.amazonaws.com/", Err: err})
	}
	lookup := unreachable(&net.DNSError{Err: "no such host", Name: "healthlake.eu-north-1.amazonaws.com", IsNotFound: true})
	if e := Explain(lookup); !e.NoSuchHost ||
		e.Problem != "HealthLake ListFHIRDatastores: healthlake.eu-north-1.amazonaws.com does not respond" {
		t.Errorf("got %+v", e)
	}
	if e := Explain(unreachable(&net.DNSError{Err: "server misbehaving", IsTemporary: true})); e.NoSuchHost {
		t.Errorf("got %+v", e)
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{call(context.DeadlineExceeded), "HealthLake ListFHIRDatastores: AWS does not respond in time"},
		{call(context.Canceled), "HealthLake ListFHIRDatastores: canceled"},
		{call(&smithy.GenericAPIError{Code: "Odd", Message: strings.Repeat("x", 400)}),
			"HealthLake ListFHIRDatastores: Odd: " + strings.Repeat("x", 300) + "…"},
		{errors.New("a\u202eb"), "AWS: a\ufffdb"},
	} {
		if e := Explain(test.err); e.Problem != test.want || !errors.Is(e, test.err) {
			t.Errorf("got %q, want %q", e.Problem, test.want)
		}
	}
	if !IsCode(Explain(call(&smithy.GenericAPIError{Code: "Odd"})), "Odd") || IsCode(lookup, "Odd") {
		t.Error("IsCode")
	}
}
