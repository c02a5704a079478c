// Package inside has the deployed function say what it sees of the identity provider from where it runs.
package inside

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"healthlake-smart-on-fhir/cmd/internal/awsaccess"
	"healthlake-smart-on-fhir/cmd/internal/invocation"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/reason"
)

// attempts is how often a call is made that was not finished in time: the first one of an instance may be slow.
const attempts = 3

// target is one thing that the function calls, and a made-up token that makes it do so.
type target struct {
	check string
	host  string // with the port
	token string
}

// Check adds a row for the provider and for each further issuer. It calls the function, and changes nothing.
func Check(ctx context.Context, connection aws.Config, cfg config.Config, l *checklist.List) {
	for _, t := range targets(cfg) {
		result, err := call(ctx, connection, cfg, t)
		var problem *awsaccess.Error
		switch {
		case awsaccess.IsCode(err, "ResourceNotFoundException"):
			l.Fail(t.check, "there is no function "+cfg.Names().Function+" with an alias in "+cfg.Region,
				"deploy it first: STACK=CheckToken make deploy")
			return
		case errors.As(err, &problem):
			l.Fail(t.check, problem.Problem, problem.Fix)
			return
		}
		judge(cfg, t, result, l)
	}
}

// targets are what the function calls: an endpoint for each way that a token can go.
func targets(cfg config.Config) []target {
	endpoints := cfg.Environment().Endpoints()
	main := target{"function: provider", contract.HostPort(endpoints[0]), "preflight-" + rand.Text()}
	if cfg.TokenValidation == config.TokenValidationJWT {
		main.token = signedByNobody(cfg.AuthIssuer)
	}
	all := []target{main}
	for i, issuer := range cfg.MoreIssuers {
		all = append(all, target{"function: issuer " + issuer.Issuer, contract.HostPort(endpoints[i+1]), signedByNobody(issuer.Issuer)})
	}
	return all
}

func call(ctx context.Context, connection aws.Config, cfg config.Config, t target) (result invocation.Result, err error) {
	for range attempts {
		result, err = invocation.Check(ctx, connection, cfg, t.token, "preflight")
		if err != nil || result.Reason != reason.ProviderTimeout.Word {
			break
		}
	}
	return result, err
}

// signedByNobody is a JWT of an issuer with a key that nobody has: the function has to look for that among the issuer's keys.
func signedByNobody(issuer string) string {
	part := func(fields map[string]string) string {
		text, _ := json.Marshal(fields) // strings can always be written
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signature := make([]byte, 64)
	_, _ = rand.Read(signature) // it never fails
	return part(map[string]string{"alg": "ES256", "kid": "preflight-" + rand.Text()}) + "." +
		part(map[string]string{"iss": issuer}) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// judge adds the row of one target.
func judge(cfg config.Config, t target, r invocation.Result, l *checklist.List) {
	switch r.Outcome {
	case reason.OutcomeDenied:
		l.OK(t.check, fmt.Sprintf("reached %s in %.0f ms, and the made-up token is denied%s", t.host, r.ProviderMS, because(r.Reason)))
	case reason.OutcomeAuthorized:
		l.Fail(t.check, "reached "+t.host+", and a made-up token is authorized",
			"correct the endpoint at once: it calls every token active (RFC 7662)")
	default:
		cause, fix := explain(cfg, t.host, r)
		l.Fail(t.check, cause, fix)
	}
}

func because(word string) string {
	if word == "" {
		return ""
	}
	return ": " + word
}
