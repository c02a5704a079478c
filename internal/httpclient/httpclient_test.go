package httpclient_test

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"healthlake-smart-on-fhir/internal/httpclient"
)

// Run first: net/http reads these variables once in a process.
func TestNoProxyWhateverTheEnvironmentSays(t *testing.T) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	var connections atomic.Int32
	go func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			conn.Close()
		}
	}()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://"+proxy.Addr().String())
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://idp.invalid/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := httpclient.NewTransport(nil).RoundTrip(request); err == nil {
		t.Errorf("got HTTP status %d from a host that does not exist", response.StatusCode)
	}
	if got := connections.Load(); got != 0 {
		t.Errorf("%d connections to the proxy", got)
	}
}

func TestSendsOnlyWhereTheURLAllows(t *testing.T) {
	body := &closing{Reader: strings.NewReader("token=x")}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://192.0.2.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := httpclient.NewTransport(nil).RoundTrip(request); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("got %v", err)
	}
	if !body.closed {
		t.Error("the request's body is still open")
	}
	if err := httpclient.NewTransport(nil).Open(t.Context(), request.URL); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("opening a connection: got %v", err)
	}
}

type closing struct {
	*strings.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
