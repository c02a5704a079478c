package main

import (
	"cmp"
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/internal/contract"
)

// fetchSecret returns what reads the secret's current value. It sets the client up from the environment variables that
// Lambda sets and the SDK's two for another endpoint; the SDK's own config package would look in many more places, and
// costs start-up time.
func fetchSecret(id string, getenv func(string) string) func(context.Context) ([]byte, error) {
	options := secretsmanager.Options{
		Region: getenv("AWS_REGION"),
		// The SDK's own client would take a proxy from the environment.
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.Proxy = nil }),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
	}
	if endpoint := cmp.Or(getenv(contract.SecretsManagerURL), getenv("AWS_ENDPOINT_URL")); endpoint != "" {
		options.BaseEndpoint = aws.String(endpoint)
	}
	client := secretsmanager.New(options)
	return func(ctx context.Context) ([]byte, error) {
		value, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
		if err != nil {
			return nil, err
		}
		return []byte(aws.ToString(value.SecretString)), nil
	}
}
