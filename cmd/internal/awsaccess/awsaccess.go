// Package awsaccess connects the project's commands to AWS. Credentials, profiles, SSO sessions and endpoints are found as
// every AWS SDK finds them (AWS SDKs and Tools Reference Guide, "Settings reference").
package awsaccess

import (
	"context"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

const (
	connectTimeout = 5 * time.Second
	requestTimeout = 20 * time.Second
	attempts       = 3
)

// Open returns the configuration for calls in a region, and the account that the credentials belong to. profile overrides
// AWS_PROFILE if it is not empty. The error is an *Error.
func Open(ctx context.Context, region, profile string) (cfg aws.Config, account string, err error) {
	client := awshttp.NewBuildableClient().WithTimeout(requestTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout })
	cfg, err = config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithSharedConfigProfile(profile),
		config.WithHTTPClient(client), config.WithRetryMaxAttempts(attempts),
		config.WithLogger(logging.Nop{})) // what it would print, such as how it looks for credentials, is in no user's way to a fix
	if err != nil {
		return aws.Config{}, "", explainSettings(err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, "", explainCredentials(err, cfg)
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return aws.Config{}, "", Explain(err)
	}
	return cfg, aws.ToString(identity.Account), nil
}
