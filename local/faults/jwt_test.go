package faults

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// issuer names the tokens that are verified.
const issuer = "https://idp.example.com/"

// The keys are made once: an RSA key takes a while.
var (
	// signing are the provider's; the first one signs the good tokens.
	signing = sync.OnceValue(func() []idp.Key { return []idp.Key{rsaKey("rsa-1", 2048), ecKey("ec-1")} })
	// stranger is nobody's until the provider shows it.
	stranger = sync.OnceValue(func() idp.Key { return rsaKey("rsa-2", 2048) })
	weakKey  = sync.OnceValue(func() idp.Key { return rsaKey("rsa-1", 1024) })
)

func rsaKey(id string, bits int) idp.Key {
	key, err := idp.NewRSAKey(id, bits)
	if err != nil {
		panic(err) // no randomness
	}
	return key
}

func ecKey(id string) idp.Key {
	key, err := idp.NewECKey(id)
	if err != nil {
		panic(err) // no randomness
	}
	return key
}

// privateJWK is an RSA key with the half that is nobody's business (RFC 7518 section 6.3.2).
func privateJWK(k idp.Key) map[string]any {
	private, jwk := k.Private.(*rsa.PrivateKey), k.JWK()
	for name, number := range map[string]*big.Int{"d": private.D, "p": private.Primes[0], "q": private.Primes[1]} {
		jwk[name] = idp.Base64(number.Bytes())
	}
	return jwk
}

// signed is a good token by a key, with other members of its header and other claims; nil leaves one out.
func signed(k idp.Key, header, claims map[string]any) string {
	return rawSigned(k, encoded(changed(k.Header(), header)), encoded(changed(goodClaims(), claims)))
}

// rawSigned is a token whose parts are not necessarily JSON.
func rawSigned(k idp.Key, header, payload []byte) string {
	token, err := k.Sign(header, payload)
	if err != nil {
		panic(err) // no randomness
	}
	return token
}

func goodClaims() map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": issuer, "aud": []string{sandbox.DatastoreEndpoint}, "sub": "user-4711", "client_id": "app", "jti": "1",
		"scope": "patient/*.rs", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

func changed(good, members map[string]any) map[string]any {
	maps.Copy(good, members)
	maps.DeleteFunc(good, func(_ string, value any) bool { return value == nil })
	return good
}

