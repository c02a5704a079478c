//go:build unix

package httpclient

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The check before each use of the kept connection.
func BenchmarkCheck(b *testing.B) {
	for name, p := range benchmarkPeers(b) {
		b.Run(name, func(b *testing.B) {
			transport := NewTransport(p.roots)
			target, err := url.Parse(p.url)
			if err != nil {
				b.Fatal(err)
			}
			c, err := transport.dial(b.Context(), target)
			if err != nil {
				b.Fatal(err)
			}
			c.giveBack()
			b.ReportAllocs()
			for b.Loop() {
				if !c.isUsable(c.idleSince) {
					b.Fatal("the connection is not usable")
				}
			}
		})
	}
}

// A whole exchange, by this transport and by net/http's.
func BenchmarkRoundTrip(b *testing.B) {
	for name, p := range benchmarkPeers(b) {
		theirs := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}}
		for of, transport := range map[string]http.RoundTripper{"ours": NewTransport(p.roots), "net-http": theirs} {
			b.Run(name+"/"+of, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, p.url, strings.NewReader("token"))
					if err != nil {
						b.Fatal(err)
					}
					response, err := transport.RoundTrip(request)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, response.Body); err != nil {
						b.Fatal(err)
					}
					_ = response.Body.Close()
				}
			})
		}
	}
}

func benchmarkPeers(b *testing.B) map[string]*peer {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"active":false}`) })
	plain, encrypted := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	b.Cleanup(plain.Close)
	b.Cleanup(encrypted.Close)
	roots := x509.NewCertPool()
	roots.AddCert(encrypted.Certificate())
	return map[string]*peer{"http": {url: plain.URL}, "https": {url: encrypted.URL, roots: roots}}
}
