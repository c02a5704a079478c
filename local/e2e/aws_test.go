package e2e

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
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/healthlake"
	healthlaketypes "github.com/aws/aws-sdk-go-v2/service/healthlake/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// What the local AWS has.
const (
	account = "123456789012"
	region  = "us-east-1"
)

// localAWS is a running local AWS.
type localAWS struct {
	url            string
	environment    map[string]string // what a program needs to use this AWS and no other
	scaling        *applicationautoscaling.Client
	cloudformation *cloudformation.Client
	logs           *cloudwatchlogs.Client
	healthlake     *healthlake.Client
	iam            *iam.Client
	lambda         *lambda.Client
	secrets        *secretsmanager.Client
}

func startAWS(l *lab) (*localAWS, error) {
	s, err := l.serve("aws", nil, "python3", filepath.Join(l.root, "local", "aws", "server.py"), "--end-with-stdin")
	if err != nil {
		return nil, err
	}
	address, err := s.address(l.t.Context())
	if err != nil {
		return nil, err
	}
	output, err := os.ReadFile(s.log)
	if err != nil {
		return nil, err
	}
	environment := map[string]string{}
	for _, line := range exportLine.FindAllStringSubmatch(string(output), -1) {
		environment[line[1]] = line[2]
	}
	cfg := aws.Config{Region: region, BaseEndpoint: &address,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		})}
	return &localAWS{
		url: address, environment: environment, scaling: applicationautoscaling.NewFromConfig(cfg), cloudformation: cloudformation.NewFromConfig(cfg),
		logs: cloudwatchlogs.NewFromConfig(cfg), healthlake: healthlake.NewFromConfig(cfg),
		iam: iam.NewFromConfig(cfg), lambda: lambda.NewFromConfig(cfg), secrets: secretsmanager.NewFromConfig(cfg),
	}, nil
}

// exportLine is a line of the shell commands that the local AWS prints.
var exportLine = regexp.MustCompile(`(?m)^export (\w+)=(\S+)$`)

// deployment is what the local AWS says that is deployed under one prefix. Nothing in it comes from what was to be deployed,
// except the names to look for.
type deployment struct {
	outputs   map[string]string // of all stacks; their names differ
	function  *lambda.GetFunctionConfigurationOutput
	alias     *lambda.GetAliasOutput
	binary    string // path of the unpacked bootstrap
	secret    map[string]string
	datastore *healthlaketypes.DatastoreProperties
}

func (d *deployment) variables() map[string]string { return d.function.Environment.Variables }

// readBack reads what is deployed under the prefix. It unpacks the function's package below dir, as it is in the assets bucket.
func (a *localAWS) readBack(ctx context.Context, prefix, dir string) (*deployment, error) {
	d := &deployment{outputs: map[string]string{}}
	stacks, err := a.cloudformation.DescribeStacks(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, stack := range stacks.Stacks {
		for _, output := range stack.Outputs {
			if strings.HasPrefix(*stack.StackName, prefix) {
				d.outputs[*output.OutputKey] = *output.OutputValue
			}
		}
	}
	name, live := aws.String(prefix+"checkToken"), aws.String("live")
	if d.function, err = a.lambda.GetFunctionConfiguration(ctx,
		&lambda.GetFunctionConfigurationInput{FunctionName: name, Qualifier: live}); err != nil {
		return nil, err
	}
	if d.alias, err = a.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: name, Name: live}); err != nil {
		return nil, err
	}
	archive, err := a.packageOf(ctx, prefix+"CheckToken")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(archive)
	if err := equal("the hash of the package in the bucket", base64.StdEncoding.EncodeToString(sum[:]), *d.function.CodeSha256); err != nil {
		return nil, err
	}
	if d.binary, err = unpack(filepath.Join(dir, fmt.Sprintf("function-%x", sum[:8])), archive); err != nil {
		return nil, err
	}
	if d.secret, err = a.secretValue(ctx, d.outputs["SecretArn"]); err != nil {
		return nil, err
	}
	d.datastore, err = a.datastore(ctx, d.outputs["DatastoreId"])
	return d, err
}

// packageOf is the zip file that a deployed stack's template names for the function checkToken.
func (a *localAWS) packageOf(ctx context.Context, stack string) ([]byte, error) {
	deployed, err := a.cloudformation.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack})
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ Code json.RawMessage }
		}
	}
	if err := json.Unmarshal([]byte(*deployed.TemplateBody), &template); err != nil {
		return nil, fmt.Errorf("template of %s: %w", stack, err)
	}
	for _, resource := range template.Resources {
		var code struct{ S3Bucket, S3Key string }
		if resource.Type != "AWS::Lambda::Function" {
			continue
		}
		if err := json.Unmarshal(resource.Properties.Code, &code); err != nil {
			return nil, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"/"+code.S3Bucket+"/"+code.S3Key, nil)
		if err != nil {
			return nil, err
		}
		// The local AWS checks no signature; it wants to see whose it is.
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/"+region+"/s3/aws4_request, "+
			"SignedHeaders=host, Signature=none")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		return io.ReadAll(response.Body)
	}
	return nil, fmt.Errorf("the template of %s has no function", stack)
}

