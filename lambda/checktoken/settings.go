package main

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"errors"
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
	validation        string // where claims come from: one of the validation constants
	introspectionAuth introspect.Method
	cacheTime         time.Duration  // 0: every call asks the provider
	issuer, keysURL   string         // whose tokens are verified, by which keys; empty with introspection
	roots             *x509.CertPool // nil: the system's
	rules             authorize.Rules
}

// The values of TOKEN_VALIDATION.
const (
	validationIntrospection = "introspection"
	validationJWT           = "jwt"
)

// maxCacheTime is how long a revoked token may work on at the most.
const maxCacheTime = 300 * time.Second

// readSettings reads the environment through getenv. The error names the variable.
func readSettings(getenv func(string) string) (settings, error) {
	s := settings{
		secretID:   cmp.Or(getenv("SECRET_ID"), "SOF-HL"),
		validation: cmp.Or(getenv("TOKEN_VALIDATION"), validationIntrospection),
		issuer:     getenv("AUTH_ISSUER"),
		keysURL:    getenv("AUTH_ENDPOINT_JWKS"),
		rules: authorize.Rules{
			RequiredAudience: strings.Fields(getenv("REQUIRED_AUDIENCE")),
			TrustedIssuers:   strings.Fields(getenv("TRUSTED_ISSUERS")),
			RequiredScopes:   strings.Fields(getenv("REQUIRED_SCOPE")),
		},
	}
	switch s.validation {
	case validationIntrospection:
	case validationJWT:
		// A key signs for every audience that its provider serves, and the issuer tells providers apart that share keys.
		for _, name := range []string{"AUTH_ISSUER", "AUTH_ENDPOINT_JWKS", "REQUIRED_AUDIENCE"} {
			if getenv(name) == "" {
				return settings{}, fmt.Errorf("%s: needed where TOKEN_VALIDATION is %s", name, validationJWT)
			}
		}
	default:
		return settings{}, fmt.Errorf("TOKEN_VALIDATION: neither %s nor %s", validationIntrospection, validationJWT)
	}

	var err error
	if s.introspectionAuth, err = introspect.ParseMethod(getenv("INTROSPECTION_AUTH")); err != nil {
		return settings{}, fmt.Errorf("INTROSPECTION_AUTH: %w", err)
	}
	seconds, err := strconv.ParseUint(cmp.Or(getenv("INTROSPECTION_CACHE_SECONDS"), "0"), 10, 16)
	s.cacheTime = time.Duration(seconds) * time.Second
	if err != nil || s.cacheTime > maxCacheTime {
		return settings{}, fmt.Errorf("INTROSPECTION_CACHE_SECONDS: not a whole number from 0 to %.0f", maxCacheTime.Seconds())
	}
	if names := getenv("CLAIM_NAMES"); names != "" {
		if err := json.Unmarshal([]byte(names), &s.rules.ClaimNames); err != nil {
			return settings{}, errors.New("CLAIM_NAMES: not a JSON object of strings")
		}
	}
	if s.roots, err = readRoots(getenv("AUTH_CA_BUNDLE"), getenv("LAMBDA_TASK_ROOT")); err != nil {
		return settings{}, fmt.Errorf("AUTH_CA_BUNDLE: %w", err)
	}
	return s, nil
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
