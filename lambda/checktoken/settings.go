package main

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/authorize"
	"healthlake-smart-on-fhir/internal/introspect"
)

// settings are what the deployment fixes: they come from the function's environment and do not change while it runs. What
// may change without a deployment is in the secret.
type settings struct {
	secretID          string
	introspectionAuth introspect.Method
	cacheTime         time.Duration  // 0: every call asks the provider
	roots             *x509.CertPool // nil: the system's
	rules             authorize.Rules
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
	roots, err := readRoots(getenv("AUTH_CA_BUNDLE"), getenv("LAMBDA_TASK_ROOT"))
	if err != nil {
		return settings{}, fmt.Errorf("AUTH_CA_BUNDLE: %w", err)
	}
	return settings{
		secretID:          cmp.Or(getenv("SECRET_ID"), "SOF-HL"),
		introspectionAuth: method,
		cacheTime:         cacheTime,
		roots:             roots,
		rules: authorize.Rules{
			RequiredAudience: getenv("REQUIRED_AUDIENCE"),
			TrustedIssuers:   strings.Fields(getenv("TRUSTED_ISSUERS")),
		},
	}, nil
}

// readRoots reads the certificates that the provider's is checked against in place of the system's: a provider behind a
// private authority has no reason to show a public one. path is a PEM file in the function's package; "" is none.
func readRoots(path, packageRoot string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(filepath.Join(packageRoot, path))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return roots, nil
}
