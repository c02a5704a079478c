package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
)

// deployment is what the local AWS says that is deployed under one prefix. Nothing in it comes from what was to be
// deployed, except the names to look for.
type deployment struct {
	outputs   map[string]map[string]string // stack -> output -> value
	function  functionConfiguration
	alias     alias
	binary    string // path of the unpacked bootstrap
	secret    map[string]string
	datastore datastore
}

type functionConfiguration struct {
	FunctionName  string
	FunctionArn   string
	Runtime       string
	Role          string
	Handler       string
	CodeSize      int64
	Timeout       int
	MemorySize    int
	CodeSha256    string
	Version       string
	Architectures []string
	Environment   struct{ Variables map[string]string }
}

type alias struct {
	AliasArn        string
	FunctionVersion string
}

type datastore struct {
	DatastoreId                   string
	DatastoreArn                  string
	DatastoreEndpoint             string
	DatastoreName                 string
	DatastoreStatus               string
	IdentityProviderConfiguration struct {
		AuthorizationStrategy           string
		FineGrainedAuthorizationEnabled bool
		IdpLambdaArn                    string
		Metadata                        string
	}
}

type stack struct {
	Name    string `xml:"StackName"`
	Status  string `xml:"StackStatus"`
	Outputs []struct {
		Key   string `xml:"OutputKey"`
		Value string `xml:"OutputValue"`
	} `xml:"Outputs>member"`
}

func (d *deployment) timeout() time.Duration { return time.Duration(d.function.Timeout) * time.Second }

// stacks are those that exist.
func (s *suite) stacks(ctx context.Context) ([]stack, error) {
	var answer struct {
		Stacks []stack `xml:"DescribeStacksResult>Stacks>member"`
	}
	err := s.aws.Query(ctx, "cloudformation", "2010-05-15", "DescribeStacks", nil, &answer)
	return answer.Stacks, err
}

// readBack reads what is deployed under the prefix and unpacks the function's package, taken from the assets bucket,
// below the working directory.
func (s *suite) readBack(ctx context.Context, prefix string) (*deployment, error) {
	d := &deployment{outputs: map[string]map[string]string{}}
	all, err := s.stacks(ctx)
	if err != nil {
		return nil, err
	}
	for _, st := range all {
		d.outputs[st.Name] = map[string]string{}
		for _, output := range st.Outputs {
			d.outputs[st.Name][output.Key] = output.Value
		}
	}
	function := "/2015-03-31/functions/" + prefix + "checkToken"
	var answer struct{ Configuration functionConfiguration }
	if err := s.aws.Get(ctx, "lambda", function+"?Qualifier=live", &answer); err != nil {
		return nil, err
	}
	d.function = answer.Configuration
	if err := s.aws.Get(ctx, "lambda", function+"/aliases/live", &d.alias); err != nil {
		return nil, err
	}
	archive, err := s.packageOf(ctx, prefix+"CheckToken")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(archive)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != d.function.CodeSha256 {
		return nil, fmt.Errorf("the package in the bucket has hash %s, the alias's version %s", got, d.function.CodeSha256)
	}
	dir := filepath.Join(s.work, fmt.Sprintf("function-%x", sum[:8]))
	if d.binary, err = unpack(dir, archive); err != nil {
		return nil, err
	}
	if d.secret, err = s.secretValue(ctx, d.outputs[prefix+"Secret"]["SecretArn"]); err != nil {
		return nil, err
	}
	d.datastore, err = s.describeDatastore(ctx, d.outputs[prefix+"Datastore"]["DatastoreId"])
	return d, err
}

