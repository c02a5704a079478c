package account

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"healthlake-smart-on-fhir/cmd/internal/awstest"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
)

const qualifier = "hnb659fds"

// startAWS starts a bootstrapped account in which nothing is in the way, and a configuration for it.
func startAWS(t *testing.T) (*awstest.Server, config.Config) {
	s := awstest.Start(t)
	s.Respond("healthlake ListFHIRDatastores", `{"DatastorePropertiesList": []}`)
	admin(s, "arn:aws:iam::"+awstest.Account+":role/cdk-hnb659fds-cfn-exec-role-"+awstest.Account+"-us-east-1")
	s.Respond("ssm GetParameter", `{"Parameter": {"Value": "21"}}`)
	s.Respond("lambda GetAccountSettings", `{"AccountLimit": {"UnreservedConcurrentExecutions": 1000}}`)
	s.Fail("lambda GetFunction", "ResourceNotFoundException", "")
	s.Fail("secretsmanager DescribeSecret", "ResourceNotFoundException", "")
	return s, config.Config{Account: awstest.Account, Region: "us-east-1", Prefix: "t-", DatastoreName: "records",
		SecretName: "SOF-HL", LambdaConcurrentExecutions: 5}
}

func admin(s *awstest.Server, arn string) {
	s.Respond("lakeformation GetDataLakeSettings", `{"DataLakeSettings": {"DataLakeAdmins": [
		{"DataLakePrincipalIdentifier": "arn:aws:iam::`+awstest.Account+`:user/jo"}, {"DataLakePrincipalIdentifier": "`+arn+`"}]}}`)
}

// expect compares the rows with those wanted, each "<status> <check>: <part of the reason> | <part of the fix>".
func expect(t *testing.T, cfg config.Config, want ...string) {
	t.Helper()
	var l checklist.List
	Check(context.Background(), cfg, qualifier, &l)
	compare(t, l, want)
}

func compare(t *testing.T, l checklist.List, want []string) {
	t.Helper()
	if len(l) != len(want) {
		t.Errorf("%d rows, want %d:\n%+v", len(l), len(want), l)
	}
	for i, w := range want[:min(len(l), len(want))] {
		head, rest, _ := strings.Cut(w, ": ")
		reason, fix, _ := strings.Cut(rest, " | ")
		r := l[i]
		if string(r.Status)+" "+r.Check != head || !strings.Contains(r.Reason, reason) || !strings.Contains(r.Fix, fix) {
			t.Errorf("got %+v\nwant %s", r, w)
		}
	}
}

// row compares the row of one check.
func row(t *testing.T, cfg config.Config, want string) {
	t.Helper()
	var l checklist.List
	Check(context.Background(), cfg, qualifier, &l)
	head, _, _ := strings.Cut(want, ": ")
	_, check, _ := strings.Cut(head, " ")
	for _, r := range l {
		if r.Check == check {
			compare(t, checklist.List{r}, []string{want})
			return
		}
	}
	t.Errorf("no row %s in %+v", check, l)
}

func TestNothingInTheWay(t *testing.T) {
	s, cfg := startAWS(t)
	expect(t, cfg,
		"ok AWS account: "+awstest.Account,
		"ok AWS region: HealthLake is available in us-east-1",
		"ok AWS Lake Formation: is a data lake administrator",
		"ok AWS CDK bootstrap: version 21",
		"ok AWS Lambda concurrency: lambdaConcurrentExecutions asks for 5; 1000 are unreserved",
		"ok AWS secret: the name SOF-HL is free",
		"ok AWS function: the name t-checkToken is free")
	for _, call := range s.Calls() {
		_, name, _ := strings.Cut(call, " ")
		if !strings.HasPrefix(name, "Get") && !strings.HasPrefix(name, "List") && !strings.HasPrefix(name, "Describe") {
			t.Errorf("%s does not only read", call)
		}
	}
}

