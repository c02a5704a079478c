package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"healthlake-smart-on-fhir/local/sandbox"
)

const (
	apiKey = "srv_pat_benchmark"
	issuer = "https://idp.example.com/"
)

// provider is an identity provider that finds every token good, as fast as a server can, unless it is told to be slow.
type provider struct {
	server   *http.Server
	url      string
	trusted  string // the path of its certificate
	requests atomic.Int64
}

// slowness is how long an answer waits.
type slowness struct {
	always time.Duration
	stall  time.Duration // of the share of requests that stall, each independent of the others
	share  float64
}

// startProvider serves the introspection endpoint and the keys over TLS on a free port of this machine.
func startProvider(dir string, slow slowness, keys map[string]any) (*provider, error) {
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
	p := &provider{url: "https://127.0.0.1:" + port, trusted: filepath.Join(dir, "provider-"+port+".pem")}
	if err := os.WriteFile(p.trusted, text, 0o600); err != nil {
		return nil, err
	}
	answer := claims()
	answer["active"], answer["token_type"], answer["token_use"] = true, "Bearer", "access_token"
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	keysBody, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(keysBody)
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
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
		_, _ = w.Write(body)
	})
	p.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // requests that lost are cut off in the middle
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.requests.Add(1)
			mux.ServeHTTP(w, r)
		}),
	}
	go func() { _ = p.server.Serve(listener) }() // ends when its subject is closed
	return p, nil
}

// claims are those of every token, whether the provider tells them or the token holds them.
func claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"scope": sandbox.Scope, "client_id": "app", "sub": sandbox.User, "exp": now + 86400, "iat": now, "nbf": now,
		"aud": []string{sandbox.DatastoreEndpoint}, "iss": issuer,
		"ext": map[string]any{"fhirUser": sandbox.FHIRUser, "patient": sandbox.Patient},
	}
}

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
