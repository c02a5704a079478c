package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
)

// secretsManager is the part of Secrets Manager's client that is used here.
type secretsManager interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (
		*secretsmanager.DescribeSecretOutput, error)
}

const secretType = "AWS::SecretsManager::Secret"

// deployTime is longer than a deploy of the secret's stack takes: a later change of the secret was not the deploy's.
const deployTime = 5 * time.Minute

// checkSecret stops a deploy that would undo a rotation. When the secret's text changes in the template, CloudFormation writes
// the whole document again, with the values that the parameters had at the last deploy. kept are the variables of the
// environment that would have given others.
func checkSecret(ctx context.Context, client secretsManager, s stack, before deployed, kept []string, stdout io.Writer) error {
	name := rewritten(before.template, s.template)
	if name == "" || len(kept) == 0 {
		return nil
	}
	got, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name},
		func(o *secretsmanager.Options) { o.Region = s.Region })
	if awsaccess.IsCode(err, "ResourceNotFoundException") {
		return nil
	}
	if err != nil {
		fmt.Fprintf(stdout, "Whether the secret %s was changed since its last deploy is not known: %s\n", name, awsaccess.Explain(err))
		return nil
	}
	changed := aws.ToTime(got.LastChangedDate)
	if !changed.After(before.updated.Add(deployTime)) {
		return nil
	}
	return fmt.Errorf("this deploy would write the secret %s again, with the credentials of its last deploy (%s), but the secret was "+
		"changed since (%s), perhaps by make rotate; give the credentials that it has now in %s, and run this again", name,
		before.updated.UTC().Format(time.DateTime), changed.UTC().Format(time.DateTime), strings.Join(kept, " and "))
}

// rewritten is the name of the secret whose text differs in the two templates, "" if there is none.
func rewritten(before, after template) string {
	was := before.resources(secretType)
	for id, now := range after.resources(secretType) {
		old, deployed := was[id]
		name, _ := now["Name"].(string)
		if deployed && !reflect.DeepEqual(old["SecretString"], now["SecretString"]) {
			return name
		}
	}
	return ""
}