func TestInTheWay(t *testing.T) {
	s, cfg := startAWS(t)
	s.Respond("healthlake ListFHIRDatastores",
		`{"DatastorePropertiesList": [{"DatastoreStatus": "DELETED"}, {"DatastoreStatus": "ACTIVE"}]}`)
	row(t, cfg, "ok AWS region: HealthLake is available in us-east-1; a datastore t-records exists")
	s.Respond("healthlake ListFHIRDatastores", `{"DatastorePropertiesList": [{"DatastoreStatus": "DELETED"}]}`)
	row(t, cfg, "ok AWS region: HealthLake is available in us-east-1")

	s.Fail("ssm GetParameter", "ParameterNotFound", "")
	row(t, cfg, "failed AWS CDK bootstrap: not bootstrapped | npx cdk bootstrap aws://"+awstest.Account+"/us-east-1")
	s.Respond("ssm GetParameter", `{"Parameter": {"Value": "5"}}`)
	row(t, cfg, "failed AWS CDK bootstrap: version 5; at least 6 | npx cdk bootstrap")
	s.Respond("ssm GetParameter", `{"Parameter": {"Value": "x"}}`)
	row(t, cfg, "failed AWS CDK bootstrap: not a number | npx cdk bootstrap")
	s.Respond("ssm GetParameter", `{}`)
	row(t, cfg, "failed AWS CDK bootstrap: not a number | npx cdk bootstrap")

	s.Respond("lambda GetAccountSettings", `{"AccountLimit": {"UnreservedConcurrentExecutions": 105}}`)
	row(t, cfg, "ok AWS Lambda concurrency: asks for 5; 105 are unreserved, of which Lambda keeps 100")
	cfg.LambdaMaxConcurrentExecutions = 6
	row(t, cfg, "failed AWS Lambda concurrency: lambdaMaxConcurrentExecutions asks for 6; 105 are unreserved | quota")
	s.Respond("lambda GetAccountSettings", `{}`)
	row(t, cfg, "warning AWS Lambda concurrency: unknown | console")

	tagged := func(stack string) string { return `"Tags": [{"Key": "` + stackTag + `", "Value": "` + stack + `"}]` }
	s.Respond("secretsmanager DescribeSecret", `{"Name": "SOF-HL", `+tagged("t-Secret")+`}`)
	row(t, cfg, "ok AWS secret: the secret SOF-HL exists and belongs to this deployment")
	s.Respond("secretsmanager DescribeSecret", `{"Name": "SOF-HL", `+tagged("x-Secret")+`}`)
	row(t, cfg, "failed AWS secret: belongs to the stack x-Secret | choose another secretName, or remove that stack")
	s.Respond("secretsmanager DescribeSecret", `{"Name": "SOF-HL"}`)
	row(t, cfg, "failed AWS secret: does not belong to this deployment | choose another secretName")
	s.Respond("secretsmanager DescribeSecret", `{"Name": "SOF-HL", "DeletedDate": 1e9, `+tagged("t-Secret")+`}`)
	row(t, cfg, "failed AWS secret: scheduled for deletion | --force-delete-without-recovery --region us-east-1")

	s.Respond("lambda GetFunction", `{"Tags": {"`+stackTag+`": "t-CheckToken"}}`)
	row(t, cfg, "ok AWS function: the function t-checkToken exists and belongs to this deployment")
	s.Respond("lambda GetFunction", `{"Tags": {"`+stackTag+`": "x-CheckToken"}}`)
	row(t, cfg, "failed AWS function: belongs to the stack x-CheckToken | choose another prefix, or remove that stack")
}

func TestLakeFormation(t *testing.T) {
	s, cfg := startAWS(t)
	role := "cdk-hnb659fds-cfn-exec-role-" + awstest.Account + "-us-east-1"
	admin(s, "arn:aws-us-gov:iam::"+awstest.Account+":role/"+role)
	row(t, cfg, "ok AWS Lake Formation: is a data lake administrator")
	for _, other := range []string{
		"arn:aws:iam::210987654321:role/" + role,
		"arn:aws:iam::" + awstest.Account + ":role/cdk-other-cfn-exec-role-" + awstest.Account + "-us-east-1",
		"arn:aws:iam::" + awstest.Account + ":role/" + strings.Replace(role, "us-east-1", "us-east-2", 1),
		"arn:aws:iam::" + awstest.Account + ":user/" + role,
	} {
		admin(s, other)
		row(t, cfg, "warning AWS Lake Formation: is not a data lake administrator | add "+role+" to the data lake administrators")
	}
	s.Respond("lakeformation GetDataLakeSettings", `{}`)
	row(t, cfg, "warning AWS Lake Formation: is not a data lake administrator")
}

