package main

import (
	"context"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

const (
	apiKey = "srv_pat_benchmark"
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
	requests  atomic.Int64 // about tokens, all that arrived
	stallNext atomic.Bool  // the next request stalls
	down      atomic.Bool  // no request gets a response
}

// link is one connection.
type link struct {
	net.Conn
	silent atomic.Bool
}

type linkKey struct{}

// claims are those of every token, whether the provider sends them or the token has them.
func claims() idp.Object {
	return sandbox.Claims().With(idp.Object{
		"nbf": sandbox.In(0), "ext": idp.Object{"fhirUser": sandbox.FHIRUser, "patient": sandbox.Patient},
	})
}

// startProvider starts a provider that shows this key set.
func startProvider(how behaviour, keys string) *provider {
	response := claims().With(idp.Object{"active": true, "token_type": "Bearer", "token_use": "access_token"})
	p := &provider{behaviour: how, body: []byte(response.String())}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, keys) })
	mux.HandleFunc("POST /introspect", p.introspect)
	p.Server = httptest.NewUnstartedServer(mux)
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // requests that lost are cut off in the middle
	p.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, linkKey{}, &link{Conn: c})
	}
	if how.handshake > 0 {
		p.Listener = slowListener{p.Listener, how.handshake}
	}
	if how.plain {
		p.Start()
	} else {
		p.StartTLS()
	}
	return p
}

func (p *provider) introspect(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	if r.PostFormValue("token") == "" || r.Header.Get("Authorization") != "Bearer "+apiKey {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	connection, wait := r.Context().Value(linkKey{}).(*link), p.latency
	switch {
	case connection.silent.Load() || p.down.Load():
		wait = time.Hour
	case p.stallNext.CompareAndSwap(true, false) || rand.Float64() < p.stalled:
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

// breakDown lets the provider refuse connections from one time to another, or say nothing.
func (p *provider) breakDown(refuse bool, down, up time.Time) error {
	time.Sleep(time.Until(down))
	if !refuse {
		p.down.Store(true)
		time.Sleep(time.Until(up))
		p.down.Store(false)
		return nil
	}
	address := p.Listener.Addr()
	_ = p.Listener.Close()
	p.CloseClientConnections()
	time.Sleep(time.Until(up))
	again, err := net.Listen(address.Network(), address.String())
	if err == nil {
		p.Listener = again
		go func() { _ = p.Config.Serve(again) }()
	}
	return err
}

// slowListener is of a server that begins to read from each connection after a while.
type slowListener struct {
	net.Listener
	delay time.Duration
}

func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &slowConn{c, l.delay}, err
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
