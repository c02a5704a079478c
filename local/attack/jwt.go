package main

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// attackTokens are JWTs that are not this provider's good access tokens (RFC 7519, RFC 8725, RFC 9068).
func attackTokens(g *group) {
	rsaKey, ecKey, stranger := sandbox.Keys()[0], sandbox.Keys()[1], sandbox.Stranger()
	s := start(func(s *sandbox.Sandbox) { s.IDP.SetKeys(rsaKey, ecKey); s.Verify(s.IDP.URL + idp.KeysPath) })
	defer s.Stop()
	g.call = func(token string) (bool, bool) { return send(s, token) }
	g.good = func() (bool, bool) { return send(s, sandbox.Signed([]idp.Key{rsaKey, ecKey}[len(g.rows)%2], nil, nil)) }
	headers := func(k idp.Key, members ...object) []string {
		return each(members, func(o object) string { return sandbox.Signed(k, o, nil) })
	}
	withClaims := func(members ...object) []string {
		return each(members, func(o object) string { return sandbox.Signed(rsaKey, nil, o) })
	}
	good, header, claims := sandbox.Signed(rsaKey, nil, nil), rsaKey.Header().String(), sandbox.Claims().String()
	parts := strings.Split(good, ".")
	text := func(header, claims string) string { return rsaKey.Sign([]byte(header), []byte(claims)) }

	var unsigned []string
	for _, o := range of("alg", "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS1", "rs256", "RS256 ", "ES256K", nil, 1, []string{"RS256"}) {
		part := idp.Base64([]byte(rsaKey.Header().With(o).String())) + "." + parts[1] + "."
		unsigned = append(unsigned, part, part+parts[2], part+"AA")
	}
	g.try("alg none, unknown or of a wrong type", "", unsigned...)
	pkix := must(x509.MarshalPKIXPublicKey(rsaKey.Private.Public()))
	g.try("HS256 with the public key for its secret", "", each([][]byte{{}, pkix, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
		[]byte(rsaKey.JWK().String()), []byte(idp.KeySet(rsaKey.JWK(), ecKey.JWK())), []byte(rsaKey.JWK()["n"].(string))},
		func(secret []byte) string {
			return idp.HMAC(rsaKey.Header().With(object{"alg": "HS256"}), sandbox.Claims(), secret)
		})...)
	g.try("alg of another key or hash", "", append(headers(rsaKey, of("alg", "PS256", "RS384", "RS512", "ES256", "EdDSA")...),
		headers(ecKey, of("alg", "ES384", "ES512", "RS256", "EdDSA")...)...)...)
	ids := of("kid", "ec-1", "rsa-2", "RSA-1", "rsa\u20101", "rsa-1\x00", "../../dev/null", "' OR 1=1 --", strings.Repeat("x", 8<<10), 1, []string{"rsa-1"}, object{})
	g.try("kid that is not the key's", "", headers(rsaKey, ids...)...)
	g.try("another key, with any kid", "", headers(stranger, append(ids, of("kid", nil, "", "rsa-1", sandbox.Issuer)...)...)...)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	x5c := []string{base64.StdEncoding.EncodeToString(must(x509.CreateCertificate(rand.Reader, template, template, stranger.Private.Public(), stranger.Private)))}
	trap := start(nil)
	defer trap.Stop()
	trap.IDP.SetFault(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, idp.KeySet(stranger.JWK())) })
	for _, o := range of("kid", nil, "rsa-1", "rsa-2") {
		g.try("jwk, x5c, jku, x5u in the header, kid "+o.String(), "", headers(stranger, o.With(object{"jwk": stranger.JWK()}), o.With(object{"x5c": x5c}),
			o.With(object{"jku": trap.IDP.URL}), o.With(object{"x5u": trap.IDP.URL}))...)
	}

	var cut, flipped []string
	for i := range 256 {
		cut = append(cut, idp.Resign(good, func(raw []byte) []byte { return raw[:i] }))
		flipped = append(flipped, idp.Resign(good, func(raw []byte) []byte { raw[i] ^= 1 << (i % 8); return raw }))
	}
	g.try("signature truncated", "", cut...)
	g.try("signature with one bit changed", "", flipped...)
	g.try("signature extended", "", append(each([]int{1, 2, 16, 256, 4096}, func(n int) string {
		return idp.Resign(good, func(raw []byte) []byte { return append(raw, make([]byte, n)...) })
	}), good+"=", good+"A", good+"\n", good+".", good+".AA", idp.Resign(good, func(raw []byte) []byte { return append([]byte{0}, raw...) }))...)
	g.try("other claims under a good signature", "", each([]string{"", "{}", strings.Replace(claims, "patient/", "system/", 1)},
		func(other string) string { return parts[0] + "." + idp.Base64([]byte(other)) + "." + parts[2] })...)
	n := elliptic.P256().Params().N
	ecdsa := func(change func(r, s *big.Int) []*big.Int) string {
		return idp.Resign(sandbox.Signed(ecKey, nil, nil), func(raw []byte) []byte {
			both := change(new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]))
			return append(both[0].FillBytes(make([]byte, 32)), both[1].FillBytes(make([]byte, 32))...)
		})
	}
	for name, special := range []*big.Int{big.NewInt(0), big.NewInt(1), n, new(big.Int).Sub(n, big.NewInt(1))} {
		g.try("ECDSA, r or s or both "+[]string{"0", "1", "n", "n-1"}[name], "", ecdsa(func(_, _ *big.Int) []*big.Int { return []*big.Int{special, special} }),
			ecdsa(func(r, _ *big.Int) []*big.Int { return []*big.Int{r, special} }), ecdsa(func(_, s *big.Int) []*big.Int { return []*big.Int{special, s} }))
	}
	g.try("ECDSA, r and s exchanged, ASN.1", "", ecdsa(func(r, s *big.Int) []*big.Int { return []*big.Int{s, r} }),
		idp.Resign(sandbox.Signed(ecKey, nil, nil), func(raw []byte) []byte {
			return must(asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])}))
		}))
	g.try("ECDSA, n-s for s", "the claims are the same: who has a signature can write its twin, and RFC 7518 allows both",
		ecdsa(func(r, s *big.Int) []*big.Int { return []*big.Int{r, new(big.Int).Sub(n, s)} }))

	g.try("crit, b64, enc, nested (cty)", "", append(headers(rsaKey, object{"crit": []string{"exp"}, "exp": sandbox.In(time.Hour)}, object{"crit": []string{}},
		object{"crit": "b64"}, object{"b64": true}, object{"b64": false, "crit": []string{"b64"}}, object{"enc": "A256GCM"}, object{"cty": "JWT"},
		object{"cty": "at+jwt"}), text(header, `"`+good+`"`), text(also(header, `"cty":"JWT"`), good))...)
	g.try("header typ of another kind of token", "", append(headers(rsaKey, of("typ", "logout+jwt", "dpop+jwt", "secevent+jwt", "ID", "JWE", "id_token", "at+jwt ", 1)...),
		sandbox.Signed(rsaKey, object{"typ": "JWT"}, object{"nonce": "x"}))...)
	g.try("a name twice in the header", "", each([]string{`"alg":"none"`, `"alg":"RS256"`, `"\u0061lg":"HS256"`, `"kid":"rsa-2"`, `"typ":"JWT"`},
		func(member string) string { return text(also(header, member), claims) })...)
	g.try("a name twice in the claims", "", each([]string{`"exp":9999999999`, `"\u0065xp":9999999999`, `"aud":[]`, `"iss":"x"`, `"scope":"user/*.*"`, `"x":{"y":1,"y":2}`},
		func(member string) string { return text(header, also(claims, member)) })...)
	g.try("exp under a name like it", "", withClaims(each([]string{"еxp", "exp\u0000", "Exp", "EXP", "ｅxp", " exp", "exp\u200b"}, func(name string) object {
		return object{"exp": nil, name: sandbox.In(time.Hour)}
	})...)...)
	g.try("text that is not one JSON object in UTF-8", "", text("\ufeff"+header, claims), text(header, "\ufeff"+claims), text(header, also(claims, "\"x\":\"\xff\"")),
		text(header, claims+claims), text(header, "["+claims+"]"), text(strings.Replace(header, "alg", "ALG", 1), claims), text(header, also(claims, manyNames())))
	names, lists := unusable()
	for n, list := range lists {
		g.try(names[n], "", withClaims(list...)...)
	}
	others := append(of("iss", nil, "", sandbox.Issuer+"x", strings.TrimSuffix(sandbox.Issuer, "/"), strings.ToUpper(sandbox.Issuer), []string{sandbox.Issuer}), of("aud", nil, "", []string{},
		sandbox.DatastoreEndpoint+"x", "x "+sandbox.DatastoreEndpoint, strings.ToUpper(sandbox.DatastoreEndpoint), [][]string{{sandbox.DatastoreEndpoint}})...)
	g.try("another issuer or audience, or none", "", withClaims(others...)...)
	g.try("huge, or in another form", "", strings.Repeat("a", 5<<20), strings.Repeat(".", 10000), sandbox.Signed(rsaKey, nil, object{"x": strings.Repeat("x", 12<<10)}),
		parts[0]+"."+parts[1], good+"."+parts[1]+"."+parts[2], "."+parts[1]+"."+parts[2], "Bearer "+good, " "+good, good+"\x00",
		object{"protected": parts[0], "payload": parts[1], "signature": parts[2]}.String())
}

