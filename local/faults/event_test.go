package faults

import (
	"strings"

	"healthlake-smart-on-fhir/local/sandbox"
)

func eventFaults() group {
	invalid, malformed := failed("event_invalid"), denied("malformed_token")
	event := func(name, want string, make func(token string) []byte) row {
		return row{fault: name, want: []string{want}, event: make}
	}
	text := func(name, want, text string) row {
		return event(name, want, func(token string) []byte { return []byte(strings.ReplaceAll(text, "TOKEN", token)) })
	}
	token := func(name, want string, change func(string) string) row {
		return event(name, want, func(token string) []byte { return sandbox.Event(change(token)) })
	}
	const endpoint = `"datastoreEndpoint":"` + sandbox.DatastoreEndpoint + `"`
	return group{"The event", []row{
		text("nothing", invalid, ""),
		text("`null`", invalid, "null"),
		text("`{}`", invalid, "{}"),
		text("an array", invalid, "[]"),
		text("a string", invalid, `"TOKEN"`),
		text("not JSON", invalid, "bearerToken=TOKEN"),
		text("cut off", invalid, `{`+endpoint+`,"bearerToken":"TOKEN"`),
		text("two events", invalid, `{`+endpoint+`,"bearerToken":"TOKEN"}{}`),
		text("no `bearerToken`", invalid, `{`+endpoint+`}`),
		text("no `datastoreEndpoint`", invalid, `{"bearerToken":"TOKEN"}`),
		text("`bearerToken` is empty", invalid, `{`+endpoint+`,"bearerToken":""}`),
		text("`bearerToken` is null", invalid, `{`+endpoint+`,"bearerToken":null}`),
		text("`bearerToken` is a number", invalid, `{`+endpoint+`,"bearerToken":7}`),
		text("`bearerToken` is an array", invalid, `{`+endpoint+`,"bearerToken":["TOKEN"]}`),
		text("nested 20,000 levels deep", invalid,
			`{`+endpoint+`,"bearerToken":"TOKEN","x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`}`),
		text("no field but the two", authorized, `{`+endpoint+`,"bearerToken":"TOKEN"}`),
		text("fields that nobody knows", authorized,
			`{`+endpoint+`,"bearerToken":"TOKEN","x":{"y":[1,null]},"operationName":null}`),
		event("6 MB, with a good token", authorized, func(token string) []byte {
			head, tail := `{`+endpoint+`,"bearerToken":"`+token+`","x":"`, `"}`
			return []byte(head + strings.Repeat("x", 6<<20-len(head)-len(tail)) + tail)
		}),
		event("6 MB of token", malformed, func(token string) []byte {
			head, tail := `{`+endpoint+`,"bearerToken":"`, `"}`
			return []byte(head + strings.Repeat("x", 6<<20-len(head)-len(tail)) + tail)
		}),
		token("token of 100 KB", malformed, func(string) string { return strings.Repeat("x", 100<<10) }),
		token("token of 16 KB that the provider does not know", denied("inactive"),
			func(string) string { return strings.Repeat("x", 16<<10) }),
		token("`Bearer ` before the token", malformed, func(token string) string { return "Bearer " + token }),
		token("space before the token", malformed, func(token string) string { return " " + token }),
		token("space after the token", malformed, func(token string) string { return token + " " }),
		token("space within the token", malformed, func(token string) string { return token[:9] + " " + token[9:] }),
		token("line break after the token", malformed, func(token string) string { return token + "\n" }),
		token("header in the token", malformed, func(token string) string { return token + "\r\nX-Injected: 1" }),
		token("NUL after the token", malformed, func(token string) string { return token + "\x00" }),
		token("umlaut in the token", malformed, func(token string) string { return token + "ü" }),
		text("token that is not UTF-8", malformed, `{`+endpoint+`,"bearerToken":"`+"\xff"+`TOKEN"}`),
		token("form field in the token", denied("inactive"), func(token string) string { return "x&token=" + token }),
		token("escapes in the token", denied("inactive"), func(string) string { return "%00%20%0a+" }),
		token("token without its last character", denied("inactive"), func(token string) string { return token[:len(token)-1] }),
		token("token twice", denied("inactive"), func(token string) string { return token + "," + token }),
	}}
}
