package faults

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

type object = idp.Object

func encoded(value any) string { return string(must(json.Marshal(value))) }

// nested is an array in an array and so on.
func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

func utf16(text string) string {
	wide := "\xff\xfe"
	for i := range len(text) {
		wide += text[i:i+1] + "\x00"
	}
	return wide
}

// zipped responds with a compressed body, which has so many megabytes of white space at its end.
func zipped(text string, megabytes int) fault {
	var b bytes.Buffer
	w := must(gzip.NewWriterLevel(&b, gzip.BestSpeed))
	_ = must(io.WriteString(w, text))
	for filler := bytes.Repeat([]byte(" "), 1<<20); megabytes > 0; megabytes-- {
		_ = must(w.Write(filler))
	}
	_ = w.Close()
	return says(200, "application/json", b.String(), "Content-Encoding", "gzip")
}

func bodyFaults() group {
	const json, html = "application/json", "text/html"
	malformed, inactive, large := failed("idp_malformed"), denied("inactive"), failed("idp_too_large")
	wrong, notAccess := denied("malformed_claim"), denied("not_an_access_token")
	names := object{}
	for i := range 10000 {
		names[fmt.Sprintf("claim%d", i)] = i
	}
	g := group{title: "The provider's response"}
	for _, x := range []struct{ name, contentType, body, want string }{
		{"a page of HTML", html, "<!DOCTYPE html><html><body>Sign in</body></html>", malformed},
		{"empty", json, "", malformed},
		{"white space", json, " \r\n\t", malformed},
		{"`null`", json, "null", malformed},
		{"`true`", json, "true", malformed},
		{"an array of one object that authorizes", json, "[" + sandbox.Active() + "]", malformed},
		{"a string with an object in it that authorizes", json, encoded(sandbox.Active()), malformed},
		{"two objects, of which the first authorizes", json, sandbox.Active() + `{"active":false}`, malformed},
		{"two objects, of which the second authorizes", json, `{"active":false}` + sandbox.Active(), malformed},
		{"an object and garbage after it", json, sandbox.Active() + "garbage", malformed},
		{"half of an object", json, sandbox.Active()[:20], malformed},
		{"a comment before the object", json, "/* */" + sandbox.Active(), malformed},
		{"a comma too many", json, strings.TrimSuffix(sandbox.Active(), "}") + ",}", malformed},
		{"`active` twice, `false` first", json, `{"active":false,"active":true}`, malformed},
		{"`active` twice, `true` first", json, `{"active":true,"active":false}`, malformed},
		{"`active` twice, once spelled with an escape", json, `{"active":false,"\u0061ctive":true}`, malformed},
		{"a name twice in an object within", json, `{"active":true,"ext":{"patient":"1","patient":"2"}}`, malformed},
		{"`active` is missing", json, `{"scope":"system/*.*","isAuthorized":true}`, inactive},
		{"`Active` instead of `active`", json, `{"Active":true}`, inactive},
		{"`ACTIVE` is true and `active` false", json, `{"ACTIVE":true,"active":false}`, inactive},
		{"`active` is true one level too deep", json, `{"data":{"active":true}}`, inactive},
		{"`active` is false and `isAuthorized` true", json,
			`{"active":false,"isAuthorized":true,"authPayload":{"isAuthorized":true}}`, inactive},
		{"nested 30,000 levels deep", json, `{"active":true,"x":` + nested(30000) + "}", malformed},
		{"nested 40 levels deep", json, `{"active":true,"x":` + nested(40) + "}", malformed},
		{"nested without an end", json, `{"active":true,"x":` + strings.Repeat(`{"x":`, 10000), malformed},
		{"a string that is not UTF-8", json, "{\"active\":true,\"sub\":\"\xff\xfe\"}", malformed},
		{"a name that is not UTF-8", json, "{\"active\":true,\"\xff\":1}", malformed},
		{"a surrogate without its other half", json, fmt.Sprintf(`{"active":true,"exp":%d,"sub":"\ud800"}`, sandbox.In(time.Hour)), authorized},
		{"NUL bytes", json, strings.Repeat("\x00", 1000), malformed},
		{"a NUL byte within a string", json, "{\"active\":true,\"sub\":\"a\x00b\"}", malformed},
		{"a byte order mark before the object", json, "\ufeff" + sandbox.Active(), malformed},
		{"UTF-16", json + "; charset=utf-16", utf16(sandbox.Active()), malformed},
		{"Latin-1", json + "; charset=iso-8859-1", "{\"active\":true,\"sub\":\"J\xfcrgen\"}", malformed},
		{"UTF-8 that calls itself UTF-16", json + "; charset=utf-16", sandbox.Active(), authorized},
		{"an object that calls itself HTML", html, sandbox.Active(), authorized},
		{"70 KB that authorize", json, sandbox.Active(object{"x": strings.Repeat("a", 70<<10)}), large},
		{"10,000 names", json, sandbox.Active(names), large},
	} {
		g.rows = append(g.rows, provider(x.name, says(200, x.contentType, x.body), x.want))
	}
	for _, x := range []struct {
		name  string
		value any
		want  string
	}{
		{"active", "true", inactive},
		{"active", 1, inactive},
		{"active", nil, inactive},
		{"active", []bool{true}, inactive},
		{"active", object{"active": true}, inactive},
		{"scope", 7, wrong},
		{"scope", []any{"a", nil}, wrong},
		{"aud", object{"a": "b"}, wrong},
		{"token_use", "refresh_token", notAccess},
		{"token_use", "id", notAccess},
		{"token_use", true, wrong},
		{"token_type", "refresh_token", notAccess},
		{"iamRoleARN", "arn:aws:iam::999999999999:role/Admin", authorized},
	} {
		name := fmt.Sprintf("`%s` is `%s`", x.name, encoded(x.value))
		g.rows = append(g.rows, provider(name, says(200, json, sandbox.Active(object{x.name: x.value})), x.want))
	}
	g.rows = append(g.rows,
		provider("gzip that was not asked for", zipped(sandbox.Active(), 0), malformed),
		provider("a gzip bomb of 100 MB", zipped(sandbox.Active(), 100), large))
	return g
}

