package faults

import (
	"encoding/json"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// rest is a moment longer than the function waits between two fetches of the keys.
const rest = 11 * time.Second

var noKeys, unknownKey = failed("keys_unavailable"), denied("unknown_key")

// with is the public half of a key with other members; nil removes one.
func with(k idp.Key, members object) object { return k.JWK().With(members) }

// byAStranger is HealthLake's event with a token by a key that the provider does not show.
func byAStranger(string) []byte { return sandbox.Event(sandbox.Signed(sandbox.Stranger(), nil, nil)) }

// look makes the function look for an unknown key. Its response does not matter.
func look(s *scene) { s.call(byAStranger("")) }

// keyFaults are those of the endpoint of the keys: the connection, TLS, HTTP, and responses that are no key set.
func keyFaults() []row {
	key := encoded(sandbox.Keys()[0].JWK())
	good := idp.KeySet(sandbox.Keys()[0].JWK(), sandbox.Keys()[1].JWK())
	var rows []row
	for _, r := range append(connectionFaults().rows, tlsFaults().rows...) {
		if !r.cold && r.times == 0 { // not those that are about introspection alone
			r.slow = r.want == timeout
			rows = append(rows, r)
		}
	}
	rows = append(rows, redirects("which has these keys", good, "")...)
	for _, code := range []int{201, 401, 403, 404, 429, 500, 502, 503, 504} {
		rows = append(rows, provider(status(code)+", with the keys", says(code, "application/json", good), ""))
	}
	for _, x := range []struct{ name, body string }{
		{"a page of HTML", "<!DOCTYPE html><html><body>Sign in</body></html>"},
		{"empty", ""},
		{"`null`", "null"},
		{"`{}`", "{}"},
		{"an array of the keys", "[" + key + "]"},
		{"`keys` is empty", idp.KeySet()},
		{"`keys` is null", `{"keys":null}`},
		{"`keys` is one key, not an array", `{"keys":` + key + `}`},
		{"half of the keys", good[:len(good)/2]},
		{"the keys and garbage after them", good + "garbage"},
		{"the keys twice, one document after the other", good + good},
		{"a byte order mark before the keys", "\ufeff" + good},
		{"UTF-16", utf16(good)},
		{"nested 30,000 levels deep", `{"keys":` + nested(30001) + `}`},
		{"300 KB with the keys in it", strings.TrimSuffix(good, "}") + `,"x":"` + strings.Repeat("x", 300<<10) + `"}`},
	} {
		rows = append(rows, provider(x.name, says(200, "application/json", x.body), ""))
	}
	return append(rows,
		provider("gzip that was not asked for", zipped(good, 0), ""),
		provider("a gzip bomb of 100 MB", zipped(good, 100), ""),
	)
}

// keyFaultsAtStart are there when the function starts, so that it has no key to verify anything with.
func keyFaultsAtStart() group {
	g := group{title: "JWT: the provider's keys, from the start"}
	add := func(r row, want string) {
		r.want, r.verified, r.cold = want, true, true
		g.rows = append(g.rows, r)
	}
	for _, r := range keyFaults() {
		add(r, noKeys)
	}
	add(provider("the keys come after 400 ms", late(400*time.Millisecond), ""), authorized)
	add(provider("the keys come after 700 ms", late(700*time.Millisecond), ""), authorized)
	add(provider("the keys come after 2000 ms", late(2*time.Second), ""), noKeys)
	hanging := provider("takes the request and never responds, but only while the function starts", raw(hold), "")
	hanging.brief = true
	add(hanging, authorized)
	return g
}

// keyFaultsLater come when the keys are known, and a token by another key makes the function look for it.
func keyFaultsLater() group {
	g := group{title: "JWT: the provider's keys, when they are known and a token names another one"}
	add := func(r row) {
		r.want, r.verified, r.lasting, r.event, r.age = noKeys, true, true, byAStranger, max(r.age, rest)
		g.rows = append(g.rows, r)
	}
	for _, r := range keyFaults() {
		add(r)
	}
	add(provider("the keys come after 2000 ms", late(2*time.Second), ""))
	add(row{
		fault: "takes the request and never responds, nor does Secrets Manager when the secret is a minute old",
		age:   61 * time.Second,
		stage: func(s *scene) { s.Secrets.SetFault(silence); s.front.strike(raw(hold)) },
	})
	return g
}

// keySets contain keys that must not verify a signature, or keys beside the good one that must not be in its way.
func keySets() group {
	g := group{title: "JWT: what is in the key set"}
	add := func(name, want string, again time.Duration, jwks ...any) {
		r := provider(name, says(200, "application/json", idp.KeySet(jwks...)), want)
		r.verified, r.cold, r.again = true, true, again
		g.rows = append(g.rows, r)
	}
	key, ec := sandbox.Keys()[0], sandbox.Keys()[1]
	for _, bad := range []struct {
		name string
		jwk  any
	}{
		{"is for encryption", with(key, object{"use": "enc"})},
		{"has an unknown `use`", with(key, object{"use": "any"})},
		{"has 1024 bits", idp.NewRSAKey(key.ID, 1024).JWK()},
		{"is symmetric", object{"kty": "oct", "kid": key.ID, "k": key.JWK()["n"]}},
		{"is private", key.PrivateJWK()},
		{"is of an unknown type", with(key, object{"kty": "XYZ"})},
		{"has no modulus", with(key, object{"n": nil})},
		{"has a modulus that is not base64", with(key, object{"n": "$$$"})},
		{"has exponent 0", with(key, object{"e": "AA"})},
		{"is a point that is not on its curve", with(ec, object{"x": ec.JWK()["y"]})},
		{"is on an unknown curve", with(ec, object{"crv": "P-257"})},
		{"is `null`", json.RawMessage("null")},
		{"is a number", 7},
		{"is an array", []any{key.JWK()}},
	} {
		add("the only key "+bad.name, noKeys, 0, bad.jwk)
		add("a key "+bad.name+", and the good one comes after it", authorized, 0, bad.jwk, key.JWK())
		add("a key "+bad.name+", and the good one comes before it", authorized, 0, key.JWK(), bad.jwk)
	}
	another := with(sandbox.Stranger(), object{"kid": key.ID})
	add("two keys have the id, and the second one is the good one", authorized, 0, another, key.JWK())
	add("two keys have the id, and the first one is the good one", authorized, 0, key.JWK(), another)
	add("the key has another `alg`", unknownKey, rest, with(key, object{"alg": "RS512"}))
	add("the key has the `alg` of a symmetric one", unknownKey, rest, with(key, object{"alg": "HS256"}))
	add("the key has no id, and the token names one", unknownKey, rest, with(key, object{"kid": nil}))
	add("the key's id differs in case", unknownKey, rest, with(key, object{"kid": strings.ToUpper(key.ID)}))
	add("another key has the good one's id, until a token by an unknown key has made the function look", denied("bad_signature"), 0,
		another)
	// The function does not refetch for a known key that did not sign, only for an unknown one.
	last := &g.rows[len(g.rows)-1]
	last.slow, last.lift = true, func(s *scene) { time.Sleep(rest); look(s) }
	return g
}

// rotations are changes of the provider's keys, and tokens that name keys which are not there.
func rotations() group {
	all := append([]idp.Key{sandbox.Stranger()}, sandbox.Keys()...)
	show := func(s *scene) { s.IDP.SetKeys(all...) }
	forged := sandbox.Event(sandbox.Signed(sandbox.Stranger(), object{"kid": sandbox.Keys()[0].ID}, nil))
	g := group{title: "JWT: keys that come and go"}
	// add has the keys asked for at least and at most so often; 0 is any number.
	add := func(r row, least, most int) {
		r.verified = true
		r.after = func(s *scene) {
			if n := s.IDP.KeyRequests(); most > 0 && (n < least || n > most) {
				s.t.Errorf("the keys were asked for %d times, want %d to %d", n, least, most)
			}
		}
		g.rows = append(g.rows, r)
	}
	add(row{fault: "a new key, ten seconds after the keys were fetched", want: authorized,
		age: rest, stage: show, event: byAStranger}, 2, 2)
	add(row{fault: "a new key, at once after the keys were fetched", want: unknownKey,
		stage: show, event: byAStranger}, 1, 1)
	add(row{fault: "a new key, and neither it nor the token has an id, ten seconds after the keys were fetched", want: authorized,
		age: rest, stage: show,
		event: func(string) []byte { return sandbox.Event(sandbox.Signed(sandbox.Stranger(), object{"kid": nil}, nil)) }}, 2, 2)
	add(row{fault: "20 tokens whose signature another key made, and then a new key", want: authorized,
		age: rest, event: byAStranger, stage: func(s *scene) {
			for range 20 {
				s.call(forged)
			}
			show(s)
		}}, 2, 2)
	add(row{fault: "the key is withdrawn, and a token by another one has made the function look", want: unknownKey,
		age: rest, again: rest, stage: func(s *scene) { s.IDP.SetKeys(idp.NewECKey("ec-2")); look(s) },
		lift: func(s *scene) { s.IDP.SetKeys(sandbox.Keys()...) }}, 0, 0)
	add(row{fault: "200 tokens with an unknown key at once, for which the keys are fetched once", want: unknownKey,
		age: rest, times: 200, event: byAStranger}, 2, 2)
	add(row{fault: "250 tokens with an unknown key within half a minute, for which the keys are fetched every ten seconds",
		want: unknownKey, slow: true, times: 250, event: byAStranger,
		stage: func(*scene) { time.Sleep(100 * time.Millisecond) }}, 3, 4)
	add(row{fault: "100 tokens with an unknown key while connections are refused", want: noKeys,
		age: rest, times: 100, lasting: true, event: byAStranger,
		stage: func(s *scene) { s.front.strike(fault{refuse: true}) }}, 0, 0)
	add(row{fault: "process stopped for a minute, and the keys' connection falls silent", want: authorized,
		slow: true, stage: freeze(time.Minute, (*front).mute)}, 0, 0)
	add(row{fault: "process stopped for a minute, the keys' connection silent, and a new key", want: authorized,
		slow: true, event: byAStranger,
		stage: func(s *scene) { show(s); freeze(time.Minute, (*front).mute)(s) }}, 2, 2)
	return g
}
