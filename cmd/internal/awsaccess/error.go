package awsaccess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"healthlake-smart-on-fhir/internal/terminal"
)

// Error is what went wrong with a call to AWS, for a person. Its texts are one line each and safe to print.
type Error struct {
	Problem       string
	Fix           string
	NoCredentials bool   // there are none, as opposed to some that do not work
	Code          string // AWS's error code, "" if AWS sent none
	NoSuchHost    bool   // the endpoint's name does not exist: the region does not have the service

	cause error
}

func (e *Error) Error() string { return e.Problem + "; to fix it, " + e.Fix }

// Unwrap returns the SDK's error. Its text may hold characters that a terminal obeys.
func (e *Error) Unwrap() error { return e.cause }

// IsCode tells whether AWS responded with an error code.
func IsCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == code
}

// The codes of errors about the credentials themselves (Common Errors in the services' API references; AWS STS alone has
// InvalidClientTokenId).
var (
	expiredCodes = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
	unknownCodes = []string{"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId",
		"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"}
)

// Explain turns an error of an SDK's call into an *Error.
func Explain(err error) *Error {
	e := &Error{Problem: operation(err) + ": ", Fix: "run the command again", cause: err}
	var api smithy.APIError
	var sent *url.Error
	var lookup *net.DNSError
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &api):
		e.explainCode(api)
	case errors.As(err, &sent):
		e.Problem += host(sent.URL) + " does not respond"
		e.Fix = "check the network, the region and AWS_ENDPOINT_URL"
		e.NoSuchHost = errors.As(err, &lookup) && lookup.IsNotFound
	case errors.As(err, &response):
		e.Problem += fmt.Sprintf("HTTP %d without an error of AWS", response.HTTPStatusCode())
		e.Fix = "check AWS_ENDPOINT_URL"
	case errors.Is(err, context.DeadlineExceeded):
		e.Problem += "AWS does not respond in time"
	case errors.Is(err, context.Canceled):
		e.Problem += "canceled"
	default:
		e.Problem += oneLine(err.Error())
	}
	return e
}

func (e *Error) explainCode(api smithy.APIError) {
	e.Code = api.ErrorCode()
	switch {
	case slices.Contains(expiredCodes, e.Code):
		e.Problem, e.Fix = "the AWS credentials have expired", "renew them"
	case slices.Contains(unknownCodes, e.Code):
		e.Problem, e.Fix = "AWS does not accept the credentials ("+oneLine(e.Code)+")", "correct or renew them"
	default:
		e.Problem += oneLine(e.Code)
		if message := api.ErrorMessage(); message != "" {
			e.Problem += ": " + oneLine(message)
		}
		if strings.Contains(e.Code, "AccessDenied") || strings.Contains(e.Code, "Unauthorized") {
			e.Fix = "allow it for these credentials, or use others"
		}
	}
}

// explainSettings is about the configuration files and the environment.
func explainSettings(err error) *Error {
	var profile config.SharedConfigProfileNotExistError
	if errors.As(err, &profile) {
		return &Error{Problem: fmt.Sprintf("there is no AWS profile %q", profile.Profile),
			Fix: "set AWS_PROFILE to one in ~/.aws/config (or where AWS_CONFIG_FILE is)", cause: err}
	}
	return &Error{Problem: "the AWS settings cannot be used: " + oneLine(err.Error()),
		Fix: "correct ~/.aws/config and the AWS_ variables in the environment", cause: err}
}

// explainCredentials is about credentials that could not be had.
func explainCredentials(err error, cfg aws.Config) *Error {
	profile, option := profileOf(cfg)
	from := func(sources ...aws.CredentialSource) bool {
		chain, _ := cfg.Credentials.(aws.CredentialProviderSource)
		return chain != nil && slices.ContainsFunc(chain.ProviderSources(), func(s aws.CredentialSource) bool {
			return slices.Contains(sources, s)
		})
	}
	var api smithy.APIError
	var sent *url.Error
	signedOut := !errors.As(err, &sent) && (!errors.As(err, &api) || strings.Contains(api.ErrorCode(), "Unauthorized") ||
		strings.Contains(api.ErrorCode(), "Grant"))
	switch {
	case from(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy) && signedOut:
		return &Error{Problem: "the SSO session of the AWS profile " + profile + " has expired, or there is none",
			Fix: "sign in with: aws sso login" + option, cause: err}
	case from(aws.CredentialSourceLogin) && signedOut:
		return &Error{Problem: "the session of the AWS profile " + profile + " has expired, or there is none",
			Fix: "sign in with: aws login" + option, cause: err}
	case from(aws.CredentialSourceIMDS):
		return &Error{Problem: "no AWS credentials",
			Fix: "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", NoCredentials: true, cause: err}
	case from(aws.CredentialSourceProcess):
		return &Error{Problem: "the credential_process of the AWS profile " + profile + " failed",
			Fix: "run it by hand to see why", cause: err}
	}
	return Explain(err)
}

// profileOf returns the name of the profile, and the option of the AWS command line that selects it.
func profileOf(cfg aws.Config) (name, option string) {
	name = config.DefaultSharedConfigProfile
	for _, source := range cfg.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok && shared.Profile != "" {
			name = oneLine(shared.Profile)
		}
	}
	if name != config.DefaultSharedConfigProfile {
		option = " --profile " + name
	}
	return name, option
}

// operation names the call that failed.
func operation(err error) string {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.Service() + " " + op.Operation()
	}
	return "AWS"
}

func host(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return oneLine(u.Host)
	}
	return "the endpoint"
}

// oneLine is a text from elsewhere in one line of moderate length.
func oneLine(text string) string {
	const longest = 300
	runes := []rune(terminal.Printable(strings.Join(strings.Fields(text), " ")))
	if len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(runes)
}
