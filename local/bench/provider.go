package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"healthlake-smart-on-fhir/local/sandbox"
)

const (
	apiKey = "srv_pat_benchmark"
	issuer = "https://idp.example.com/"
	// stallTime is how long a request waits that stalls.
	stallTime = 2 * time.Second
)

// behaviour is what a provider does that is not as fast and as reliable as can be.
type behaviour struct {
	plain     bool          // HTTP in place of HTTPS
	handshake time.Duration // before it says anything on a new connection
	latency   time.Duration // before each response
	stalled   float64       // share of requests that wait for stallTime, each independent of the others
	closed    float64       // share of responses after which it closes the connection a moment later
	silent    float64       // share of responses after which it never says anything on the connection again
}

// provider finds every token good.
type provider struct {
	*httptest.Server
	behaviour
	body      []byte
	requests  atomic.Int64 // all that arrived
	stallNext atomic.Bool  // the next request stalls
	down      atomic.Bool  // no request is responded to
}

// link is one connection.
type link struct {
	net.Conn
	silent atomic.Bool
}

type linkKey struct{}

// claims are those of every token, whether the provider sends them or the token has them.
func claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"scope": sandbox.Scope, "client_id": "app", "sub": sandbox.User, "exp": now + 86400, "iat": now, "nbf": now,
		"aud": []string{sandbox.DatastoreEndpoint}, "iss": issuer,
		"ext": map[string]any{"fhirUser": sandbox.FHIRUser, "patient": sandbox.Patient},
	}
}

// startProvider starts a provider that shows this key set.
func startProvider(b behaviour, keys string) (*provider, error) {
	response := claims()
	response["active"], response["token_type"], response["token_use"] = true, "Bearer", "access_token"
	body, err := json.Marshal(response)
	if err != nil {
		return nil, err
	}
	p := &provider{behaviour: b, body: body}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.requests.Add(1)
		_, _ = io.WriteString(w, keys)
	})
	mux.HandleFunc("POST /introspect", p.introspect)
	p.Server = httptest.NewUnstartedServer(mux)
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // requests that lost are cut off in the middle
	p.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, linkKey{}, &link{Conn: c})
	}
	if b.handshake > 0 {
		p.Listener = slowListener{p.Listener, b.handshake}
	}
	if b.plain {
		p.Start()
	} else {
		p.StartTLS()
	}
	return p, nil
}

func (p *provider) introspect(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	if r.PostFormValue("token") == "" || r.Header.Get("Authorization") != "Bearer "+apiKey {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	connection := r.Context().Value(linkKey{}).(*link)
	wait := p.latency
	switch {
	case connection.silent.Load() || p.down.Load():
		wait = time.Hour
	case p.stallNext.CompareAndSwap(true, false) || p.stalled > 0 && rand.Float64() < p.stalled:
		wait += stallTime
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.body)
	switch fate := rand.Float64(); {
	case fate < p.closed:
		time.AfterFunc(frozenTime/3, func() { _ = connection.Close() })
	case fate < p.closed+p.silent:
		connection.silent.Store(true)
	}
}

// refuse closes all connections and refuses new ones, until the function that it returns is called.
func (p *provider) refuse() (end func() error, err error) {
	address := p.Listener.Addr()
	if err := p.Listener.Close(); err != nil {
		return nil, err
	}
	p.CloseClientConnections()
	return func() error {
		again, err := net.Listen(address.Network(), address.String())
		if err == nil {
			p.Listener = again
			go func() { _ = p.Config.Serve(again) }()
		}
		return err
	}, nil
}

// slowListener is of a server that begins to read from each connection after a while.
type slowListener struct {
	net.Listener
	delay time.Duration
}

func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &slowConn{Conn: c, delay: l.delay}, err
}

type slowConn struct {
	net.Conn
	delay time.Duration
}

func (c *slowConn) Read(p []byte) (int, error) {
	time.Sleep(c.delay)
	c.delay = 0
	return c.Conn.Read(p)
}
