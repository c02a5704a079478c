package main

import (
	"cmp"
	"fmt"
	"strings"

	"healthlake-smart-on-fhir/internal/introspect"
)

// settings are what the deployment fixes: they come from the function's environment and do not change while it runs. What
// may change without a deployment is in the secret.
type settings struct {
	secretID          string
	introspectionAuth introspect.Method
	rules             rules
}

// readSettings reads the environment through getenv.
func readSettings(getenv func(string) string) (settings, error) {
	method, err := introspect.ParseMethod(getenv("INTROSPECTION_AUTH"))
	if err != nil {
		return settings{}, fmt.Errorf("INTROSPECTION_AUTH: %w", err)
	}
	return settings{
		secretID:          cmp.Or(getenv("SECRET_ID"), "SOF-HL"),
		introspectionAuth: method,
		rules: rules{
			requiredAudience: getenv("REQUIRED_AUDIENCE"),
			trustedIssuers:   strings.Fields(getenv("TRUSTED_ISSUERS")),
		},
	}, nil
}