// packageOf is the zip file that a deployed stack's template names.
func (s *suite) packageOf(ctx context.Context, stack string) ([]byte, error) {
	var answer struct {
		Body string `xml:"GetTemplateResult>TemplateBody"`
	}
	err := s.aws.Query(ctx, "cloudformation", "2010-05-15", "GetTemplate",
		map[string]string{"StackName": stack}, &answer)
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(answer.Body), &template); err != nil {
		return nil, fmt.Errorf("template of %s: %w", stack, err)
	}
	for _, resource := range template.Resources {
		if resource.Type != "AWS::Lambda::Function" {
			continue
		}
		var properties struct {
			Code struct{ S3Bucket, S3Key string }
		}
		if err := json.Unmarshal(resource.Properties, &properties); err != nil {
			return nil, fmt.Errorf("template of %s: %w", stack, err)
		}
		return s.aws.Object(ctx, properties.Code.S3Bucket, properties.Code.S3Key)
	}
	return nil, fmt.Errorf("the template of %s has no function", stack)
}

// unpack unpacks a package that must hold a bootstrap for this machine and nothing else.
func unpack(dir string, archive []byte) (string, error) {
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", fmt.Errorf("package: %w", err)
	}
	if len(reader.File) != 1 || reader.File[0].Name != "bootstrap" {
		return "", fmt.Errorf("package: want bootstrap alone, got %d files", len(reader.File))
	}
	entry := reader.File[0]
	if entry.Mode()&0o111 == 0 {
		return "", fmt.Errorf("package: bootstrap is not executable: %s", entry.Mode())
	}
	file, err := entry.Open()
	if err != nil {
		return "", fmt.Errorf("package: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return "", fmt.Errorf("package: %w", err)
	}
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return "", fmt.Errorf("package: bootstrap: %w", err)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if program.Machine != machine {
		return "", fmt.Errorf("package: bootstrap is for %s, want %s", program.Machine, machine)
	}
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		return "", fmt.Errorf("package: bootstrap needs libraries that Lambda may not have: %v %w", libraries, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootstrap")
	if _, err := os.Stat(path); err == nil {
		return path, nil // the same bytes; a function may be running them
	}
	return path, os.WriteFile(path, content, 0o755)
}

func (s *suite) secretValue(ctx context.Context, id string) (map[string]string, error) {
	var answer struct{ SecretString string }
	err := s.aws.JSON(ctx, "secretsmanager", "secretsmanager.GetSecretValue", map[string]string{"SecretId": id}, &answer)
	if err != nil {
		return nil, err
	}
	var document map[string]string
	if err := json.Unmarshal([]byte(answer.SecretString), &document); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return document, nil
}

func (s *suite) putSecret(ctx context.Context, id string, document map[string]string) error {
	value, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return s.aws.JSON(ctx, "secretsmanager", "secretsmanager.PutSecretValue",
		map[string]string{"SecretId": id, "SecretString": string(value), "ClientRequestToken": requestToken(value)}, nil)
}

// requestToken is an idempotency token of the length that Secrets Manager wants.
func requestToken(value []byte) string { return fmt.Sprintf("%x", sha256.Sum256(value))[:32] }

func (s *suite) describeDatastore(ctx context.Context, id string) (datastore, error) {
	var answer struct{ DatastoreProperties datastore }
	err := s.aws.JSON(ctx, "healthlake", "HealthLake.DescribeFHIRDatastore",
		map[string]string{"DatastoreId": id}, &answer)
	return answer.DatastoreProperties, err
}

// datastores are the ids of those that exist, sorted.
func (s *suite) datastores(ctx context.Context) ([]string, error) {
	var answer struct{ DatastorePropertiesList []datastore }
	err := s.aws.JSON(ctx, "healthlake", "HealthLake.ListFHIRDatastores", struct{}{}, &answer)
	var ids []string
	for _, d := range answer.DatastorePropertiesList {
		ids = append(ids, d.DatastoreId)
	}
	slices.Sort(ids)
	return ids, err
}

// policyOf is the document of the only managed policy that is attached to a role.
func (s *suite) policyOf(ctx context.Context, role string) (string, error) {
	const iam, version = "iam", "2010-05-08"
	var attached struct {
		ARNs []string `xml:"ListAttachedRolePoliciesResult>AttachedPolicies>member>PolicyArn"`
	}
	err := s.aws.Query(ctx, iam, version, "ListAttachedRolePolicies", map[string]string{"RoleName": role}, &attached)
	if err != nil {
		return "", err
	}
	if len(attached.ARNs) != 1 {
		return "", fmt.Errorf("role %s has %d managed policies, want one", role, len(attached.ARNs))
	}
	parameters := map[string]string{"PolicyArn": attached.ARNs[0]}
	var policy struct {
		Version string `xml:"GetPolicyResult>Policy>DefaultVersionId"`
	}
	if err := s.aws.Query(ctx, iam, version, "GetPolicy", parameters, &policy); err != nil {
		return "", err
	}
	parameters["VersionId"] = policy.Version
	var document struct {
		Text string `xml:"GetPolicyVersionResult>PolicyVersion>Document"`
	}
	if err := s.aws.Query(ctx, iam, version, "GetPolicyVersion", parameters, &document); err != nil {
		return "", err
	}
	return url.QueryUnescape(document.Text)
}

// roleARN is the ARN of a role that exists, and its trust policy.
func (s *suite) role(ctx context.Context, name string) (arn, trust string, err error) {
	var answer struct {
		ARN   string `xml:"GetRoleResult>Role>Arn"`
		Trust string `xml:"GetRoleResult>Role>AssumeRolePolicyDocument"`
	}
	if err := s.aws.Query(ctx, "iam", "2010-05-08", "GetRole", map[string]string{"RoleName": name}, &answer); err != nil {
		return "", "", err
	}
	trust, err = url.QueryUnescape(answer.Trust)
	return answer.ARN, trust, err
}

// gone fails unless what was deployed under the prefix is removed, the secret included.
func (s *suite) gone(ctx context.Context, prefix, secretName string) error {
	var left []error
	all, err := s.stacks(ctx)
	if err != nil {
		return err
	}
	for _, st := range all {
		if slices.Contains([]string{"Roles", "Secret", "CheckToken", "Datastore"}, trimPrefix(st.Name, prefix)) {
			left = append(left, fmt.Errorf("stack %s is left: %s", st.Name, st.Status))
		}
	}
	for _, name := range []string{prefix + "Lambda-Role", prefix + "Role-for-HealthLake"} {
		if _, _, err := s.role(ctx, name); !awslocal.Is(err, "NoSuchEntity") {
			left = append(left, fmt.Errorf("role %s is left: %v", name, err))
		}
	}
	var function any
	err = s.aws.Get(ctx, "lambda", "/2015-03-31/functions/"+prefix+"checkToken", &function)
	if !awslocal.Is(err, "ResourceNotFoundException") {
		left = append(left, fmt.Errorf("function %scheckToken is left: %v", prefix, err))
	}
	var secret any
	err = s.aws.JSON(ctx, "secretsmanager", "secretsmanager.DescribeSecret",
		map[string]string{"SecretId": secretName}, &secret)
	if !awslocal.Is(err, "ResourceNotFoundException") {
		left = append(left, fmt.Errorf("secret %s is left: %v", secretName, err))
	}
	var groups struct {
		LogGroups []struct{ LogGroupName string }
	}
	err = s.aws.JSON(ctx, "logs", "Logs_20140328.DescribeLogGroups",
		map[string]string{"logGroupNamePrefix": "/aws/lambda/" + prefix}, &groups)
	if err != nil || len(groups.LogGroups) > 0 {
		left = append(left, fmt.Errorf("log groups are left: %v %v", groups.LogGroups, err))
	}
	return errors.Join(left...)
}

func trimPrefix(name, prefix string) string {
	if len(name) < len(prefix) || name[:len(prefix)] != prefix {
		return ""
	}
	return name[len(prefix):]
}
