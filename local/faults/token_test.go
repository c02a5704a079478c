package faults

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// rawSigned is a token whose parts are not necessarily JSON.
func rawSigned(k idp.Key, header, payload string) string {
	return k.Sign([]byte(header), []byte(payload))
}

func base64url(text string) string { return idp.Base64([]byte(text)) }

// verified returns a row whose fault is the token.
func verified(name, want, token string) row {
	return row{fault: name, want: want, verified: true, event: func(string) []byte { return sandbox.Event(token) }}
}

func tokenFaults() group {
	key, ec := sandbox.Keys()[0], sandbox.Keys()[1]
	parts := strings.Split(sandbox.Signed(key, nil, nil), ".")
	head, payload, signature := parts[0], parts[1], parts[2]
	header, body, its := key.Header().String(), sandbox.Claims().String(), sandbox.Stranger().JWK()
	admin := base64url(sandbox.Claims().With(object{"scope": "system/*.*"}).String())
	unsigned := func(algorithm string) string {
		return base64url(object{"alg": algorithm}.String()) + "." + payload + "."
	}
	symmetric := func(secret []byte) string {
		return idp.HMAC(object{"alg": "HS256", "kid": key.ID, "typ": "at+jwt"}, sandbox.Claims(), secret)
	}
	padded := func(kilobytes int) object { return object{"x": strings.Repeat("x", kilobytes<<10)} }
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Private.Public()))})
	notJWT, algorithm, forged := denied("not_a_jwt"), denied("algorithm_not_allowed"), denied("bad_signature")
	wrong, notAccess := denied("malformed_claim"), denied("not_an_access_token")
	foreign, audience := denied("issuer_not_trusted"), denied("audience_not_accepted")
	g := group{title: "JWT: the token"}
	for _, x := range []struct{ name, want, token string }{
		{"token is opaque", notJWT, "ory_at_" + strings.Repeat("x", 87)},
		{"three dots", notJWT, "..."},
		{"two parts", notJWT, head + "." + payload},
		{"four parts", notJWT, head + "." + payload + "." + signature + "."},
		{"token in the JSON serialization", notJWT, object{"protected": head, "payload": payload, "signature": signature}.String()},
		{"encrypted, in five parts", notJWT,
			base64url(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa-1"}`) + strings.Repeat("."+payload, 4)},
		{"header is not base64", notJWT, "$." + payload + "." + signature},
		{"header is not JSON", notJWT, rawSigned(key, "alg=RS256", body)},
		{"`alg` twice in the header", notJWT, rawSigned(key, `{"alg":"none","alg":"RS256","kid":"rsa-1"}`, body)},
		{"token of 17 KB, with a good signature", denied("malformed_token"), sandbox.Signed(key, nil, padded(12))},
		{"token of almost 16 KB, with a good signature", authorized, sandbox.Signed(key, nil, padded(11))},

		{"`alg` is `none`, without a signature", notJWT, unsigned("none")},
		{"`alg` is `none`, with the signature of a good token", algorithm, unsigned("none") + signature},
		{"`alg` is `nOnE`, with the signature of a good token", algorithm, unsigned("nOnE") + signature},
		{"HMAC with the public key as PEM for its secret", algorithm, symmetric(publicPEM)},
		{"HMAC with the modulus for its secret", algorithm, symmetric([]byte(key.JWK()["n"].(string)))},
		{"HMAC with the public key as JWK for its secret", algorithm, symmetric([]byte(encoded(key.JWK())))},

		{"signature is missing", notJWT, head + "." + payload + "."},
		{"signature is one byte", forged, head + "." + payload + ".AA"},
		{"signature is cut off", forged, head + "." + payload + "." + signature[:len(signature)-4]},
		{"signature is not base64", notJWT, head + "." + payload + ".$$$$"},
		{"payload was changed after it was signed", forged, head + "." + admin + "." + signature},
		{"ECDSA signature is all zeros", forged, idp.Resign(sandbox.Signed(ec, nil, nil), func([]byte) []byte { return make([]byte, 64) })},
		{"ECDSA signature is ASN.1", forged, idp.Resign(sandbox.Signed(ec, nil, nil), func(raw []byte) []byte {
			return must(asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])}))
		})},
		{"signature by another key of the same id", forged, sandbox.Signed(idp.Key{ID: key.ID, Private: sandbox.Stranger().Private}, nil, nil)},

		{"ID token", notAccess, sandbox.Signed(key, object{"typ": "JWT"}, object{"nonce": "n-0S6_WzA2Mj"})},
		{"payload is not JSON", wrong, rawSigned(key, header, "scope=system/*.*")},
		{"payload is an array", wrong, rawSigned(key, header, "["+body+"]")},
		{"payload is empty", wrong, rawSigned(key, header, "")},
		{"a claim twice", wrong, rawSigned(key, header, strings.TrimSuffix(body, "}")+`,"scope":"system/*.*"}`)},
		{"payload nested 2,000 levels deep", wrong, rawSigned(key, header, `{"x":`+nested(2000)+"}")},
		{"payload is not UTF-8", wrong, rawSigned(key, header, "{\"sub\":\"\xff\"}")},

		{"`jwk` in the header, and the id of the good key", forged, sandbox.Signed(sandbox.Stranger(), object{"jwk": its, "kid": key.ID}, nil)},
		{"`jwk` in the header, and no id", forged, sandbox.Signed(sandbox.Stranger(), object{"jwk": its, "kid": nil}, nil)},
		{"`jwk` in the header, and its own id", unknownKey, sandbox.Signed(sandbox.Stranger(), object{"jwk": its}, nil)},
	} {
		g.rows = append(g.rows, verified(x.name, x.want, x.token))
	}
	for _, x := range []struct {
		name, want string
		header     object
	}{
		{"`alg` is missing", algorithm, object{"alg": nil}},
		{"`alg` is a number", notJWT, object{"alg": 256}},
		{"`alg` is `RS256` in another case", algorithm, object{"alg": "rs256"}},
		{"`alg` is `RS1`", algorithm, object{"alg": "RS1"}},
		{"RSA signature, but `alg` says ES256", unknownKey, object{"alg": "ES256"}},
		{"signature for RS256, but `alg` says PS256", forged, object{"alg": "PS256"}},
		{"RSA signature, but `kid` names the EC key", unknownKey, object{"kid": ec.ID}},
		{"`kid` is missing", authorized, object{"kid": nil}},
		{"`kid` is empty", authorized, object{"kid": ""}},
		{"`kid` is a number", notJWT, object{"kid": 1}},
		{"`kid` is a path", unknownKey, object{"kid": "../../../../dev/null"}},
		{"`kid` is a query", unknownKey, object{"kid": "' OR 1=1 --"}},
		{"`kid` has 8 KB", unknownKey, object{"kid": strings.Repeat("x", 8<<10)}},
		{"`crit` has an unknown name", notJWT, object{"crit": []string{"exp"}, "exp": sandbox.In(time.Hour)}},
		{"`crit` is empty", notJWT, object{"crit": []string{}}},
		{"`b64` is false", notJWT, object{"b64": false}},
		{"`enc` beside a signature", notJWT, object{"enc": "A256GCM"}},
		{"nested token", notJWT, object{"cty": "JWT"}},
		{"`typ` is logout token", notAccess, object{"typ": "logout+jwt"}},
		{"`typ` is proof of possession", notAccess, object{"typ": "dpop+jwt"}},
		{"`typ` is missing", authorized, object{"typ": nil}},
	} {
		g.rows = append(g.rows, verified(x.name, x.want, sandbox.Signed(key, x.header, nil)))
	}
	for _, x := range []struct {
		name, want, claim string
		value             any
	}{
		{"`exp` was an hour ago", denied("expired"), "exp", sandbox.In(-time.Hour)},
		{"`exp` is missing", wrong, "exp", nil},
		{"`exp` is null", wrong, "exp", json.RawMessage("null")},
		{"`exp` is a word", wrong, "exp", "never"},
		{"`nbf` is in an hour", denied("not_yet_valid"), "nbf", sandbox.In(time.Hour)},
		{"`iss` is another provider", foreign, "iss", "https://other.example.com/"},
		{"`iss` lacks the slash at its end", foreign, "iss", strings.TrimSuffix(sandbox.Issuer, "/")},
		{"`iss` differs in case", foreign, "iss", strings.ToUpper(sandbox.Issuer)},
		{"`iss` is an array with ours in it", foreign, "iss", []string{sandbox.Issuer}},
		{"`iss` is missing", foreign, "iss", nil},
		{"`aud` is another datastore", audience, "aud", "https://healthlake.us-east-1.amazonaws.com/datastore/1/r4/"},
		{"`aud` begins with ours", audience, "aud", sandbox.DatastoreEndpoint + "x"},
		{"`aud` is missing", audience, "aud", nil},
		{"`aud` is an object", wrong, "aud", object{sandbox.DatastoreEndpoint: true}},
		{"`token_use` is `\"refresh\"`", notAccess, "token_use", "refresh"},
		{"`active` is false", denied("inactive"), "active", false},
		{"`iamRoleARN` is `\"arn:aws:iam::999999999999:role/Admin\"`", authorized, "iamRoleARN", "arn:aws:iam::999999999999:role/Admin"},
	} {
		g.rows = append(g.rows, verified(x.name, x.want, sandbox.Signed(key, nil, object{x.claim: x.value})))
	}
	for _, name := range []string{"jku", "x5u"} {
		g.rows = append(g.rows,
			lured("`"+name+"` in the header, and the id of the good key", forged, name, key.ID),
			lured("`"+name+"` in the header, and its own id", unknownKey, name, sandbox.Stranger().ID))
	}
	return g
}

// lured is a token whose header says where its key can be fetched.
func lured(name, want, member, id string) row {
	header := object{"kid": id}
	return row{
		fault: name, want: want, verified: true,
		stage: func(s *scene) { header[member] = s.trap(idp.KeySet(with(sandbox.Stranger(), header))) },
		event: func(string) []byte { return sandbox.Event(sandbox.Signed(sandbox.Stranger(), header, nil)) },
	}
}
