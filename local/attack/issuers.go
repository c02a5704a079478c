package main

import (
	"io"
	"net/http"
	"strings"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// attackIssuers are tokens that one of several issuers must not be believed for. The main provider verifies JWTs, or is asked and
// calls every token active. All keys have one id, and one issuer's name begins like another's.
func attackIssuers(introspected bool) func(*group) {
	return func(g *group) {
		const nameA, nameB = "https://idp.example/a", "https://idp.example/a-b"
		keys := []idp.Key{{ID: "one", Private: sandbox.Keys()[0].Private}, {ID: "one", Private: sandbox.Stranger().Private},
			{ID: "one", Private: sandbox.Keys()[1].Private}}
		names, audiences := []string{nameA, nameB, sandbox.Issuer}, []string{"for-a", "for-b", sandbox.DatastoreEndpoint}
		var providers []*sandbox.Sandbox
		for _, key := range keys[:2] {
			p := start(nil)
			defer p.Stop()
			p.IDP.SetKeys(key)
			providers = append(providers, p)
		}
		s := start(func(s *sandbox.Sandbox) {
			if !introspected {
				s.IDP.SetKeys(keys[2])
				s.Verify(s.IDP.URL + idp.KeysPath)
			}
			for i, p := range providers {
				s.Environment.MoreIssuers = append(s.Environment.MoreIssuers, contract.Issuer{Issuer: names[i], JWKS: p.IDP.URL + idp.KeysPath,
					RequiredAudience: []string{audiences[i]}})
			}
		})
		defer s.Stop()
		if introspected {
			s.IDP.SetFault(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, sandbox.Active()) })
			names, audiences = names[:2], audiences[:2] // every token of the main way is good
		}
		sign := func(key idp.Key, name, audience any) string {
			return sandbox.Signed(key, nil, object{"iss": name, "aud": audience})
		}
		g.call = func(token string) (bool, bool) { return send(s, token) }
		g.good = func() (bool, bool) {
			i := len(g.rows) % len(names)
			return send(s, sign(keys[i], names[i], audiences[i]))
		}

		var strangers, foreign, both []string
		for i, name := range names {
			for j := range keys {
				for k, audience := range append(audiences, "nobody") {
					switch token := sign(keys[j], name, audience); {
					case i != j && i == k:
						strangers = append(strangers, token)
					case i == j && i != k:
						foreign = append(foreign, token)
					case i != j:
						both = append(both, token)
					}
				}
			}
		}
		g.try("an issuer's token by another one's key", "", strangers...)
		g.try("an issuer's token for another one's audience", "", foreign...)
		g.try("both", "", both...)
		parts := strings.Split(sign(keys[0], nameA, "for-a"), ".")
		claims := sandbox.Claims().With(object{"iss": nameA, "aud": "for-a", "scope": "system/*.*"}).String()
		g.try("another token's signature, none, or garbage", "", parts[0]+"."+idp.Base64([]byte(claims))+"."+parts[2],
			parts[0]+"."+parts[1]+".", parts[0]+"."+parts[1]+".AA", idp.Base64([]byte(`{"alg":"none"}`))+"."+parts[1]+".", "x."+parts[1]+".y")
		if introspected {
			return
		}
		var near []string
		for _, name := range []any{nameA + "/", nameA[:len(nameA)-1], strings.ToUpper(nameA), nameA + " ", nameA + "\x00", nameA + "-", "", nil,
			[]string{nameA}, object{nameA: nameA}, 1} {
			near = append(near, sign(keys[0], name, "for-a"), sign(keys[2], name, sandbox.DatastoreEndpoint))
		}
		g.try("a name like an issuer's", "", near...)
		g.try("two issuers in one token", "", keys[0].Sign([]byte(keys[0].Header().String()), []byte(also(claims, `"iss":"`+sandbox.Issuer+`"`))),
			keys[2].Sign([]byte(keys[2].Header().String()), []byte(also(claims, `"\u0069ss":"`+sandbox.Issuer+`"`))))
		g.try("an issuer's token in another form", "", parts[0]+"."+parts[1], strings.Join(parts, ".")+".x.y", parts[0]+"."+parts[1]+"=."+parts[2],
			parts[0]+"."+parts[1]+"\n."+parts[2])
	}
}
