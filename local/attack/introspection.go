package main

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/sandbox"
)

// attackBodies are responses of the provider that are no introspection response that authorizes (RFC 7662 section 2.2).
func attackBodies(g *group) {
	s := start(nil)
	defer s.Stop()
	kind, good := "application/json", sandbox.Active()
	g.good = func() (bool, bool) { return send(s, must(s.Token(context.Background(), "valid"))) }
	g.call = func(body string) (bool, bool) {
		s.IDP.SetFault(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		})
		defer s.IDP.SetFault(nil)
		return send(s, "made-up")
	}
	names, claims := unusable()
	for n, list := range claims {
		g.try(names[n], "", each(list, func(o object) string { return sandbox.Active(o) })...)
	}
	g.try("active missing, or under a name like it", "", fill(`{"%":true,"isAuthorized":true}`, "", "Active", "ACTIVE", " active", "аctive", `active\u0000`, "data.active")...)
	g.try("a name twice", "", also(`{"active":false}`, `"active":true`), also(good, `"active":true`), also(good, `"active":false`),
		also(`{"active":false}`, `"\u0061ctive":true`), also(good, `"exp":1`), also(good, `"x":{"a":1,"a":2}`), also(good, `"sc\u006fpe":"user/*.*"`))
	g.try("active within something else", "", "["+good+"]", `{"data":`+good+`}`, `{"active":`+good+`}`, `{"active":false,"ext":`+good+`}`,
		strconv.Quote(good), "true", "1", "null", `"active"`, `{"active":false,"authPayload":{"isAuthorized":true},"isAuthorized":true}`)
	g.try("something before it", "", fill("%"+good, "\ufeff", "\x00", ")]}',\n", "while(1);", "/**/", "<html>", "callback(", "{}", `{"active":false}`, ",", "\v", "\u00a0")...)
	g.try("something after it", "", fill(good+"%", "garbage", "\x00", "}", "]", ",", ")", "/**/", "{}", `{"active":false}`, "\n"+good, "</html>", "\ufeff")...)
	var cut []string
	for i := range good {
		cut = append(cut, good[:i])
	}
	g.try("truncated", "", cut...)
	g.try("huge, deep, many names", "", sandbox.Active(object{"x": strings.Repeat("x", 64<<10)}), strings.Repeat(" ", 64<<10)+good, good+strings.Repeat(" ", 9<<20),
		also(good, `"x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)), also(good, manyNames()))
	g.try("another format", "", "", "active=true", "active: true", "<active>true</active>", "<!DOCTYPE html><html><body>active: true</body></html>",
		"{'active':true}", "{active:true}", `{"active":true,}`, `{"active":True}`, `{"active":true//`+"\n}", "\xff\xfe{\x00}\x00", "{\"active\":true,\"x\":\"\xff\"}",
		sandbox.Stranger().Token(object{"typ": "token-introspection+jwt"}, object{"token_introspection": object{"active": true}}))
	kind = "text/html"
	g.try("another Content-Type", "the body is read as strict JSON, whatever it is called", good)
}

// manyNames are 600 members.
func manyNames() string {
	var members []string
	for i := range 600 {
		members = append(members, strconv.Quote(strconv.Itoa(i))+":0")
	}
	return strings.Join(members, ",")
}

// answer is a whole HTTP response.
func answer(status, body string, headers ...string) string {
	return "HTTP/1.1 " + status + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n" + body
}

// attackFraming are responses that authorize only for who reads HTTP in another way than RFC 9112 has it.
func attackFraming(g *group) {
	s := start(nil)
	defer s.Stop()
	g.good = func() (bool, bool) { return send(s, must(s.Token(context.Background(), "valid"))) }
	g.call = func(response string) (authorized, failed bool) {
		s.IDP.SetFault(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(must(c, err), response)
			time.AfterFunc(30*time.Millisecond, func() { _ = c.Close() })
		})
		authorized, failed = send(s, "made-up")
		s.IDP.SetFault(nil)
		next, _ := send(s, "made-up") // nor must the next token profit
		return authorized || next, failed
	}
	trap := start(nil)
	defer trap.Stop()
	trap.IDP.SetFault(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, sandbox.Active()) })
	good, bad, n := sandbox.Active(), answer("200 OK", `{"active":false}`), strconv.Itoa(len(sandbox.Active()))
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	hex := strconv.FormatInt(int64(len(good)), 16)
	var redirects, statuses, cut []string
	for code := 201; code < 600; code++ {
		if code < 300 || code > 399 {
			statuses = append(statuses, answer(strconv.Itoa(code)+" OK", good))
		} else if code < 310 {
			redirects = append(redirects, answer(strconv.Itoa(code)+" Moved", good, "Location: "+trap.Document.AuthEndpointIntrospect))
		}
	}
	for i := range answer("200 OK", good) {
		cut = append(cut, answer("200 OK", good)[:i])
	}
	g.try("redirect to a host that authorizes", "", redirects...)
	g.try("a status from 201 to 599", "", statuses...)
	g.try("interim responses with a body, and a denial", "", answer("100 Continue", good)+bad, answer("102 Processing", good)+bad, answer("103 Early Hints", good)+bad,
		answer("103 Early Hints", "")+bad, answer("101 Switching Protocols", good), answer("199 X", good)+bad, answer("099 X", good))
	g.try("cut off", "", cut...)
	g.try("Content-Length that is wrong", "", fill(ok+"Content-Length: %\r\n\r\n"+good, "-1", "+"+n, "0x"+hex, n+"0", "0", "1", n+", 9", n+" "+n, "", "x", "1e2", "18446744073709551615", n+"\r\nContent-Length: 1")...)
	g.try("chunks that are wrong", "", fill(chunked+"%\r\n"+good+"\r\n0\r\n\r\n", "x", "-"+hex, "+"+hex, "0x"+hex, "1"+strings.Repeat("0", 16)+hex, hex+"0", "0", "", " ", hex+"\r", "1")...)
	g.try("chunks without an end", "", chunked+hex+"\r\n"+good, chunked+hex+"\r\n"+good+"\r\n", chunked+hex+"\r\n"+good+"0\r\n\r\n", chunked+hex+"\r\n"+good+"\r\n1\r\n\r\n")
	g.try("Transfer-Encoding that is unknown", "", fill(ok+"Transfer-Encoding: %\r\n\r\n"+hex+"\r\n"+good+"\r\n0\r\n\r\n", "xchunked", "chunked, identity", "gzip", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked", "\vchunked")...)
	g.try("a second response in one write", "", fill(bad+"%"+answer("200 OK", good), "", "\r\n", "x", "HTTP/1.1 103 X\r\n\r\n")...)
	g.try("a response within a header", "", answer("500 X\rHTTP/1.1 200 OK", good), answer("500 X\nHTTP/1.1 200 OK", good), answer("401 HTTP/1.1 200 OK", good),
		answer("500 X", "", "X: \n\n"+good), answer("200 OK", `{"active":false}`, "X: a\rContent-Length: "+n, "", good), ok+"X: "+good+"\r\n\r\n", ok+"Content-Length\x00: "+n+"\r\n\r\n"+good)
	g.try("HTTP/0.9, and no HTTP", "", append(fill("%\r\n\r\n"+good, "HTTP/0.9", "200 OK", "ICY 200 OK", "HTTP 200 OK", "http/1.1 200 OK", "HTTP/1.1 2 00",
		"HTTP/1.1 +200 OK", "HTTP/1.1 0200 OK", "HTTP/1.1 2000 OK", "SIP/2.0 200 OK"), good, "\x00"+answer("200 OK", good))...)
	g.try("33 KB of headers, compressed", "", answer("200 OK", good, "X: "+strings.Repeat("x", 33<<10)), answer("200 OK", "\x1f\x8b\x08\x00"+good, "Content-Encoding: gzip"))
}
