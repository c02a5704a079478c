package faults

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
)

var (
	unreachable = []string{failed("idp_unreachable")}
	timeout     = []string{failed("idp_timeout")}
)

// provider returns a row whose fault is the provider's.
func provider(name string, x fault, want ...string) row {
	return row{fault: name, want: want, strike: func(s *scene) { s.front.strike(x) }}
}

// elsewhere returns a row whose deployment has its introspection endpoint where no provider is.
func elsewhere(name, endpoint string, want ...string) row {
	return row{
		fault: name, want: want, cold: true, stays: true, slow: true,
		before: func(s *scene, env map[string]string) {
			s.Document.AuthEndpointIntrospect, env["INTROSPECTION_ORIGIN"] = endpoint, contract.Origin(endpoint)
		},
	}
}

func connectionFaults() group {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	write := func(text string, then func(net.Conn)) fault {
		return fault{answer: raw(func(c net.Conn) { _, _ = io.WriteString(c, text); then(c) })}
	}
	nothing := func(net.Conn) {}
	pause := func(then func(net.Conn)) func(net.Conn) {
		return func(c net.Conn) { time.Sleep(20 * time.Millisecond); then(c) }
	}
	return group{"The connection to the provider", []row{
		provider("refused", fault{refuse: true}, unreachable...),
		provider("closed as soon as it is accepted", fault{conn: func(c net.Conn) { _ = c.Close() }}, unreachable...),
		provider("reset as soon as it is accepted", fault{conn: reset}, unreachable...),
		provider("accepted, and nothing more", fault{conn: func(c net.Conn) { hold(c); _ = c.Close() }}, timeout...),
		provider("reset before the headers", fault{answer: raw(reset)}, unreachable...),
		provider("closed before the headers", fault{answer: raw(nothing)}, unreachable...),
		provider("reset amid the headers", write(head, pause(reset)), unreachable...),
		provider("closed amid the headers", write(head, nothing), unreachable...),
		provider("reset after the headers", write(head+"Content-Length: 16\r\n\r\n", pause(reset)), unreachable...),
		provider("closed after the headers", write(head+"Content-Length: 16\r\n\r\n", nothing), unreachable...),
		provider("reset amid the body", write(head+"Content-Length: 16\r\n\r\n"+`{"active"`, pause(reset)), unreachable...),
		provider("closed amid the body", write(head+"Content-Length: 16\r\n\r\n"+`{"active"`, nothing), unreachable...),
		provider("closed after a whole object that is shorter than it said",
			write(head+"Content-Length: 999\r\n\r\n"+active(), nothing), unreachable...),
		provider("closed amid a chunk", write(head+"Transfer-Encoding: chunked\r\n\r\n99\r\n"+active(), nothing),
			unreachable...),
		provider("closed before the last chunk",
			write(head+fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(active()), active()), nothing),
			unreachable...),
		provider("takes the request and never answers", fault{answer: raw(hold)}, timeout...),
		provider("sends the headers and never a body", write(head+"Content-Length: 16\r\n\r\n", hold), timeout...),
		provider("sends half of the body and no more", write(head+"Content-Length: 16\r\n\r\n"+`{"active"`, hold), timeout...),
		provider("sends a byte a second, from the headers on",
			fault{answer: raw(func(c net.Conn) { drip(c, head+"Content-Length: 16\r\n\r\n"+`{"active": true}`) })}, timeout...),
		provider("sends a byte of the body a second",
			write(head+"Content-Length: 16\r\n\r\n", func(c net.Conn) { drip(c, `{"active": true}`) }), timeout...),
		provider("sends 10 MB of headers", write(head, func(c net.Conn) { flood(c, "X-Filler: "+filler+"\r\n", 10<<20) }),
			unreachable...),
		provider("sends 10 MB of interim answers",
			write("", func(c net.Conn) { flood(c, "HTTP/1.1 103 Early Hints\r\nX-Filler: "+filler+"\r\n\r\n", 10<<20) }),
			unreachable...),
		provider("sends 10 MB of body",
			write(head+"Content-Length: 10485760\r\n\r\n", func(c net.Conn) { flood(c, filler, 10<<20) }),
			failed("idp_too_large")),
		provider("sends chunks without end",
			write(head+"Transfer-Encoding: chunked\r\n\r\n", func(c net.Conn) { flood(c, "3e8\r\n"+filler+"\r\n", 1<<40) }),
			failed("idp_too_large")),
		provider("answers with what is not HTTP", write("SSH-2.0-OpenSSH_9.6\r\n\r\n", hold), unreachable...),
		provider("states two lengths of the body",
			write(head+"Content-Length: 16\r\nContent-Length: 17\r\n\r\n"+active(), hold), unreachable...),
		provider("states a negative length of the body", write(head+"Content-Length: -1\r\n\r\n"+active(), hold),
			unreachable...),
		smuggled(),
		elsewhere("host name that cannot exist", "https://idp..example/introspect", unreachable...),
		elsewhere("host name that does not exist", "https://idp.invalid/introspect", append(unreachable, timeout...)...),
		elsewhere("address where nobody answers", "https://192.0.2.1/introspect", append(unreachable, timeout...)...),
	}}
}