func timeFaults() group {
	clock := func(off time.Duration) string {
		return fmt.Sprintf(`"iat":%d,"nbf":%d,"exp":%d`, sandbox.In(off), sandbox.In(off), sandbox.In(off+time.Hour-time.Second))
	}
	hour := fmt.Sprint(sandbox.In(time.Hour))
	wrong, expired, early := denied("malformed_claim"), denied("expired"), denied("not_yet_valid")
	g := group{title: "Times"}
	for _, x := range []struct{ name, members, want string }{
		{"provider's clock is an hour behind", clock(-time.Hour), expired},
		{"provider's clock is an hour ahead", clock(time.Hour), early},
		{"provider's clock is half a minute ahead", clock(30 * time.Second), authorized},
		{"`exp` was an hour ago", fmt.Sprintf(`"exp":%d`, sandbox.In(-time.Hour)), expired},
		{"`nbf` is in an hour", fmt.Sprintf(`"exp":%d,"nbf":%s`, sandbox.In(2*time.Hour), hour), early},
		{"`exp` is negative", `"exp":-1`, wrong},
		{"`exp` is 0", `"exp":0`, expired},
		{"`exp` is beyond int64", `"exp":92233720368547758080`, wrong},
		{"`exp` is 1e400", `"exp":1e400`, wrong},
		{"`exp` is beyond the year 9999", `"exp":253402300800`, wrong},
		{"`exp` is in milliseconds", `"exp":` + hour + "000", wrong},
		{"`exp` has a fraction", `"exp":` + hour + ".999", authorized},
		{"`exp` is a number in a string", `"exp":"` + hour + `"`, authorized},
		{"`exp` is a word", `"exp":"never"`, wrong},
		{"`exp` is a date", `"exp":"2999-01-01T00:00:00Z"`, wrong},
		{"`exp` is an object", `"exp":{"$gt":0}`, wrong},
		{"`exp` is missing", `"sub":"user-4711"`, authorized},
		{"`nbf` is negative", `"nbf":-1`, wrong},
		{"`iat` is beyond int64", `"iat":92233720368547758080`, wrong},
	} {
		body := `{"active":true,"scope":"patient/*.rs",` + x.members + `}`
		g.rows = append(g.rows, provider(x.name, says(200, "application/json", body), x.want))
	}
	return g
}
