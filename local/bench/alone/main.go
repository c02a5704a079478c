// Command alone does one of the two things that the function waits for when it starts, and prints how many microseconds it took:
// "secret" reads the secret, "connection" opens a connection to the provider.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"healthlake-smart-on-fhir/internal/contract"
)

func main() {
	begin := time.Now()
	var err error
	switch what := os.Args[1]; what {
	case "secret":
		err = secret()
	case "connection":
		err = connection(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "alone:", err)
		os.Exit(1)
	}
	fmt.Println(time.Since(begin).Microseconds())
}

func secret() error {
	credentials := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	client := secretsmanager.New(secretsmanager.Options{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: aws.String(os.Getenv(contract.SecretsManagerURL)),
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
	})
	_, err := client.GetSecretValue(context.Background(),
		&secretsmanager.GetSecretValueInput{SecretId: aws.String(contract.DefaultSecretName)})
	return err
}

func connection(address string) error {
	c, err := tls.Dial("tcp", address, nil) // the roots are those in SSL_CERT_FILE
	if err != nil {
		return err
	}
	return c.Close()
}