// smuggled is a provider that sends one answer too many, which is not to be taken for the next request's.
func smuggled() row {
	two := fault{answer: func(_ int, w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // HTTP/1.1 connections can be taken over
		}
		defer c.Close()
		text := ""
		for _, body := range []string{`{"active":false}`, active()} {
			text += fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
		_, _ = io.WriteString(c, text)
		hold(c)
		return true
	}}
	r := provider("each of 20 denials is followed by an answer that nobody asked for and that authorizes", two,
		denied("inactive"))
	r.times = 20
	return r
}

// filler has 1,000 bytes.
var filler = strings.Repeat("0123456789", 100)

func tlsFaults() group {
	with := func(name string, config func(*front) *tls.Config) row {
		return row{fault: name, want: unreachable, strike: func(s *scene) { s.front.strike(fault{config: config(s.front)}) }}
	}
	leaf := func(name string, template x509.Certificate) row {
		return with(name, func(f *front) *tls.Config { return serving(f.ca, template) })
	}
	here := []net.IP{net.IPv4(127, 0, 0, 1)}
	now := time.Now()
	return group{"TLS", []row{
		leaf("certificate has expired",
			x509.Certificate{IPAddresses: here, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}),
		leaf("certificate is not valid yet",
			x509.Certificate{IPAddresses: here, NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}),
		leaf("certificate is for another host", x509.Certificate{DNSNames: []string{"idp.example.com"}}),
		leaf("certificate names no host", x509.Certificate{}),
		with("certificate is by an authority that nobody knows", func(*front) *tls.Config {
			stranger, err := newAuthority()
			if err != nil {
				panic(err) // no randomness
			}
			return serving(stranger, x509.Certificate{IPAddresses: here})
		}),
		with("provider speaks TLS 1.1 at most", func(f *front) *tls.Config {
			config := f.good.Clone()
			config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return config
		}),
		with("provider wants a client certificate", func(f *front) *tls.Config {
			config := f.good.Clone()
			config.ClientAuth = tls.RequireAnyClientCert
			return config
		}),
		provider("provider speaks no TLS", fault{conn: func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"+`{"active": true}`)
			hold(c)
			_ = c.Close()
		}}, unreachable...),
		provider("handshake never ends", fault{conn: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			hold(c)
			_ = c.Close()
		}}, timeout...),
	}}
}

func serving(a authority, template x509.Certificate) *tls.Config {
	certificate, err := a.issue(template)
	if err != nil {
		panic(err) // no randomness
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}}
}

func httpFaults() group {
	rows := []row{}
	for _, code := range redirects {
		name := fmt.Sprintf("%d to another host, which is not to see the credentials", code)
		rows = append(rows, redirect(name, code, active(), failed("idp_redirect")))
	}
	for _, code := range []int{400, 401, 403, 404, 429, 500, 502, 503, 504} {
		kind := failed("idp_status")
		if code == 401 || code == 403 {
			kind = failed("idp_unauthorized")
		}
		name := fmt.Sprintf("%d %s", code, http.StatusText(code))
		rows = append(rows, provider(name, status(code, `{"error":"staged"}`), kind))
	}
	return group{"HTTP", append(rows,
		provider("500 with a body that authorizes", status(500, active()), failed("idp_status")),
		provider("403 with a body that authorizes", status(403, active()), failed("idp_unauthorized")),
		provider("201 with a body that authorizes", status(201, active()), failed("idp_status")),
		provider("204 without a body", status(204, ""), failed("idp_status")),
	)}
}

// status answers with a status and a body.
func status(code int, body string) fault {
	return fault{answer: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		return true
	}}
}

var redirects = []int{301, 302, 303, 307, 308}

