package faults

import (
	"strings"

	"healthlake-smart-on-fhir/local/sandbox"
)

func eventFaults() group {
	const endpoint = `{"datastoreEndpoint":"` + sandbox.DatastoreEndpoint + `"`
	const good = endpoint + `,"bearerToken":"TOKEN"`
	invalid, malformed, inactive := failed("event_invalid"), denied("malformed_token"), denied("inactive")
	// sized is an event of 6 MB, which is Lambda's limit.
	sized := func(head string) string { return head + strings.Repeat("x", 6<<20-len(head)-2) + `"}` }
	g := group{title: "The event"}
	for _, x := range []struct{ name, want, text string }{ // TOKEN stands for a good token
		{"nothing", invalid, ""},
		{"`null`", invalid, "null"},
		{"`{}`", invalid, "{}"},
		{"an array", invalid, "[]"},
		{"a string", invalid, `"TOKEN"`},
		{"not JSON", invalid, "bearerToken=TOKEN"},
		{"cut off", invalid, good},
		{"two events", invalid, good + `}{}`},
		{"no `bearerToken`", invalid, endpoint + `}`},
		{"no `datastoreEndpoint`", invalid, `{"bearerToken":"TOKEN"}`},
		{"`bearerToken` is empty", invalid, endpoint + `,"bearerToken":""}`},
		{"`bearerToken` is null", invalid, endpoint + `,"bearerToken":null}`},
		{"`bearerToken` is a number", invalid, endpoint + `,"bearerToken":7}`},
		{"`bearerToken` is an array", invalid, endpoint + `,"bearerToken":["TOKEN"]}`},
		{"nested 20,000 levels deep", invalid, good + `,"x":` + nested(20000) + `}`},
		{"no field but the two", authorized, good + `}`},
		{"unknown fields", authorized, good + `,"x":{"y":[1,null]},"operationName":null}`},
		{"6 MB of token", malformed, sized(endpoint + `,"bearerToken":"`)},
		{"token that is not UTF-8", malformed, endpoint + `,"bearerToken":"` + "\xff" + `TOKEN"}`},
	} {
		g.rows = append(g.rows, row{fault: x.name, want: x.want, event: func(token string) []byte {
			return []byte(strings.ReplaceAll(x.text, "TOKEN", token))
		}})
	}
	g.rows = append(g.rows, row{fault: "6 MB, with a good token", want: authorized, event: func(token string) []byte {
		return []byte(sized(endpoint + `,"bearerToken":"` + token + `","x":"`))
	}})
	for _, x := range []struct{ name, want, text string }{
		{"token of 100 KB", malformed, strings.Repeat("x", 100<<10)},
		{"token of 16 KB that the provider does not know", inactive, strings.Repeat("x", 16<<10)},
		{"`Bearer ` before the token", malformed, "Bearer TOKEN"},
		{"space before the token", malformed, " TOKEN"},
		{"space after the token", malformed, "TOKEN "},
		{"space within the token", malformed, "SHORT x"},
		{"line break after the token", malformed, "TOKEN\n"},
		{"header in the token", malformed, "TOKEN\r\nX-Injected: 1"},
		{"NUL after the token", malformed, "TOKEN\x00"},
		{"umlaut in the token", malformed, "TOKENü"},
		{"form field in the token", inactive, "x&token=TOKEN"},
		{"escapes in the token", inactive, "%00%20%0a+"},
		{"token without its last character", inactive, "SHORT"},
		{"token twice", inactive, "TOKEN,TOKEN"},
	} {
		g.rows = append(g.rows, row{fault: x.name, want: x.want, event: func(token string) []byte {
			return sandbox.Event(strings.NewReplacer("TOKEN", token, "SHORT", token[:len(token)-1]).Replace(x.text))
		}})
	}
	return g
}