// attackKeySets are keys that must not verify a signature, beside a good one, and responses that are no key set (RFC 7517).
func attackKeySets(g *group) {
	ecKey, stranger := sandbox.Keys()[1], sandbox.Stranger()
	type attempt struct{ jwk, token string }
	var set []any
	var rows []func()
	// keys adds a row. Each key gets an id, and signs a token that names it.
	keys := func(attack, why string, flawed ...func(id string) attempt) {
		var tokens []string
		for _, make := range flawed {
			a := make(strconv.Itoa(len(set)))
			set, tokens = append(set, json.RawMessage(a.jwk)), append(tokens, a.token)
		}
		rows = append(rows, func() { g.try(attack, why, tokens...) })
	}
	with := func(k idp.Key, members ...object) []func(string) attempt {
		return each(members, func(m object) func(string) attempt {
			return func(id string) attempt {
				named := object{"kid": id}
				return attempt{k.JWK().With(named).With(m).String(), sandbox.Signed(k, named, nil)}
			}
		})
	}
	n, x, other := stranger.JWK()["n"].(string), ecKey.JWK()["x"].(string), idp.NewECKey("")
	keys("use is not sig", "", with(stranger, of("use", "enc", "ENC", "Sig", "any", 1)...)...)
	keys("key_ops without verify", "", with(stranger, of("key_ops", []string{}, []string{"sign"}, []string{"encrypt", "wrapKey"}, []string{"VERIFY"}, "verify ", object{}, 1)...)...)
	keys("RSA below 2048 bits", "", with(idp.NewRSAKey("", 512), nil)[0], with(idp.NewRSAKey("", 1024), nil)[0], with(idp.NewRSAKey("", 2040), nil)[0])
	keys("RSA with exponent 0, 1, 2, 4", "", each([]string{"AA", "AQ", "Ag", "BA"}, func(e string) func(string) attempt {
		return func(id string) attempt { // with exponent 1 the signature is the text that it is of
			token := sandbox.Signed(stranger, object{"kid": id}, nil)
			dot := strings.LastIndex(token, ".")
			hash := sha256.Sum256([]byte(token[:dot]))
			padded := "\x00\x01" + strings.Repeat("\xff", 202) + "\x0001\r\x06\t`\x86H\x01e\x03\x04\x02\x01\x05\x00\x04 " + string(hash[:])
			return attempt{stranger.JWK().With(object{"kid": id, "e": e}).String(), token[:dot+1] + idp.Base64([]byte(padded))}
		}
	})...)
	keys("symmetric", "", func(id string) attempt {
		return attempt{object{"kty": "oct", "kid": id, "k": n}.String(), idp.HMAC(object{"alg": "HS256", "kid": id}, sandbox.Claims(), []byte(n))}
	})
	keys("private", "", with(stranger, object{"d": stranger.PrivateJWK()["d"], "p": stranger.PrivateJWK()["p"], "q": stranger.PrivateJWK()["q"]})...)
	keys("of another type, alg or curve", "", append(with(stranger, object{"kty": "XYZ"}, object{"kty": "EC"}, object{"alg": "RS512"}, object{"alg": "HS256"}, object{"alg": "none"}, object{"n": nil}),
		with(other, object{"crv": "P-384"}, object{"crv": "secp256k1"}, object{"crv": "P-521"}, object{"x": x}, object{"y": nil}, object{"x": "", "y": ""}, object{"kty": "RSA"},
			object{"x": "A" + other.JWK()["x"].(string)}, object{"x": "AAAA" + other.JWK()["x"].(string)})...)...)
	keys("a line break in a number", "the key is the provider's all the same", with(stranger, of("n", n+"\n")...)...)
	keys("non-canonical base64", "", with(stranger, of("n", n+"=", n+"==", " "+n, strings.NewReplacer("-", "+", "_", "/").Replace(n)+"=")...)...)
	keys("the good key's id, but for encryption", "", func(string) attempt {
		return attempt{stranger.JWK().With(object{"kid": ecKey.ID, "use": "enc"}).String(), sandbox.Signed(stranger, object{"kid": ecKey.ID}, nil)}
	})

	serve := func(status int, document string, headers ...string) *sandbox.Sandbox {
		return start(func(s *sandbox.Sandbox) {
			s.Verify(s.IDP.URL + idp.KeysPath)
			s.IDP.SetFault(func(w http.ResponseWriter, _ *http.Request) {
				for _, h := range headers {
					w.Header().Set("Location", h)
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, document)
			})
		})
	}
	s := serve(200, idp.KeySet(append(set, ecKey.JWK())...))
	defer s.Stop()
	g.good = func() (bool, bool) { return send(s, sandbox.Signed(ecKey, nil, nil)) }
	g.call = func(token string) (bool, bool) { return send(s, token) }
	for _, row := range rows {
		row()
	}
	jwk, good := ecKey.JWK().String(), idp.KeySet(ecKey.JWK())
	trap := serve(200, good)
	defer trap.Stop()
	status := 200
	g.call = func(document string) (bool, bool) {
		flawed := serve(status, document, trap.Environment.AuthEndpointJwks)
		defer flawed.Stop()
		return send(flawed, sandbox.Signed(ecKey, nil, nil))
	}
	g.control.count(send(trap, sandbox.Signed(ecKey, nil, nil)))
	g.try("keys twice, something before or after", "", also(good, `"keys":[]`), also(`{"keys":[]}`, good[1:len(good)-1]), also(good, `"\u006beys":[]`), "\ufeff"+good, good+good, good+"x")
	g.try("keys of another type, elsewhere, cut off", "", "", good[:len(good)-1], "["+jwk+"]", jwk, `{"keys":`+jwk+`}`, `{"Keys":[`+jwk+`]}`, `{"jwks":`+good+`}`)
	g.try("a name twice in a key", "", fill(`{"keys":[`+also(jwk, "%")+`]}`, `"use":"sig"`, `"kty":"EC"`, `"kid":"x"`, `"\u0075se":"enc"`)...)
	g.try("above 256 KB", "", also(good, `"x":"`+strings.Repeat("x", 256<<10)+`"`))
	for _, status = range []int{201, 206, 301, 302, 303, 307, 308, 404, 500} {
		g.try("good keys, status "+strconv.Itoa(status)+", and a Location that has them", "", good)
	}
}
