package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/introspect"
)

// settings are what the deployment fixes: they come from the function's environment and do not change while it runs. What
// may change without a deployment is in the secret.
type settings struct {
	secretID          string
	introspectionAuth introspect.Method
	cacheTime         time.Duration // 0: every call asks the provider
	rules             rules
}

// maxCacheTime is how long a revoked token may work on at the most.
const maxCacheTime = 300 * time.Second

// readSettings reads the environment through getenv.
func readSettings(getenv func(string) string) (settings, error) {
	method, err := introspect.ParseMethod(getenv("INTROSPECTION_AUTH"))
	if err != nil {
		return settings{}, fmt.Errorf("INTROSPECTION_AUTH: %w", err)
	}
	cacheSeconds, err := strconv.ParseUint(cmp.Or(getenv("INTROSPECTION_CACHE_SECONDS"), "0"), 10, 16)
	cacheTime := time.Duration(cacheSeconds) * time.Second
	if err != nil || cacheTime > maxCacheTime {
		return settings{}, fmt.Errorf("INTROSPECTION_CACHE_SECONDS: not a whole number from 0 to %.0f", maxCacheTime.Seconds())
	}
	return settings{
		secretID:          cmp.Or(getenv("SECRET_ID"), "SOF-HL"),
		introspectionAuth: method,
		cacheTime:         cacheTime,
		rules: rules{
			requiredAudience: getenv("REQUIRED_AUDIENCE"),
			trustedIssuers:   strings.Fields(getenv("TRUSTED_ISSUERS")),
		},
	}, nil
}
