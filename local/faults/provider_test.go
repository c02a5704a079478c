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
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/sandbox"
)

var (
	unreachable = failed("idp_unreachable")
	timeout     = failed("idp_timeout")
)

// provider returns a row whose fault is the provider's.
func provider(name string, x fault, want string) row {
	return row{fault: name, want: want, stage: func(s *scene) { s.front.strike(x) }}
}

// document returns a row whose secret's document is wrong from the start.
func document(name, want string, change func(*scene)) row {
	return row{fault: name, want: want, cold: true, again: 61 * time.Second, stage: change}
}

// elsewhere returns a row whose deployment has its introspection endpoint where no provider is.
func elsewhere(name, endpoint, want string) row {
	return row{fault: name, want: want, cold: true, deployed: true, stage: func(s *scene) {
		s.Document.AuthEndpointIntrospect, s.Environment.IntrospectionOrigin = endpoint, contract.Origin(endpoint)
	}}
}

func connectionFaults() group {
	const head, length = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", "Content-Length: 16\r\n\r\n"
	const chunked, whole = "Transfer-Encoding: chunked\r\n\r\n", `{"active": true}`
	write := func(text string, then func(net.Conn)) fault {
		return raw(func(c net.Conn) { _, _ = io.WriteString(c, text); then(c) })
	}
	closed := func(net.Conn) {}
	pausedReset := func(c net.Conn) { time.Sleep(20 * time.Millisecond); reset(c) }
	filler := strings.Repeat("0123456789", 100) // 1,000 bytes
	twice := provider("each of 20 denials is followed by a second response, which authorizes",
		write("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"+`{"active":false}`+head+length+whole, hold), denied("inactive"))
	twice.times = 20 // the second one must not be taken for the next request's
	return group{"The connection to the provider", []row{
		provider("refused", fault{refuse: true}, unreachable),
		provider("dropped, as by a security group", fault{drop: true}, timeout),
		provider("closed as soon as it is accepted", fault{conn: closed}, unreachable),
		provider("reset as soon as it is accepted", fault{conn: reset}, unreachable),
		provider("accepted, and nothing more", fault{conn: hold}, timeout),
		provider("reset before the headers", raw(reset), unreachable),
		provider("closed before the headers", raw(closed), unreachable),
		provider("reset within the headers", write(head, pausedReset), unreachable),
		provider("closed within the headers", write(head, closed), unreachable),
		provider("reset after the headers", write(head+length, pausedReset), unreachable),
		provider("closed after the headers", write(head+length, closed), unreachable),
		provider("reset within the body", write(head+length+`{"active"`, pausedReset), unreachable),
		provider("closed within the body", write(head+length+`{"active"`, closed), unreachable),
		provider("closed after a whole object that is shorter than its Content-Length",
			write(head+"Content-Length: 999\r\n\r\n"+sandbox.Active(), closed), unreachable),
		provider("closed within a chunk", write(head+chunked+"99\r\n"+sandbox.Active(), closed), unreachable),
		provider("closed before the last chunk",
			write(head+chunked+fmt.Sprintf("%x\r\n%s\r\n", len(sandbox.Active()), sandbox.Active()), closed), unreachable),
		provider("takes the request and never responds", raw(hold), timeout),
		provider("sends the headers and never a body", write(head+length, hold), timeout),
		provider("sends half of the body and no more", write(head+length+`{"active"`, hold), timeout),
		provider("503, whose body never comes", write("HTTP/1.1 503 Service Unavailable\r\n"+length, hold), failed("idp_status")),
		provider("401, with half of its body and no more",
			write("HTTP/1.1 401 Unauthorized\r\n"+length+`{"error"`, hold), failed("idp_unauthorized")),
		provider("sends a byte a second, headers included", raw(drip(head+length+whole)), timeout),
		provider("sends a byte of the body a second", write(head+length, drip(whole)), timeout),
		provider("sends 10 MB of headers", write(head, flood("X-Filler: "+filler+"\r\n", 10<<20)), unreachable),
		provider("sends 10 MB of interim responses",
			raw(flood("HTTP/1.1 103 Early Hints\r\nX-Filler: "+filler+"\r\n\r\n", 10<<20)), unreachable),
		provider("sends 10 MB of body",
			write(head+"Content-Length: 10485760\r\n\r\n", flood(filler, 10<<20)), failed("idp_too_large")),
		provider("sends chunks without end",
			write(head+chunked, flood("3e8\r\n"+filler+"\r\n", 1<<40)), failed("idp_too_large")),
		provider("responds, but not with HTTP", write("SSH-2.0-OpenSSH_9.6\r\n\r\n", hold), unreachable),
		provider("sends two lengths of the body",
			write(head+"Content-Length: 16\r\nContent-Length: 17\r\n\r\n"+sandbox.Active(), hold), unreachable),
		provider("sends a negative length of the body", write(head+"Content-Length: -1\r\n\r\n"+sandbox.Active(), hold), unreachable),
		twice,
		elsewhere("host name that is not valid", "https://idp..example/introspect", unreachable),
		elsewhere("host name that does not exist", "https://idp.invalid/introspect", unreachable+" or "+timeout),
		elsewhere("address that does not respond", "https://192.0.2.1/introspect", unreachable+" or "+timeout),
	}}
}