func jwtFaults() group {
	key, ec := signing()[0], signing()[1]
	token := func(name, want, text string) row {
		return row{
			fault: name, want: []string{want}, verified: true,
			event: func(string) []byte { return sandbox.Event(text) },
		}
	}
	header := func(name, want string, members map[string]any) row {
		return token(name, want, signed(key, members, nil))
	}
	claim := func(name, want string, members map[string]any) row {
		return token(name, want, signed(key, nil, members))
	}
	one := func(name string, value any) map[string]any { return map[string]any{name: value} }
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	head, payload, signature := parts(signed(key, nil, nil))
	admin := idp.Base64(encoded(changed(goodClaims(), one("scope", "system/*.*"))))
	unsigned := func(algorithm string) string { return idp.Base64(encoded(one("alg", algorithm))) + "." + payload + "." }
	notJWT, algorithm, forged := denied("not_a_jwt"), denied("algorithm_not_allowed"), denied("bad_signature")
	wrong, notAccess := denied("malformed_claim"), denied("not_an_access_token")
	foreign, audience := denied("issuer_not_trusted"), denied("audience_not_accepted")
	rows := []row{
		token("token is opaque", notJWT, "ory_at_"+strings.Repeat("x", 87)),
		token("three dots", notJWT, "..."),
		token("two parts", notJWT, head+"."+payload),
		token("four parts", notJWT, head+"."+payload+"."+signature+"."),
		token("token in the JSON serialization", notJWT,
			`{"protected":"`+head+`","payload":"`+payload+`","signature":"`+signature+`"}`),
		token("encrypted, in five parts", notJWT, idp.Base64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa-1"}`))+
			strings.Repeat("."+payload, 4)),
		token("header is not base64", notJWT, "$."+payload+"."+signature),
		token("header is not JSON", notJWT, rawSigned(key, []byte("alg=RS256"), encoded(goodClaims()))),
		token("`alg` twice in the header", notJWT,
			rawSigned(key, []byte(`{"alg":"none","alg":"RS256","kid":"rsa-1"}`), encoded(goodClaims()))),
		token("token of 17 KB, with a good signature", denied("malformed_token"),
			signed(key, nil, one("x", strings.Repeat("x", 12<<10)))),
		token("token of almost 16 KB, with a good signature", authorized,
			signed(key, nil, one("x", strings.Repeat("x", 11<<10)))),

		token("`alg` is `none`, without a signature", notJWT, unsigned("none")),
		token("`alg` is `none`, with the signature of a good token", algorithm, unsigned("none")+signature),
		token("`alg` is `nOnE`, with the signature of a good token", algorithm, unsigned("nOnE")+signature),
		header("`alg` is missing", algorithm, one("alg", nil)),
		header("`alg` is a number", notJWT, one("alg", 256)),
		header("`alg` is `RS256` in another case", algorithm, one("alg", "rs256")),
		header("`alg` is `RS1`", algorithm, one("alg", "RS1")),
		token("HMAC with the public key as PEM for its secret", algorithm, symmetric(publicPEM(key))),
		token("HMAC with the modulus for its secret", algorithm, symmetric([]byte(key.JWK()["n"].(string)))),
		token("HMAC with the public key as JWK for its secret", algorithm, symmetric(encoded(key.JWK()))),
		header("RSA's signature, but `alg` says ES256", unknownKey, one("alg", "ES256")),
		header("signature for RS256, but `alg` says PS256", forged, one("alg", "PS256")),
		header("RSA's signature, but `kid` names the curve's key", unknownKey, one("kid", ec.ID)),

		token("signature is missing", notJWT, head+"."+payload+"."),
		token("signature is one byte", forged, head+"."+payload+".AA"),
		token("signature is cut off", forged, head+"."+payload+"."+signature[:len(signature)-4]),
		token("signature is not base64", notJWT, head+"."+payload+".$$$$"),
		token("payload was changed after it was signed", forged, head+"."+admin+"."+signature),
		token("signature of the curve is all zeros", forged, curve(ec, func(_, _ *big.Int) []byte { return make([]byte, 64) })),
		token("signature of the curve is ASN.1", forged, curve(ec, func(r, s *big.Int) []byte {
			text, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				panic(err) // two numbers always marshal
			}
			return text
		})),
		token("signature by another key of the same id", forged, signed(idp.Key{ID: key.ID, Private: stranger().Private}, nil, nil)),

		header("`kid` is missing", authorized, one("kid", nil)),
		header("`kid` is empty", authorized, one("kid", "")),
		header("`kid` is a number", notJWT, one("kid", 1)),
		header("`kid` is a path", unknownKey, one("kid", "../../../../dev/null")),
		header("`kid` is a query", unknownKey, one("kid", "' OR 1=1 --")),
		header("`kid` has 8 KB", unknownKey, one("kid", strings.Repeat("x", 8<<10))),
		header("`crit` asks for what nobody knows", notJWT, map[string]any{"crit": []string{"exp"}, "exp": at(time.Hour)}),
		header("`crit` is empty", notJWT, one("crit", []string{})),
		header("`b64` is false", notJWT, one("b64", false)),
		header("`enc` beside a signature", notJWT, one("enc", "A256GCM")),
		header("nested token", notJWT, one("cty", "JWT")),
		header("`typ` says logout token", notAccess, one("typ", "logout+jwt")),
		header("`typ` says proof of possession", notAccess, one("typ", "dpop+jwt")),
		header("`typ` is missing", authorized, one("typ", nil)),

		claim("`exp` was an hour ago", denied("expired"), one("exp", at(-time.Hour))),
		claim("`exp` is missing", wrong, one("exp", nil)),
		claim("`exp` is null", wrong, one("exp", json.RawMessage("null"))),
		claim("`exp` is a word", wrong, one("exp", "never")),
		claim("`nbf` is in an hour", denied("not_yet_valid"), one("nbf", at(time.Hour))),
		claim("`iss` is another provider", foreign, one("iss", "https://other.example.com/")),
		claim("`iss` lacks the slash at its end", foreign, one("iss", strings.TrimSuffix(issuer, "/"))),
		claim("`iss` differs in case", foreign, one("iss", strings.ToUpper(issuer))),
		claim("`iss` is an array with ours in it", foreign, one("iss", []string{issuer})),
		claim("`iss` is missing", foreign, one("iss", nil)),
		claim("`aud` is another datastore", audience, one("aud", "https://healthlake.us-east-1.amazonaws.com/datastore/1/r4/")),
		claim("`aud` begins with ours", audience, one("aud", sandbox.DatastoreEndpoint+"x")),
		claim("`aud` is missing", audience, one("aud", nil)),
		claim("`aud` is an object", wrong, one("aud", one(sandbox.DatastoreEndpoint, true))),
		token("ID token", notAccess, signed(key, one("typ", "JWT"), one("nonce", "n-0S6_WzA2Mj"))),
		claim("`token_use` is `\"refresh\"`", notAccess, one("token_use", "refresh")),
		claim("`active` is false", denied("inactive"), one("active", false)),
		claim("`iamRoleARN` is `\"arn:aws:iam::999999999999:role/Admin\"`", authorized,
			one("iamRoleARN", "arn:aws:iam::999999999999:role/Admin")),
		token("payload is not JSON", wrong, rawSigned(key, encoded(key.Header()), []byte("scope=system/*.*"))),
		token("payload is an array", wrong, rawSigned(key, encoded(key.Header()), encoded([]any{goodClaims()}))),
		token("payload is empty", wrong, rawSigned(key, encoded(key.Header()), nil)),
		token("a claim twice", wrong, rawSigned(key, encoded(key.Header()),
			[]byte(strings.TrimSuffix(string(encoded(goodClaims())), "}")+`,"scope":"system/*.*"}`))),
		token("payload nested 2,000 levels deep", wrong, rawSigned(key, encoded(key.Header()),
			[]byte(`{"x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)+"}"))),
		token("payload is not UTF-8", wrong, rawSigned(key, encoded(key.Header()), []byte("{\"sub\":\"\xff\"}"))),
	}
	for _, name := range []string{"jku", "x5u"} {
		for _, known := range []bool{true, false} {
			rows = append(rows, lured(name, known))
		}
	}
	return group{"JWT: the token", append(rows,
		token("`jwk` in the header, and the id of the good key", forged,
			signed(stranger(), map[string]any{"jwk": stranger().JWK(), "kid": key.ID}, nil)),
		token("`jwk` in the header, and no id", forged,
			signed(stranger(), map[string]any{"jwk": stranger().JWK(), "kid": nil}, nil)),
		token("`jwk` in the header, and its own id", unknownKey, signed(stranger(), one("jwk", stranger().JWK()), nil)),
	)}
}

// lured is a token that says in its header where its key is to be fetched.
func lured(name string, known bool) row {
	var other *trap
	r := row{fault: "`" + name + "` in the header, and its own id", want: []string{unknownKey}, verified: true}
	header := map[string]any{}
	if known {
		r.fault, r.want = "`"+name+"` in the header, and the id of the good key", []string{denied("bad_signature")}
		header["kid"] = signing()[0].ID
	}
	r.before = func(s *scene, _ map[string]string) {
		other = s.trap(keySet(with(stranger(), header)))
		header[name] = other.front.url()
	}
	r.event = func(string) []byte { return sandbox.Event(signed(stranger(), header, nil)) }
	r.after = func(*scene) error { return other.close() }
	return r
}

// parts cuts a token into header, payload and signature.
func parts(token string) (header, payload, signature string) {
	p := strings.Split(token, ".")
	return p[0], p[1], p[2]
}

// symmetric is a token that is signed by HMAC.
func symmetric(secret []byte) string {
	text := idp.Base64([]byte(`{"alg":"HS256","kid":"rsa-1","typ":"at+jwt"}`)) + "." + idp.Base64(encoded(goodClaims()))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + idp.Base64(mac.Sum(nil))
}

func publicPEM(k idp.Key) []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Private.(*rsa.PrivateKey).Public())
	if err != nil {
		panic(err) // RSA keys can be marshalled
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// curve is a good token by an ECDSA key whose signature is written in another way.
func curve(k idp.Key, write func(r, s *big.Int) []byte) string {
	header, payload, signature := parts(signed(k, nil, nil))
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		panic(err) // it was encoded a moment ago
	}
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	return header + "." + payload + "." + idp.Base64(write(r, s))
}