// redirect sends the function to another host, which answers with body what would authorize.
func redirect(name string, code int, body, want string) row {
	var other *trap
	r := row{fault: name, want: []string{want}}
	r.strike = func(s *scene) {
		other = s.trap(body)
		s.front.strike(fault{answer: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", other.front.url())
			w.WriteHeader(code)
			return true
		}})
	}
	r.after = func(*scene) error { return other.close() }
	return r
}

// trap is a host that the function trusts as it does the provider, and that it is not to ask.
type trap struct {
	front *front
	asked atomic.Int32
}

// trap starts one that answers with body.
func (s *scene) trap(body string) *trap {
	other := new(trap)
	var err error
	if other.front, err = newFront(s.IDP.IntrospectURL()); err != nil {
		panic(err) // a loopback port is free
	}
	certificate, err := s.front.ca.issue(x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		panic(err) // no randomness
	}
	other.front.strike(fault{
		config: &tls.Config{Certificates: []tls.Certificate{certificate}},
		answer: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			other.asked.Add(1)
			_, _ = io.WriteString(w, body)
			return true
		},
	})
	return other
}

// close ends it and complains if it was asked.
func (t *trap) close() error {
	t.front.close()
	if t.asked.Load() > 0 {
		return errors.New("another host than the provider was asked")
	}
	return nil
}

// tailFaults meet the first request alone: the second is to save the call.
func tailFaults() group {
	first := func(name string, x answer) row {
		return provider(name, fault{answer: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return n == 1 && x(n, w, r)
		}}, authorized)
	}
	starting := func(name string, x fault) row {
		return row{
			fault: name, want: []string{authorized}, cold: true,
			before: func(s *scene, _ map[string]string) { s.front.strike(x) },
			strike: func(s *scene) { s.front.strike(fault{}) },
		}
	}
	return group{"One request of several", []row{
		first("first request is reset", raw(reset)),
		first("first request's connection is closed", raw(func(net.Conn) {})),
		first("first request is answered 502", status(502, "").answer),
		first("first request is answered 503", status(503, "").answer),
		first("first request is answered 504", status(504, "").answer),
		first("first request is answered after 2 s", late(2*time.Second)),
		first("first request is never answered", raw(hold)),
		first("first request gets half of a body", raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"+`{"active"`)
		})),
		provider("every request is answered after 400 ms", fault{answer: late(400 * time.Millisecond)}, authorized),
		provider("every request is answered after 2 s", fault{answer: late(2 * time.Second)}, timeout...),
		starting("connections are refused while the function starts", fault{refuse: true}),
		starting("connections get no answer while the function starts",
			fault{conn: func(c net.Conn) { hold(c); _ = c.Close() }}),
		starting("requests get no answer while the function starts", fault{answer: raw(hold)}),
		starting("requests are answered 500 while the function starts", status(500, "")),
	}}
}

// late passes every request on, but only after d.
func late(d time.Duration) answer {
	return func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		return false
	}
}

// freeze stops the process for a time, in which something happens to the provider.
func (s *scene) freeze(d time.Duration, meanwhile func(*front)) {
	if err := s.Function.Freeze(); err != nil {
		panic(err) // the process is there
	}
	meanwhile(s.front)
	time.Sleep(d)
	if err := s.Function.Thaw(); err != nil {
		panic(err) // the process is there
	}
}

func frozenFaults() group {
	frozen := func(name string, d time.Duration, meanwhile func(*front)) row {
		return row{
			fault: name, want: []string{authorized}, slow: d > 0,
			strike: func(s *scene) { s.freeze(d, meanwhile) },
		}
	}
	hundred := frozen("100 calls, and the connection is closed before each while the process is stopped", 0,
		(*front).closeConnections)
	hundred.times = 100
	mute := frozen("10 calls, and the connection falls silent before each while the process is stopped", 0, (*front).mute)
	mute.times = 10
	stopped := time.Minute
	both := frozen("process stopped for a minute, the connection silent, and Secrets Manager takes 5 s", stopped,
		(*front).mute)
	freeze := both.strike
	both.strike = func(s *scene) { s.Secrets.SetFault(slowSecrets); freeze(s) }
	rows := []row{
		hundred, mute,
		frozen("process stopped for a minute, the connection stays", stopped, func(*front) {}),
		frozen("process stopped for a minute, the connection is closed", stopped, (*front).closeConnections),
		frozen("process stopped for a minute, the connection falls silent", stopped, (*front).mute),
		both,
	}
	return group{"The stopped process", rows}
}
