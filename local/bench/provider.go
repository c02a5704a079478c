package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const apiKey = "srv_pat_benchmark"

// provider is an identity provider that finds every token good, as fast as a server can, unless it is told to be slow.
type provider struct {
	server  *http.Server
	url     string
	trusted string // the path of its certificate
}

// slowness is how long an answer waits.
type slowness struct {
	always time.Duration
	stall  time.Duration // of the share of requests that stall, each independent of the others
	share  float64
}

// startProvider serves the introspection endpoint over TLS on a free port of this machine.
func startProvider(dir string, slow slowness) (*provider, error) {
	certificate, text, err := selfSigned()
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	p := &provider{url: "https://127.0.0.1:" + port + "/introspect", trusted: filepath.Join(dir, "provider-"+port+".pem")}
	if err := os.WriteFile(p.trusted, text, 0o600); err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	body := fmt.Sprintf(`{"active":true,"scope":"patient/Observation.rs?category=laboratory&status=final offline_access",`+
		`"client_id":"app","sub":"user-4711","exp":%d,"iat":%d,"nbf":%d,"aud":["https://healthlake.example.com/r4/"],`+
		`"iss":"https://idp.example.com/","token_type":"Bearer","token_use":"access_token",`+
		`"ext":{"fhirUser":"Practitioner/dr-4712","patient":"patient-4713"}}`, now+86400, now, now)
	p.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // requests that lost are cut off in the middle
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("token") == "" || r.Header.Get("Authorization") != "Bearer "+apiKey {
				http.Error(w, "refused", http.StatusUnauthorized)
				return
			}
			wait := slow.always
			if slow.share > 0 && rand.Float64() < slow.share {
				wait += slow.stall
			}
			if wait > 0 {
				select {
				case <-time.After(wait):
				case <-r.Context().Done():
					return
				}
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}),
	}
	go func() { _ = p.server.Serve(listener) }() // ends with close
	return p, nil
}

func (p *provider) close() { _ = p.server.Close() }

func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
