package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/cmd/internal/invocation"
	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/reason"
)

// tryTimeout bounds the request to the provider. The function itself waits for less than a second.
const tryTimeout = 5 * time.Second

// deployment is the deployed secret and function.
type deployment struct {
	cfg        config.Config
	function   string
	secrets    *secretsmanager.Client
	connection aws.Config
}

// open connects to AWS. It fails if the credentials belong to another account.
func open(ctx context.Context, cfg config.Config) (deployment, error) {
	connection, account, err := awsaccess.Open(ctx, cfg.Region, "")
	if err != nil {
		return deployment{}, err
	}
	if account != cfg.Account {
		return deployment{}, fmt.Errorf("the credentials belong to account %s, the context says %s; use credentials of account "+
			"%[2]s, or correct account", account, cfg.Account)
	}
	return deployment{cfg, cfg.Names().Function, secretsmanager.NewFromConfig(connection), connection}, nil
}

// document reads the secret. Every field is kept, those included that only later versions of this project know. version is the
// id of what was read.
func (d deployment) document(ctx context.Context) (document map[string]json.RawMessage, version string, err error) {
	got, err := d.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &d.cfg.SecretName})
	switch {
	case awsaccess.IsCode(err, "ResourceNotFoundException"):
		return nil, "", fmt.Errorf("there is no secret %s in region %s; deploy first, or correct secretName", d.cfg.SecretName, d.cfg.Region)
	case awsaccess.IsCode(err, "AccessDeniedException"):
		return nil, "", fmt.Errorf("these credentials may not read the secret %s: only the roles and users in secretAdmins may. Add yours "+
			"there and deploy, or use one of them", d.cfg.SecretName)
	case err != nil:
		return nil, "", awsaccess.Explain(err)
	}
	if err := json.Unmarshal([]byte(aws.ToString(got.SecretString)), &document); err != nil || document == nil {
		return nil, "", fmt.Errorf("the value of the secret %s is not a JSON object; correct it in the Secrets Manager console", d.cfg.SecretName)
	}
	return document, aws.ToString(got.VersionId), nil
}

// write stores a value in the place of the version that it was made from. Secrets Manager has no conditional write, so another
// change could still be lost in the milliseconds before this one.
func (d deployment) write(ctx context.Context, text []byte, version string) error {
	switch _, now, err := d.document(ctx); {
	case err != nil:
		return err
	case now != version:
		return fmt.Errorf("somebody else changed the secret %s meanwhile, so nothing was changed; run this again", d.cfg.SecretName)
	}
	_, err := d.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &d.cfg.SecretName, SecretString: aws.String(string(text)),
	})
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", awsaccess.Explain(err))
	}
	return nil
}

// tryDocument asks the provider as the function would with a secret of this value. silent tells that the provider did not
// respond. The error holds nothing of the value.
func tryDocument(ctx context.Context, cfg config.Config, bundle string, text []byte) (silent bool, err error) {
	roots, err := httpclient.ReadRoots(bundle)
	if err != nil {
		return false, fmt.Errorf("authCaBundle: %w", err)
	}
	environment := cfg.Environment()
	environment.MoreIssuers = nil // they are shown no credential, and must not stop the change of one
	checker, err := checktoken.New(environment, httpclient.NewTransport(roots), time.Now)
	if err != nil {
		return false, err
	}
	document, err := checker.ParseDocument(text)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	err = checker.TryCredentials(ctx, document)
	var failure *checktoken.Error
	silent = errors.As(err, &failure) &&
		slices.Contains([]string{reason.ProviderUnreachable.Word, reason.ProviderTimeout.Word}, failure.Reason.Word)
	return silent, err
}

// invoke has the function check a made-up token. word is the reason for why it could not decide, "" if it could.
func (d deployment) invoke(ctx context.Context) (word string, err error) {
	result, err := invocation.Check(ctx, d.connection, d.cfg, "rotation-"+rand.Text(), "rotation")
	switch {
	case err != nil:
		return "", err
	case result.Outcome == reason.OutcomeError:
		return cmp.Or(result.Reason, "an error"), nil
	}
	return "", nil
}