// unpack unpacks a package that must hold a bootstrap for this machine and nothing else.
func unpack(dir string, archive []byte) (string, error) {
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", fmt.Errorf("package: %w", err)
	}
	if len(reader.File) != 1 || reader.File[0].Name != "bootstrap" || reader.File[0].Mode()&0o111 == 0 {
		return "", fmt.Errorf("package: want an executable bootstrap alone, got %d files", len(reader.File))
	}
	content, err := fs.ReadFile(reader, "bootstrap")
	if err != nil {
		return "", fmt.Errorf("package: %w", err)
	}
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return "", fmt.Errorf("package: bootstrap: %w", err)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if libraries, err := program.ImportedLibraries(); program.Machine != machine || err != nil || len(libraries) > 0 {
		return "", fmt.Errorf("package: bootstrap is for %s and needs libraries %v: %v", program.Machine, libraries, err)
	}
	path := filepath.Join(dir, "bootstrap")
	if _, err := os.Stat(path); err == nil {
		return path, nil // the same bytes; a function may be running them
	}
	return path, errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(path, content, 0o755))
}

func (a *localAWS) secretValue(ctx context.Context, id string) (document map[string]string, err error) {
	value, err := a.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return nil, err
	}
	return document, json.Unmarshal([]byte(*value.SecretString), &document)
}

func (a *localAWS) putSecret(ctx context.Context, id string, document map[string]string) error {
	value, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_, err = a.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: aws.String(string(value))})
	return err
}

func (a *localAWS) datastore(ctx context.Context, id string) (*healthlaketypes.DatastoreProperties, error) {
	described, err := a.healthlake.DescribeFHIRDatastore(ctx, &healthlake.DescribeFHIRDatastoreInput{DatastoreId: &id})
	if err != nil {
		return nil, err
	}
	return described.DatastoreProperties, nil
}

// datastores are the ids of those that exist.
func (a *localAWS) datastores(ctx context.Context) (ids []string, err error) {
	listed, err := a.healthlake.ListFHIRDatastores(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, d := range listed.DatastorePropertiesList {
		ids = append(ids, *d.DatastoreId)
	}
	return ids, nil
}

// role is who may assume a role, and the document of the only managed policy that is attached to it.
func (a *localAWS) role(ctx context.Context, name string) (trust, policy string, err error) {
	role, err := a.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return "", "", err
	}
	attached, err := a.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil {
		return "", "", err
	}
	if len(attached.AttachedPolicies) != 1 {
		return "", "", fmt.Errorf("role %s has %d managed policies, want one", name, len(attached.AttachedPolicies))
	}
	arn := attached.AttachedPolicies[0].PolicyArn
	current, err := a.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	if err != nil {
		return "", "", err
	}
	version, err := a.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: current.Policy.DefaultVersionId})
	if err != nil {
		return "", "", err
	}
	trust, trustErr := url.QueryUnescape(*role.Role.AssumeRolePolicyDocument)
	policy, policyErr := url.QueryUnescape(*version.PolicyVersion.Document)
	return trust, policy, errors.Join(trustErr, policyErr)
}

// left fails if anything that begins with the prefix, or the secret, is still there. Datastores may be.
func (a *localAWS) left(ctx context.Context, prefix, secretName string) error {
	var names []string
	stacks, err1 := a.cloudformation.DescribeStacks(ctx, nil)
	roles, err2 := a.iam.ListRoles(ctx, nil)
	functions, err3 := a.lambda.ListFunctions(ctx, nil)
	groups, err4 := a.logs.DescribeLogGroups(ctx, nil)
	secrets, err5 := a.secrets.ListSecrets(ctx, nil)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	for _, stack := range stacks.Stacks {
		names = append(names, *stack.StackName)
	}
	for _, role := range roles.Roles {
		names = append(names, *role.RoleName)
	}
	for _, function := range functions.Functions {
		names = append(names, *function.FunctionName)
	}
	for _, group := range groups.LogGroups {
		names = append(names, strings.TrimPrefix(*group.LogGroupName, "/aws/lambda/"))
	}
	for _, secret := range secrets.SecretList {
		names = append(names, *secret.Name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name != secretName && !strings.HasPrefix(name, prefix) })
	if len(names) > 0 {
		return fmt.Errorf("left: %s", strings.Join(names, ", "))
	}
	return nil
}

// record puts a record into a datastore, or returns the one that is there if there is no content.
func (a *localAWS) record(ctx context.Context, datastoreID, name, content string) (string, error) {
	method := http.MethodGet
	if content != "" {
		method = http.MethodPut
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+"/datastore/"+datastoreID+"/r4/"+name, strings.NewReader(content))
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, name, response.Status)
	}
	return string(body), err
}
