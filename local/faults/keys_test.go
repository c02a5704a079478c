package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// rest is a moment longer than the function waits between two fetches of the keys.
const rest = 11 * time.Second

var noKeys, unknownKey = failed("keys_unavailable"), denied("unknown_key")

// good is the provider's key set, as text.
func good() string { return keySet(signing()[0].JWK(), signing()[1].JWK()) }

func keySet(jwks ...any) string { return string(encoded(idp.KeySet(jwks...))) }

// with is the public half of a key with other members; nil leaves one out.
func with(k idp.Key, members map[string]any) map[string]any {
	jwk := k.JWK()
	maps.Copy(jwk, members)
	maps.DeleteFunc(jwk, func(_ string, value any) bool { return value == nil })
	return jwk
}

// keyFaults are those of the endpoint of the keys: the connection, TLS, HTTP, and answers that are no key set.
func keyFaults() []row {
	var rows []row
	for _, g := range []group{connectionFaults(), tlsFaults()} {
		for _, r := range g.rows {
			if !r.cold && r.times == 0 { // not those that are about introspection alone
				rows = append(rows, row{fault: r.fault, strike: r.strike, slow: slices.Equal(r.want, timeout)})
			}
		}
	}
	for _, code := range redirects {
		rows = append(rows, redirect(fmt.Sprintf("%d to another host, which has these keys", code), code, good(), noKeys))
	}
	for _, code := range []int{201, 401, 403, 404, 429, 500, 502, 503, 504} {
		rows = append(rows, provider(fmt.Sprintf("%d %s, with the keys", code, http.StatusText(code)), status(code, good())))
	}
	for _, r := range []struct{ name, body string }{
		{"a page of HTML", "<!DOCTYPE html><html><body>Sign in</body></html>"},
		{"empty", ""},
		{"`null`", "null"},
		{"`{}`", "{}"},
		{"an array of the keys", "[" + string(encoded(signing()[0].JWK())) + "]"},
		{"`keys` is empty", keySet()},
		{"`keys` is null", `{"keys":null}`},
		{"`keys` is one key, not an array", `{"keys":` + string(encoded(signing()[0].JWK())) + `}`},
		{"half of the keys", good()[:len(good())/2]},
		{"the keys and rubbish after them", good() + "rubbish"},
		{"the keys twice, one document after the other", good() + good()},
		{"a byte order mark before the keys", "\ufeff" + good()},
		{"UTF-16", utf16(good())},
		{"nested 30,000 levels deep", `{"keys":[` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + "]}"},
		{"300 KB with the keys in it", strings.TrimSuffix(good(), "}") + `,"x":"` + strings.Repeat("x", 300<<10) + `"}`},
	} {
		rows = append(rows, provider(r.name, says("application/json", r.body)))
	}
	bomb := compressed(strings.TrimSuffix(good(), "}") + `,"x":"` + strings.Repeat("x", 100<<20) + `"}`)
	return append(rows,
		provider("gzip, which nobody asked for", compressed(good())),
		provider("a gzip bomb of 100 MB", bomb),
	)
}

// keyFaultsAtStart are there when the function starts, so that it has no key to verify anything with.
func keyFaultsAtStart() group {
	g := group{title: "JWT: the provider's keys, from the start"}
	for _, r := range keyFaults() {
		strike := r.strike
		r.want, r.verified, r.cold, r.strike = []string{noKeys}, true, true, nil
		r.before = func(s *scene, _ map[string]string) { strike(s) }
		g.rows = append(g.rows, r)
	}
	delayed := func(ms int, want string) row {
		d := time.Duration(ms) * time.Millisecond
		return row{
			fault: fmt.Sprintf("the keys come after %d ms", ms), want: []string{want}, verified: true, cold: true, slow: true,
			before: func(s *scene, _ map[string]string) { s.front.strike(fault{answer: late(d)}) },
		}
	}
	over := row{
		fault: "takes the request and never answers, but only while the function starts", want: []string{authorized},
		verified: true, cold: true, slow: true,
		before: func(s *scene, _ map[string]string) { s.front.strike(fault{answer: raw(hold)}) },
		strike: func(s *scene) { s.front.strike(fault{}) },
	}
	g.rows = append(g.rows, delayed(400, authorized),
		delayed(700, authorized), delayed(2000, noKeys), over)
	return g
}