func TestRequestedConcurrency(t *testing.T) {
	for _, test := range []struct {
		provisioned, most, reserved int
		want                        string
	}{
		{5, 0, 0, "lambdaConcurrentExecutions 5"},
		{5, 50, 0, "lambdaMaxConcurrentExecutions 50"},
		{5, 50, 60, "lambdaReservedConcurrency 60"},
	} {
		key, wanted := requestedConcurrency(config.Config{LambdaConcurrentExecutions: test.provisioned,
			LambdaMaxConcurrentExecutions: test.most, LambdaReservedConcurrency: test.reserved})
		if got := fmt.Sprint(key, " ", wanted); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestNoAccount(t *testing.T) {
	rest := func(reason string) (l []string) {
		for _, c := range checks {
			l = append(l, "skipped "+c.name+": "+reason)
		}
		return l
	}
	t.Run("no credentials", func(t *testing.T) {
		_, cfg := startAWS(t)
		awstest.NoCredentials(t)
		expect(t, cfg, append([]string{"skipped AWS account: no AWS credentials: set AWS_PROFILE"}, rest("no AWS credentials")...)...)
	})
	t.Run("expired", func(t *testing.T) {
		s, cfg := startAWS(t)
		s.Fail("sts GetCallerIdentity", "ExpiredToken", "")
		expect(t, cfg, append([]string{"failed AWS account: have expired | renew"}, rest("the account is not known")...)...)
	})
	t.Run("another account", func(t *testing.T) {
		_, cfg := startAWS(t)
		cfg.Account = "210987654321"
		expect(t, cfg, append([]string{"failed AWS account: belong to account " + awstest.Account + ", the context says 210987654321 | " +
			"use credentials of account 210987654321, or correct account"}, rest("belong to another account")...)...)
	})
	t.Run("offline", func(t *testing.T) {
		var l checklist.List
		Offline(&l, "offline")
		compare(t, l, append([]string{"skipped AWS account: offline"}, rest("offline")...))
	})
}

// Missing rights to look are no fault of the configuration, and AWS says which right is missing.
func TestNotAllowed(t *testing.T) {
	s, cfg := startAWS(t)
	want := []string{"ok AWS account: "}
	for _, c := range []struct{ check, operation string }{
		{"region", "healthlake ListFHIRDatastores"}, {"Lake Formation", "lakeformation GetDataLakeSettings"},
		{"CDK bootstrap", "ssm GetParameter"}, {"Lambda concurrency", "lambda GetAccountSettings"},
		{"secret", "secretsmanager DescribeSecret"}, {"function", "lambda GetFunction"},
	} {
		s.Fail(c.operation, "AccessDeniedException", "User is not authorized to perform: x\x1b[2J")
		_, name, _ := strings.Cut(c.operation, " ")
		want = append(want, "warning AWS "+c.check+": "+name+
			": AccessDeniedException: User is not authorized to perform: x\ufffd[2J | allow it for these credentials")
	}
	expect(t, cfg, want...)
}

// noHost is an HTTP client in whose network AWS's names do not exist.
type noHost struct{}

func (noHost) Do(r *http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: &net.DNSError{Name: r.URL.Host, IsNotFound: true}}
}

func TestRegionWithoutHealthLake(t *testing.T) {
	a := account{cfg: config.Config{Region: "eu-north-1"}, aws: aws.Config{Region: "eu-north-1", HTTPClient: noHost{},
		Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1}}
	var l checklist.List
	a.region(context.Background(), &l)
	compare(t, l, []string{"failed AWS region: there is no HealthLake in eu-north-1 | choose a region"})
}
