package faults

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// active is an answer that authorizes, with members that are added to it or replace its own.
func active(members ...map[string]any) string {
	claims := map[string]any{
		"active": true, "scope": "patient/*.rs", "sub": "user-4711", "token_use": "access_token",
		"exp": time.Now().Add(time.Hour).Unix(),
	}
	for _, m := range members {
		maps.Copy(claims, m)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // nothing in it cannot be marshalled
	}
	return string(text)
}

// says answers 200 with a body.
func says(contentType, body string) fault {
	return fault{answer: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
		return true
	}}
}

func bodyFaults() group {
	body := func(name, text, want string) row { return provider(name, says("application/json", text), want) }
	claim := func(name string, value any, want string) row {
		return body(fmt.Sprintf("`%s` is %s", name, short(value)), active(map[string]any{name: value}), want)
	}
	malformed, inactive := failed("idp_malformed"), denied("inactive")
	return group{"The provider's answer", []row{
		provider("a page of HTML", says("text/html", "<!DOCTYPE html><html><body>Sign in</body></html>"), malformed),
		body("empty", "", malformed),
		body("white space", " \r\n\t", malformed),
		body("`null`", "null", malformed),
		body("`true`", "true", malformed),
		body("an array of one object that authorizes", "["+active()+"]", malformed),
		body("a string with an object in it that authorizes", string(encoded(active())), malformed),
		body("two objects, of which the first authorizes", active()+`{"active":false}`, malformed),
		body("two objects, of which the second authorizes", `{"active":false}`+active(), malformed),
		body("an object and rubbish after it", active()+"rubbish", malformed),
		body("half of an object", active()[:20], malformed),
		body("a comment before the object", "/* */"+active(), malformed),
		body("a comma too many", strings.TrimSuffix(active(), "}")+",}", malformed),
		body("`active` twice, `false` first", `{"active":false,"active":true}`, malformed),
		body("`active` twice, `true` first", `{"active":true,"active":false}`, malformed),
		body("`active` twice, once spelled with an escape", `{"active":false,"\u0061ctive":true}`, malformed),
		body("a name twice in an object within", `{"active":true,"ext":{"patient":"1","patient":"2"}}`, malformed),
		body("`active` is missing", `{"scope":"system/*.*"}`, inactive),
		body("`Active` in place of `active`", `{"Active":true}`, inactive),
		body("`ACTIVE` is true and `active` false", `{"ACTIVE":true,"active":false}`, inactive),
		body("`active` is true one level too deep", `{"data":{"active":true}}`, inactive),
		claim("active", "true", inactive),
		claim("active", 1, inactive),
		claim("active", nil, inactive),
		claim("active", []bool{true}, inactive),
		claim("active", map[string]bool{"active": true}, inactive),
		body("`active` is false and `isAuthorized` true",
			`{"active":false,"isAuthorized":true,"authPayload":{"isAuthorized":true}}`, inactive),
		body("nested 30,000 levels deep",
			`{"active":true,"x":`+strings.Repeat("[", 30000)+strings.Repeat("]", 30000)+"}", malformed),
		body("nested 40 levels deep", `{"active":true,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+"}", malformed),
		body("nested without an end", `{"active":true,"x":`+strings.Repeat(`{"x":`, 10000), malformed),
		body("a string that is not UTF-8", "{\"active\":true,\"sub\":\"\xff\xfe\"}", malformed),
		body("a name that is not UTF-8", "{\"active\":true,\"\xff\":1}", malformed),
		body("a surrogate without its other half", `{"active":true,"exp":`+inAnHour()+`,"sub":"\ud800"}`, authorized),
		body("NUL bytes", strings.Repeat("\x00", 1000), malformed),
		body("a NUL byte within a string", "{\"active\":true,\"sub\":\"a\x00b\"}", malformed),
		body("a byte order mark before the object", "\ufeff"+active(), malformed),
		provider("UTF-16", says("application/json; charset=utf-16", utf16(active())), malformed),
		provider("Latin-1", says("application/json; charset=iso-8859-1", "{\"active\":true,\"sub\":\"J\xfcrgen\"}"), malformed),
		provider("UTF-8 that calls itself UTF-16", says("application/json; charset=utf-16", active()), authorized),
		provider("an object that calls itself HTML", says("text/html", active()), authorized),
		provider("gzip, which nobody asked for", compressed(active()), malformed),
		provider("a gzip bomb of 100 MB", compressed(`{"active":true,"x":"`+strings.Repeat("a", 100<<20)+`"}`),
			failed("idp_too_large")),
		body("70 KB that authorize", active(map[string]any{"x": strings.Repeat("a", 70<<10)}), failed("idp_too_large")),
		body("10,000 names", manyNames(), failed("idp_too_large")),
		claim("scope", 7, denied("malformed_claim")),
		claim("scope", []any{"a", nil}, denied("malformed_claim")),
		claim("aud", map[string]string{"a": "b"}, denied("malformed_claim")),
		claim("token_use", "refresh_token", denied("not_an_access_token")),
		claim("token_use", true, denied("malformed_claim")),
		claim("iamRoleARN", "arn:aws:iam::999999999999:role/Admin", authorized),
	}}
}

func timeFaults() group {
	answers := func(name, members, want string) row {
		return provider(name, says("application/json", `{"active":true,"scope":"patient/*.rs",`+members+`}`), want)
	}
	at := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }
	clock := func(off time.Duration) string {
		return fmt.Sprintf(`"iat":%s,"nbf":%s,"exp":%s`, at(off), at(off), at(off+time.Hour-time.Second))
	}
	wrong := denied("malformed_claim")
	return group{"Times", []row{
		answers("provider's clock is an hour behind", clock(-time.Hour), denied("expired")),
		answers("provider's clock is an hour ahead", clock(time.Hour), denied("not_yet_valid")),
		answers("provider's clock is half a minute ahead", clock(30*time.Second), authorized),
		answers("`exp` was an hour ago", `"exp":`+at(-time.Hour), denied("expired")),
		answers("`nbf` is in an hour", `"exp":`+at(2*time.Hour)+`,"nbf":`+at(time.Hour), denied("not_yet_valid")),
		answers("`exp` is negative", `"exp":-1`, wrong),
		answers("`exp` is 0", `"exp":0`, denied("expired")),
		answers("`exp` is beyond int64", `"exp":92233720368547758080`, wrong),
		answers("`exp` is 1e400", `"exp":1e400`, wrong),
		answers("`exp` is beyond the year 9999", `"exp":253402300800`, wrong),
		answers("`exp` is in milliseconds", `"exp":`+inAnHour()+"000", wrong),
		answers("`exp` has a fraction", `"exp":`+inAnHour()+".999", authorized),
		answers("`exp` is a number in a string", `"exp":"`+inAnHour()+`"`, authorized),
		answers("`exp` is a word", `"exp":"never"`, wrong),
		answers("`exp` is a date", `"exp":"2999-01-01T00:00:00Z"`, wrong),
		answers("`exp` is an object", `"exp":{"$gt":0}`, wrong),
		answers("`exp` is missing", `"sub":"user-4711"`, authorized),
		answers("`nbf` is negative", `"nbf":-1`, wrong),
		answers("`iat` is beyond int64", `"iat":92233720368547758080`, wrong),
	}}
}

func inAnHour() string { return fmt.Sprint(time.Now().Add(time.Hour).Unix()) }

func encoded(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // nothing in it cannot be marshalled
	}
	return text
}

// short is a value as the table shows it.
func short(value any) string { return "`" + string(encoded(value)) + "`" }

func utf16(text string) string {
	wide := "\xff\xfe"
	for i := range len(text) {
		wide += text[i:i+1] + "\x00"
	}
	return wide
}

func compressed(text string) fault {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	zipped := b.String()
	return fault{answer: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, zipped)
		return true
	}}
}

func manyNames() string {
	names := map[string]any{}
	for i := range 10000 {
		names[fmt.Sprintf("claim%d", i)] = i
	}
	return active(names)
}