// keyFaultsLater come when the keys are known, and a token by another key makes the function look for it.
func keyFaultsLater() group {
	g := group{title: "JWT: the provider's keys, when they are known and a token names another one"}
	later := func(r row) {
		r.want, r.verified, r.lasting, r.event = []string{noKeys}, true, true, byAStranger
		r.age, r.slow = max(r.age, rest), true
		g.rows = append(g.rows, r)
	}
	for _, r := range keyFaults() {
		later(r)
	}
	later(provider("the keys come after 2000 ms", fault{answer: late(2 * time.Second)}))
	later(row{
		fault: "takes the request and never answers, and Secrets Manager takes 5 s when the secret is a minute old",
		age:   61 * time.Second,
		strike: func(s *scene) {
			s.Secrets.SetFault(slowSecrets)
			s.front.strike(fault{answer: raw(hold)})
		},
	})
	return g
}

// byAStranger is HealthLake's event with a token by a key that the provider does not show.
func byAStranger(string) []byte { return sandbox.Event(signed(stranger(), nil, nil)) }

// send sends an event whose answer does not matter.
func (s *scene) send(event []byte) {
	if _, err := s.Function.Invoke(context.Background(), event); err != nil {
		panic(err) // the process is there
	}
}

// forged is a token that names a known key and is signed by another.
func forged() string { return signed(stranger(), map[string]any{"kid": signing()[0].ID}, nil) }

// keySets have keys in them that must not verify a signature, or ones beside the good one that must not be in its way.
func keySets() group {
	g := group{title: "JWT: what is in the key set"}
	add := func(name, want string, again time.Duration, jwks ...any) {
		g.rows = append(g.rows, row{
			fault: name, want: []string{want}, verified: true, cold: true, again: again, slow: again > 0,
			before: func(s *scene, _ map[string]string) { s.front.strike(says("application/json", keySet(jwks...))) },
		})
	}
	key, ec, weak := signing()[0], signing()[1], weakKey()
	for _, bad := range []struct {
		name string
		jwk  any
	}{
		{"is for encryption", with(key, map[string]any{"use": "enc"})},
		{"has a `use` that nobody knows", with(key, map[string]any{"use": "any"})},
		{"has 1024 bits", weak.JWK()},
		{"is symmetric", map[string]any{"kty": "oct", "kid": key.ID, "k": key.JWK()["n"]}},
		{"is private", privateJWK(key)},
		{"is of a type that nobody knows", with(key, map[string]any{"kty": "XYZ"})},
		{"has no modulus", with(key, map[string]any{"n": nil})},
		{"has a modulus that is no base64", with(key, map[string]any{"n": "$$$"})},
		{"has exponent 0", with(key, map[string]any{"e": "AA"})},
		{"is a point that is not on its curve", with(ec, map[string]any{"x": ec.JWK()["y"]})},
		{"is on a curve that nobody knows", with(ec, map[string]any{"crv": "P-257"})},
		{"is `null`", json.RawMessage("null")},
		{"is a number", 7},
		{"is an array", []any{key.JWK()}},
	} {
		add("the only key "+bad.name, noKeys, 0, bad.jwk)
		add("a key "+bad.name+", and the good one comes after it", authorized, 0, bad.jwk, key.JWK())
		add("a key "+bad.name+", and the good one comes before it", authorized, 0, key.JWK(), bad.jwk)
	}
	another := with(stranger(), map[string]any{"kid": key.ID})
	add("two keys have the id, and the second one is the good one", authorized, 0, another, key.JWK())
	add("two keys have the id, and the first one is the good one", authorized, 0, key.JWK(), another)
	add("the key has another `alg`", unknownKey, rest, with(key, map[string]any{"alg": "RS512"}))
	add("the key has the `alg` of a symmetric one", unknownKey, rest, with(key, map[string]any{"alg": "HS256"}))
	add("the key has no id, and the token names one", unknownKey, rest, with(key, map[string]any{"kid": nil}))
	add("the key's id differs in case", unknownKey, rest, with(key, map[string]any{"kid": strings.ToUpper(key.ID)}))
	// A known key that did not sign is not looked for again until another one is missing.
	g.rows = append(g.rows, row{
		fault: "another key has the good one's id, until a token by an unknown key has made the function look",
		want:  []string{denied("bad_signature")}, verified: true, cold: true, slow: true,
		before: func(s *scene, _ map[string]string) { s.front.strike(says("application/json", keySet(another))) },
		lift:   func(s *scene) { time.Sleep(rest); s.send(byAStranger("")) },
	})
	return g
}

