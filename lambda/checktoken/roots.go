package main

import (
	"crypto/x509"
	"os"
	"path/filepath"

	"healthlake-smart-on-fhir/internal/httpclient"
)

// systemBundle is where Lambda's image, Amazon Linux 2023, has the authorities that it trusts.
const systemBundle = "/etc/pki/tls/certs/ca-bundle.crt"

// readOneBundle makes crypto/x509 read the system's authorities once. By itself it reads the bundle and then every file of two
// directories, which hold the same bundle again, and parsing it is most of what a start computes. Settings that are there stay.
func readOneBundle(bundle string) {
	if os.Getenv("SSL_CERT_FILE") != "" || os.Getenv("SSL_CERT_DIR") != "" {
		return
	}
	if _, err := os.Stat(bundle); err == nil {
		os.Setenv("SSL_CERT_FILE", bundle)
		os.Setenv("SSL_CERT_DIR", os.DevNull) // no directory, so there is nothing to read
	}
}

// readRoots reads the certificates that the provider's is checked against in place of the system's: a provider behind a
// private authority has no reason to show a public one. path is a PEM file in the function's package; "" is none.
func readRoots(path, packageRoot string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	return httpclient.ReadRoots(filepath.Join(packageRoot, path))
}
