package faults

import (
	"crypto/x509"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

// besideMain gives the function another issuer beside the main provider, which is asked about its tokens. The faults are the other
// issuer's, or the main provider's.
func besideMain(otherIsFaulty bool) func(*scene) {
	return func(s *scene) {
		keys := s.IDP.URL + idp.KeysPath
		if otherIsFaulty {
			keys, s.Document.AuthEndpointIntrospect = s.front.url+idp.KeysPath, s.IDP.URL+idp.IntrospectPath
		}
		s.Environment.MoreIssuers = []contract.Issuer{{Issuer: sandbox.Issuer, JWKS: keys, RequiredAudience: []string{"datastore"}}}
	}
}

// others is HealthLake's event with the other issuer's token.
func others(string) []byte { return sandbox.Event(sandbox.Signed(sandbox.Keys()[0], nil, nil)) }

// issuerFaults: what one issuer's provider does or fails to do delays and changes nothing for another's tokens.
func issuerFaults() group {
	g := group{title: "Several issuers"}
	add := func(r row, otherIsFaulty bool, name, want string) {
		r.fault, r.want, r.settings = name, want, besideMain(otherIsFaulty)
		g.rows = append(g.rows, r)
	}
	for _, x := range []struct {
		name string
		fault
	}{
		{"refuses connections", fault{refuse: true}},
		{"accepts connections, and nothing more", fault{conn: hold}},
		{"takes requests and never responds", raw(hold)},
		{"shows a certificate that nobody trusts", fault{config: serving(newAuthority(), x509.Certificate{IPAddresses: here})}},
		{"responds with HTTP 503", says(503, "application/json", "")},
	} {
		cold, lasting := provider("", x.fault, ""), provider("", x.fault, "")
		cold.cold, cold.lasting, lasting.lasting = true, true, true
		add(cold, true, "from the start the other issuer "+x.name+"; a token of the main provider", authorized)
		cold.lasting, cold.event, cold.slow = false, others, true
		add(cold, true, "from the start the other issuer "+x.name+"; a token of that issuer", noKeys)
		add(lasting, true, "the other issuer "+x.name+"; a token of the main provider", authorized)
		lasting.event, lasting.lasting = others, false
		add(lasting, true, "the other issuer "+x.name+"; a token of that issuer by a known key", authorized)
		add(lasting, false, "the main provider "+x.name+"; a token of the other issuer", authorized)
		cold.event = others
		add(cold, false, "from the start the main provider "+x.name+"; a token of the other issuer", authorized)
	}
	waiting := row{lasting: true, age: rest, stage: func(s *scene) {
		s.front.strike(raw(hold))
		s.call(byAStranger(""))
	}}
	add(waiting, true, "the other issuer never responds, and a token by an unknown key has waited for it; a token of the main provider",
		authorized)
	lying := provider("", says(200, "application/json", sandbox.Active()), "")
	lying.event = byAStranger
	add(lying, false, "the main provider calls every token active; a token of the other issuer by an unknown key", unknownKey)
	return g
}