// rotations are changes of the provider's keys, and tokens that name keys which are not there.
func rotations() group {
	show := func(keys ...idp.Key) func(*scene) { return func(s *scene) { s.IDP.SetKeys(keys...) } }
	all := append([]idp.Key{stranger()}, signing()...)
	// withdraw replaces the keys and has the function notice.
	withdraw := func(s *scene) {
		s.IDP.SetKeys(ecKey("ec-2"))
		s.send(byAStranger(""))
	}
	// silent stops the process while the provider gets a new key and the connection to it dies.
	silent := func(s *scene) {
		s.IDP.SetKeys(all...)
		s.freeze(time.Minute, (*front).mute)
	}
	asked := func(least, most int) func(*scene) error {
		return func(s *scene) error {
			if n := s.IDP.KeyRequests(); n < least || n > most {
				return fmt.Errorf("the keys were asked for %d times, want %d to %d", n, least, most)
			}
			return nil
		}
	}
	pause := func(d time.Duration) func(*scene) { return func(*scene) { time.Sleep(d) } }
	return group{"JWT: keys that come and go", []row{
		{
			fault: "a new key, ten seconds after the keys were fetched", want: []string{authorized}, verified: true,
			age: rest, slow: true, strike: show(all...), event: byAStranger, after: asked(2, 2),
		},
		{
			fault: "a new key, at once after the keys were fetched", want: []string{unknownKey}, verified: true,
			strike: show(all...), event: byAStranger, after: asked(1, 1),
		},
		{
			fault: "a new key, and neither it nor the token has an id, ten seconds after the keys were fetched",
			want:  []string{authorized}, verified: true, age: rest, slow: true, strike: show(all...),
			event: func(string) []byte { return sandbox.Event(signed(stranger(), map[string]any{"kid": nil}, nil)) }, after: asked(2, 2),
		},
		{
			fault: "20 tokens whose signature another key made, and then a new key", want: []string{authorized}, verified: true,
			age: rest, slow: true, event: byAStranger, after: asked(2, 2),
			strike: func(s *scene) {
				for range 20 {
					s.send(sandbox.Event(forged()))
				}
				s.IDP.SetKeys(all...)
			},
		},
		{
			fault: "the key is withdrawn, and a token by another one has made the function look",
			want:  []string{unknownKey}, verified: true, age: rest, slow: true, strike: withdraw,
			lift: show(signing()...), again: rest,
		},
		{
			fault: "200 tokens with an unknown key at once, for which the keys are fetched once", want: []string{unknownKey},
			verified: true, age: rest, slow: true, times: 200, event: byAStranger, after: asked(2, 2),
		},
		{
			fault: "250 tokens with an unknown key within half a minute, for which the keys are fetched every ten seconds",
			want:  []string{unknownKey}, verified: true, slow: true, times: 250, strike: pause(100 * time.Millisecond),
			event: byAStranger, after: asked(3, 4),
		},
		{
			fault: "100 tokens with an unknown key while connections are refused", want: []string{noKeys}, verified: true,
			age: rest, slow: true, times: 100, lasting: true, event: byAStranger,
			strike: func(s *scene) { s.front.strike(fault{refuse: true}) },
		},
		{
			fault: "process stopped for a minute, and the keys' connection falls silent", want: []string{authorized},
			verified: true, slow: true, strike: func(s *scene) { s.freeze(time.Minute, (*front).mute) },
		},
		{
			fault: "process stopped for a minute, the keys' connection silent, and a new key", want: []string{authorized},
			verified: true, slow: true, event: byAStranger, strike: silent, after: asked(2, 2),
		},
	}}
}