func tlsFaults() group {
	with := func(name string, config *tls.Config) row { return provider(name, fault{config: config}, unreachable) }
	leaf := func(name string, template x509.Certificate) row { return with(name, serving(authority(), template)) }
	good, now := x509.Certificate{IPAddresses: here}, time.Now()
	old, mutual := goodTLS().Clone(), goodTLS().Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	mutual.ClientAuth = tls.RequireAnyClientCert
	return group{"TLS", []row{
		leaf("certificate has expired",
			x509.Certificate{IPAddresses: here, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}),
		leaf("certificate is not valid yet",
			x509.Certificate{IPAddresses: here, NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}),
		leaf("certificate is for another host", x509.Certificate{DNSNames: []string{"idp.example.com"}}),
		leaf("certificate names no host", x509.Certificate{}),
		with("certificate is by an unknown authority", serving(newAuthority(), good)),
		with("provider speaks TLS 1.1 at most", old),
		with("provider wants a client certificate", mutual),
		provider("provider speaks no TLS", fault{conn: func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"+`{"active": true}`)
			hold(c)
		}}, unreachable),
		provider("handshake never ends", fault{conn: func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); hold(c) }}, timeout),
	}}
}

func httpFaults() group {
	g := group{"HTTP", redirects("which must not see the credentials", sandbox.Active(), failed("idp_redirect"))}
	for _, x := range []struct {
		code int
		kind string
	}{
		{400, "idp_status"}, {401, "idp_unauthorized"}, {403, "idp_unauthorized"}, {404, "idp_status"}, {429, "idp_status"},
		{500, "idp_status"}, {502, "idp_status"}, {503, "idp_status"}, {504, "idp_status"},
	} {
		g.rows = append(g.rows, provider(status(x.code), says(x.code, "application/json", `{"error":"staged"}`), failed(x.kind)))
	}
	g.rows = append(g.rows,
		provider("500 with a body that authorizes", says(500, "application/json", sandbox.Active()), failed("idp_status")),
		provider("400 with `invalid_client`", says(400, "application/json", `{"error":"invalid_client"}`), failed("idp_unauthorized")),
		provider("400, and a body that never ends", raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n{")
			hold(c)
		}), failed("idp_status")),
		provider("403 with a body that authorizes", says(403, "application/json", sandbox.Active()), failed("idp_unauthorized")),
		provider("201 with a body that authorizes", says(201, "application/json", sandbox.Active()), failed("idp_status")),
		provider("204 without a body", says(204, "application/json", ""), failed("idp_status")),
	)
	return g
}

func status(code int) string { return fmt.Sprintf("%d %s", code, http.StatusText(code)) }

// redirects send the function to another host, which would respond with what authorizes.
func redirects(remark, body, want string) []row {
	var rows []row
	for _, code := range []int{301, 302, 303, 307, 308} {
		rows = append(rows, row{fault: fmt.Sprintf("%d to another host, %s", code, remark), want: want, stage: func(s *scene) {
			s.front.strike(says(code, "text/plain", "", "Location", s.trap(body)))
		}})
	}
	return rows
}

// tailFaults are slow or fail once; the second request must save the call.
func tailFaults() group {
	starting := func(name string, x fault) row {
		r := provider(name, x, authorized)
		r.cold, r.brief = true, true
		return r
	}
	return group{"One request of several", []row{
		provider("first request is reset", first(raw(reset)), authorized),
		provider("first request's connection is closed", first(raw(func(net.Conn) {})), authorized),
		provider("first request gets 502", first(says(502, "", "")), authorized),
		provider("first request gets 503", first(says(503, "", "")), authorized),
		provider("first request gets 504", first(says(504, "", "")), authorized),
		provider("first request gets a response after 2 s", first(late(2*time.Second)), authorized),
		provider("first request never gets a response", first(raw(hold)), authorized),
		provider("first request gets half of a body", first(raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"+`{"active"`)
		})), authorized),
		provider("every request gets a response after 400 ms", late(400*time.Millisecond), authorized),
		provider("every request gets a response after 2 s", late(2*time.Second), timeout),
		starting("connections are refused while the function starts", fault{refuse: true}),
		starting("connections are dropped while the function starts", fault{drop: true}),
		starting("connections get no response while the function starts", fault{conn: hold}),
		starting("requests get no response while the function starts", raw(hold)),
		starting("requests get 500 while the function starts", says(500, "", "")),
	}}
}

// freeze stops the process for a time, in which something happens to the provider's connections.
func freeze(d time.Duration, meanwhile func(*front)) func(*scene) {
	return func(s *scene) {
		frozen := s.Function.Freeze()
		meanwhile(s.front)
		time.Sleep(d)
		if err := errors.Join(frozen, s.Function.Thaw()); err != nil {
			s.t.Error(err)
		}
	}
}

func frozenFaults() group {
	frozen := func(name string, times int, d time.Duration, meanwhile func(*front)) row {
		return row{fault: name, want: authorized, slow: d > 0, times: times, stage: freeze(d, meanwhile)}
	}
	return group{"The stopped process", []row{
		frozen("100 calls, and the connection is closed before each while the process is stopped", 100, 0, (*front).closeConnections),
		frozen("10 calls, and the connection falls silent before each while the process is stopped", 10, 0, (*front).mute),
		frozen("process stopped for a minute, the connection stays", 1, time.Minute, func(*front) {}),
		frozen("process stopped for a minute, the connection is closed", 1, time.Minute, (*front).closeConnections),
		frozen("process stopped for a minute, the connection falls silent", 1, time.Minute, (*front).mute),
		{
			fault: "process stopped for a minute, the connection silent, and Secrets Manager does not respond",
			want:  authorized, slow: true,
			stage: func(s *scene) { s.Secrets.SetFault(silence); freeze(time.Minute, (*front).mute)(s) },
		},
	}}
}
