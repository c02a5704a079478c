package authorize

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/reason"
)

const (
	endpoint      = "https://healthlake.us-east-1.amazonaws.com/datastore/abc/r4/"
	tokenEndpoint = "https://idp.example/oauth2/token"
	roleARN       = "arn:aws:iam::123456789012:role/sof-hl-Role-for-HealthLake"
)

var now = time.Unix(1700584500, 250)

func parse(t testing.TB, text string) claims.Set {
	t.Helper()
	set, err := claims.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return set
}

// The decision table, row by row. A row's claims are added to an introspection answer that is good by itself; null takes
// a claim away.
func TestDecide(t *testing.T) {
	for _, test := range []struct {
		name   string
		claims string
		rules  Rules
		want   reason.Reason
	}{
		{name: "active", claims: `{}`, want: reason.Active},

		{name: "inactive", claims: `{"active": false}`, want: reason.Inactive},
		{name: "active missing", claims: `{"active": null}`, want: reason.Inactive},
		{name: "active as a string", claims: `{"active": "true"}`, want: reason.Inactive},
		{name: "active as a number", claims: `{"active": 1}`, want: reason.Inactive},
		{name: "active as an array", claims: `{"active": [true]}`, want: reason.Inactive},
		{name: "active under another case", claims: `{"active": null, "Active": true}`, want: reason.Inactive},
		{name: "active in ext only", claims: `{"active": null, "ext": {"active": true}}`, want: reason.Inactive},

		{name: "expired a second ago", claims: `{"exp": 1700584499}`, want: reason.Expired},
		{name: "expires now", claims: `{"exp": 1700584500}`, want: reason.Expired},
		{name: "expires in a second", claims: `{"exp": 1700584501}`, want: reason.Active},
		{name: "expired, as a string", claims: `{"exp": "1700584499"}`, want: reason.Expired},
		{name: "expired, as a float", claims: `{"exp": 1700584500.9}`, want: reason.Expired},
		{name: "expired at the epoch", claims: `{"exp": 0}`, want: reason.Expired},
		{name: "exp missing", claims: `{"exp": null}`, want: reason.Active},
		{name: "exp not a time", claims: `{"exp": "tomorrow"}`, want: reason.MalformedClaim},
		{name: "exp negative", claims: `{"exp": -1}`, want: reason.MalformedClaim},
		{name: "exp beyond int64", claims: `{"exp": 92233720368547758080}`, want: reason.MalformedClaim},
		{name: "exp true", claims: `{"exp": true}`, want: reason.MalformedClaim},
		{name: "exp in ext does not count", claims: `{"ext": {"exp": 1}}`, want: reason.Active},

		{name: "valid from now", claims: `{"nbf": 1700584500}`, want: reason.Active},
		{name: "valid in 60 s", claims: `{"nbf": 1700584560}`, want: reason.Active},
		{name: "valid in 61 s", claims: `{"nbf": 1700584561}`, want: reason.NotYetValid},
		{name: "iat ahead and no nbf", claims: `{"iat": 1700584561}`, want: reason.NotYetValid},
		{name: "nbf not a time", claims: `{"nbf": {}}`, want: reason.MalformedClaim},
		{name: "iat not a time", claims: `{"iat": "noon"}`, want: reason.MalformedClaim},

		{name: "ORY access token", claims: `{"token_use": "access_token"}`, want: reason.Active},
		{name: "Cognito access token", claims: `{"token_use": "access"}`, want: reason.Active},
		{name: "ORY refresh token", claims: `{"token_use": "refresh_token"}`, want: reason.NotAccessToken},
		{name: "Cognito ID token", claims: `{"token_use": "id"}`, want: reason.NotAccessToken},
		{name: "token_use empty", claims: `{"token_use": ""}`, want: reason.NotAccessToken},
		{name: "token_use under another case", claims: `{"token_use": "ACCESS_TOKEN"}`, want: reason.NotAccessToken},
		{name: "token_use not a string", claims: `{"token_use": ["access_token"]}`, want: reason.MalformedClaim},
		{name: "token_type bearer", claims: `{"token_type": "Bearer"}`, want: reason.Active},
		{name: "token_type access token", claims: `{"token_type": "access_token"}`, want: reason.Active},
		{name: "token_type refresh token", claims: `{"token_type": "refresh_token"}`, want: reason.NotAccessToken},
		{name: "token_type Refresh", claims: `{"token_type": "Refresh"}`, want: reason.NotAccessToken},
		{name: "token_type URN", claims: `{"token_type": "urn:ietf:params:oauth:token-type:refresh_token"}`, want: reason.NotAccessToken},
		{name: "token_type not a string", claims: `{"token_type": 5}`, want: reason.MalformedClaim},
		{name: "Keycloak access token", claims: `{"typ": "Bearer", "token_type": "Bearer"}`, want: reason.Active},
		{name: "Keycloak refresh token", claims: `{"typ": "Refresh"}`, want: reason.NotAccessToken},
		{name: "Keycloak offline token", claims: `{"typ": "Offline"}`, want: reason.NotAccessToken},
		{name: "Keycloak ID token", claims: `{"typ": "ID"}`, want: reason.NotAccessToken},

		{name: "token_type BEARER", claims: `{"token_type": "BEARER"}`, want: reason.Active},
		{name: "token_type access token URN", claims: `{"token_type": "urn:ietf:params:oauth:token-type:access_token"}`, want: reason.Active},
		{name: "token_type pop", claims: `{"token_type": "pop"}`, want: reason.NotAccessToken},
		{name: "token_type mac", claims: `{"token_type": "mac"}`, want: reason.NotAccessToken},
		{name: "token_type N_A", claims: `{"token_type": "N_A"}`, want: reason.NotAccessToken},
		{name: "token_type id_token", claims: `{"token_type": "id_token"}`, want: reason.NotAccessToken},
		{name: "token_type empty", claims: `{"token_type": ""}`, want: reason.NotAccessToken},
		{name: "typ JWT", claims: `{"typ": "JWT"}`, want: reason.Active},
		{name: "typ at+jwt", claims: `{"typ": "at+jwt"}`, want: reason.Active},
		{name: "typ RegistrationAccessToken", claims: `{"typ": "RegistrationAccessToken"}`, want: reason.NotAccessToken},
		{name: "typ InitialAccessToken", claims: `{"typ": "InitialAccessToken"}`, want: reason.NotAccessToken},
		{name: "typ dpop+jwt", claims: `{"typ": "dpop+jwt"}`, want: reason.NotAccessToken},
		{name: "typ unknown", claims: `{"typ": "whatever"}`, want: reason.NotAccessToken},

		{name: "bound by DPoP", claims: `{"cnf": {"jkt": "x"}, "token_type": "DPoP"}`, want: reason.SenderConstrained},
		{name: "bound by a certificate", claims: `{"cnf": {"x5t#S256": "x"}, "token_type": "Bearer"}`, want: reason.SenderConstrained},
		{name: "bound by something else", claims: `{"cnf": "x"}`, want: reason.SenderConstrained},
		{name: "token_type dpop", claims: `{"token_type": "dpop"}`, want: reason.SenderConstrained},
		{name: "Keycloak DPoP token", claims: `{"typ": "DPoP"}`, want: reason.SenderConstrained},
		{name: "a binding that is null", claims: `{"cnf": null}`, want: reason.Active},
		{name: "bound by DPoP, accepted", claims: `{"cnf": {"jkt": "x"}, "token_type": "DPoP", "typ": "DPoP"}`,
			rules: Rules{AcceptSenderConstrained: true}, want: reason.Active},
		{name: "a refresh token bound by DPoP, accepted", claims: `{"cnf": {"jkt": "x"}, "token_use": "refresh_token"}`,
			rules: Rules{AcceptSenderConstrained: true}, want: reason.NotAccessToken},

		{name: "an hour", claims: `{"iat": 1700584400, "exp": 1700588000}`, rules: Rules{MaxLifetime: time.Hour}, want: reason.Active},
		{name: "an hour and a second", claims: `{"iat": 1700584400, "exp": 1700588001}`, rules: Rules{MaxLifetime: time.Hour}, want: reason.Lifetime},
		{name: "an hour from the future", claims: `{"iat": 1700584560, "nbf": 1700584400, "exp": 1700588160}`, rules: Rules{MaxLifetime: time.Hour}, want: reason.Lifetime},
		{name: "a limit, and no iat", claims: `{"exp": 1700584600}`, rules: Rules{MaxLifetime: time.Hour}, want: reason.Lifetime},
		{name: "a limit, and no exp", claims: `{"iat": 1700584400}`, rules: Rules{MaxLifetime: time.Hour}, want: reason.Lifetime},

		{name: "Keycloak logout token", claims: `{"typ": "Logout"}`, want: reason.NotAccessToken},
		{name: "ID token by at_hash", claims: `{"at_hash": "x"}`, want: reason.NotAccessToken},
		{name: "ID token by c_hash", claims: `{"c_hash": "x"}`, want: reason.NotAccessToken},
		{name: "logout token by events", claims: `{"events": {}}`, want: reason.NotAccessToken},
		{name: "at_hash in ext does not count", claims: `{"ext": {"at_hash": "x"}}`, want: reason.Active},

		{name: "scope as an array", claims: `{"scope": ["a", "b"]}`, want: reason.Active},
		{name: "scope a number", claims: `{"scope": 1}`, want: reason.MalformedClaim},
		{name: "scope with null inside", claims: `{"scope": ["a", null]}`, want: reason.MalformedClaim},

		{name: "aud a number, not required", claims: `{"aud": 1}`, want: reason.MalformedClaim},
		{name: "iss a number, not required", claims: `{"iss": 1}`, want: reason.MalformedClaim},
		{name: "required audience", claims: `{"aud": "https://fhir.example"}`,
			rules: Rules{RequiredAudience: []string{"https://fhir.example"}}, want: reason.Active},
		{name: "required audience among others", claims: `{"aud": ["a", "https://fhir.example"]}`,
			rules: Rules{RequiredAudience: []string{"https://fhir.example"}}, want: reason.Active},
		{name: "required audience as a prefix", claims: `{"aud": "https://fhir.example.evil"}`,
			rules: Rules{RequiredAudience: []string{"https://fhir.example"}}, want: reason.Audience},
		{name: "one of two audiences", claims: `{"aud": "b"}`,
			rules: Rules{RequiredAudience: []string{"a", "b"}}, want: reason.Active},
		{name: "none of two audiences", claims: `{"aud": "c"}`,
			rules: Rules{RequiredAudience: []string{"a", "b"}}, want: reason.Audience},
		{name: "required audience missing", claims: `{}`,
			rules: Rules{RequiredAudience: []string{"https://fhir.example"}}, want: reason.Audience},
		{name: "required audience in ext only", claims: `{"ext": {"aud": "https://fhir.example"}}`,
			rules: Rules{RequiredAudience: []string{"https://fhir.example"}}, want: reason.Audience},
		{name: "datastore as audience", claims: `{"aud": ["` + endpoint + `"]}`,
			rules: Rules{RequiredAudience: []string{"datastore"}}, want: reason.Active},
		{name: "datastore without its slash", claims: `{"aud": "` + strings.TrimSuffix(endpoint, "/") + `"}`,
			rules: Rules{RequiredAudience: []string{"datastore"}}, want: reason.Active},
		{name: "another datastore", claims: `{"aud": "https://healthlake.us-east-1.amazonaws.com/datastore/abd/r4/"}`,
			rules: Rules{RequiredAudience: []string{"datastore"}}, want: reason.Audience},
		{name: "the word itself", claims: `{"aud": "datastore"}`,
			rules: Rules{RequiredAudience: []string{"datastore"}}, want: reason.Audience},

		{name: "Cognito's client as audience", claims: `{"token_use": "access", "client_id": "app"}`,
			rules: Rules{RequiredAudience: []string{"app"}}, want: reason.Active},
		{name: "a client id is no audience otherwise", claims: `{"client_id": "app"}`,
			rules: Rules{RequiredAudience: []string{"app"}}, want: reason.Audience},
		{name: "nor where there is an audience", claims: `{"token_use": "access", "client_id": "app", "aud": "x"}`,
			rules: Rules{RequiredAudience: []string{"app"}}, want: reason.Audience},

		{name: "required scope", claims: `{"scope": "openid fhir"}`,
			rules: Rules{RequiredScopes: []string{"fhir"}}, want: reason.Active},
		{name: "required scope in scp", claims: `{"scope": null, "scp": ["openid", "fhir"]}`,
			rules: Rules{RequiredScopes: []string{"fhir", "openid"}}, want: reason.Active},
		{name: "required scope as a part of a word", claims: `{"scope": "fhirUser"}`,
			rules: Rules{RequiredScopes: []string{"fhir"}}, want: reason.Scope},
		{name: "required scope behind a tab", claims: `{"scope": "openid\tfhir"}`,
			rules: Rules{RequiredScopes: []string{"fhir"}}, want: reason.Scope},
		{name: "one of two required scopes", claims: `{"scope": "fhir"}`,
			rules: Rules{RequiredScopes: []string{"fhir", "openid"}}, want: reason.Scope},
		{name: "required scope in ext only", claims: `{"scope": null, "ext": {"scope": "fhir"}}`,
			rules: Rules{RequiredScopes: []string{"fhir"}}, want: reason.Scope},

		{name: "trusted issuer", claims: `{"iss": "https://b.example/"}`,
			rules: Rules{TrustedIssuers: []string{"https://a.example/", "https://b.example/"}}, want: reason.Active},
		{name: "issuer off by its slash", claims: `{"iss": "https://b.example"}`,
			rules: Rules{TrustedIssuers: []string{"https://b.example/"}}, want: reason.Issuer},
		{name: "issuer missing", claims: `{}`,
			rules: Rules{TrustedIssuers: []string{"https://b.example/"}}, want: reason.Issuer},
		{name: "issuer in ext only", claims: `{"ext": {"iss": "https://b.example/"}}`,
			rules: Rules{TrustedIssuers: []string{"https://b.example/"}}, want: reason.Issuer},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := parse(t, `{"active": true, "exp": 1700588100, "scope": "system/*.*"}`)
			maps.Copy(set, parse(t, test.claims))
			d := Decide(set, endpoint, now, test.rules)
			if d.Reason != test.want || d.Authorized() != (test.want == reason.Active) {
				t.Fatalf("got %t because %s, want %s", d.Authorized(), d.Reason.Word, test.want.Word)
			}
			if !d.Authorized() {
				d.Claims, d.Mismatch = nil, reason.Mismatch{} // for the log
				if want := Deny(test.want, now); !reflect.DeepEqual(d, want) {
					t.Errorf("a denial carries %+v, want %+v", d, want)
				}
			}
		})
	}
}

// What HealthLake gets for an introspection answer.
func TestAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		claims string
		want   string // authPayload
	}{
		{
			name:   "all that HealthLake requires",
			claims: `{"active":true,"scope":"system/*.*","iat":1700584400,"nbf":1700584401,"exp":1700588100}`,
			want: `{"aud":"` + endpoint + `","exp":1700588100,"iat":1700584400,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":1700584401,"scope":"system/*.*"}`,
		},
		{
			name:   "nbf falls back to iat",
			claims: `{"active":true,"scope":"s","iat":1700584400,"exp":1700588100}`,
			want: `{"aud":"` + endpoint + `","exp":1700588100,"iat":1700584400,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":1700584400,"scope":"s"}`,
		},
		{
			name:   "nbf is never in the future, though the provider's clock is ahead",
			claims: `{"active":true,"scope":"s","iat":1700584530,"nbf":1700584560,"exp":1700588100}`,
			want: `{"aud":"` + endpoint + `","exp":1700588100,"iat":1700584530,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":1700584500,"scope":"s"}`,
		},
		{
			name:   "no times at all",
			claims: `{"active":true,"scope":"s"}`,
			want: `{"aud":"` + endpoint + `","exp":1700584560,"iat":1700584500,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":1700584500,"scope":"s"}`,
		},
		{
			name:   "times as floats and strings",
			claims: `{"active":true,"scope":"s","iat":1700584400.75,"nbf":"1700584401","exp":"1700588100.5"}`,
			want: `{"aud":"` + endpoint + `","exp":1700588100,"iat":1700584400,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":1700584401,"scope":"s"}`,
		},
		{
			name: "every claim goes through unchanged, but those that are ours",
			claims: `{"active":true,"scope":"s","iat":1,"nbf":2,"exp":1700588100,"client_id":"app","sub":"u1","aud":["x"],` +
				`"iss":"https://evil.example","isAuthorized":false,"ISAUTHORIZED":false,"iamRoleARN":"arn:evil","Aud":"x",` +
				`"fhirUser":"Practitioner/1","big":12345678901234567890123,"nested":{"b": [1.50, null]},"html":"<a&b>"}`,
			want: `{"aud":"` + endpoint + `","big":12345678901234567890123,"client_id":"app","exp":1700588100,` +
				`"fhirUser":"Practitioner/1","html":"<a&b>","iat":1,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":2,"nested":{"b": [1.50, null]},"scope":"s","sub":"u1"}`,
		},
		{
			name: "SMART launch context is lifted from ext, where the top has none",
			claims: `{"active":true,"scope":"s","iat":1,"nbf":2,"exp":1700588100,"patient":"top","encounter":null,"Location":"l","ext":{` +
				`"fhirUser":"Patient/7","patient":"nested","encounter":"e1","location":"m","PATIENT":"n","launch_response_patient":"p","tenant":"t",` +
				`"isAuthorized":false,"iamRoleARN":"arn:evil","iss":"x","aud":"x","scope":"system/*.*","exp":9,"active":true,` +
				`"scp":["system/*.*"],"sub":"other","client_id":"other","token_use":"access_token","username":"other"}}`,
			want: `{"Location":"l","aud":"` + endpoint + `","encounter":null,"exp":1700588100,"fhirUser":"Patient/7","iat":1,` +
				`"isAuthorized":true,"iss":"` + tokenEndpoint + `","launch_response_patient":"p","nbf":2,"patient":"top",` +
				`"scope":"s","tenant":"t"}`,
		},
		{
			name:   "an ext that is no object is dropped",
			claims: `{"active":true,"scope":"s","iat":1,"nbf":2,"exp":1700588100,"ext":["fhirUser"]}`,
			want: `{"aud":"` + endpoint + `","exp":1700588100,"iat":1,"isAuthorized":true,"iss":"` + tokenEndpoint +
				`","nbf":2,"scope":"s"}`,
		},
		{
			name:   "a denial is complete, and passes nothing on",
			claims: `{"active":false,"scope":"system/*.*","sub":"u1","ext":{"patient":"7"}}`,
			want: `{"aud":"` + endpoint + `","exp":1700584500,"iat":1700584500,"isAuthorized":false,"iss":"` + tokenEndpoint +
				`","nbf":1700584500,"scope":""}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := Decide(parse(t, test.claims), endpoint, now, Rules{})
			a := NewResponse(d, tokenEndpoint, endpoint, roleARN)
			got, err := a.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"authPayload":` + test.want + `,"iamRoleARN":"` + roleARN + `"}`; string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestClaimNames(t *testing.T) {
	names := map[string]string{
		"fhirUser": "https://clinic.example/fhirUser", "patient": "custom:patient", "isAuthorized": "x", "exp": "x", "iamRoleARN": "x",
	}
	for text, want := range map[string]string{
		`"https://clinic.example/fhirUser":"Practitioner/1","custom:patient":"7","x":false`: `"fhirUser":"Practitioner/1","patient":"7"`,
		`"custom:patient":"7","patient":"other"`:                                            `"patient":"7"`,
		`"ext":{"custom:patient":"7"}`:                                                      `"patient":"7"`,
		`"custom:patient":null,"patient":"own"`:                                             `"patient":"own"`,
	} {
		d := Decide(parse(t, `{"active":true,"scope":"s",`+text+`}`), endpoint, now, Rules{ClaimNames: names})
		a := NewResponse(d, tokenEndpoint, endpoint, roleARN)
		got := `"patient":` + string(a.AuthPayload["patient"])
		if fhirUser, ok := a.AuthPayload["fhirUser"]; ok {
			got = `"fhirUser":` + string(fhirUser) + "," + got
		}
		if got != want || string(a.AuthPayload["isAuthorized"]) != "true" || string(a.AuthPayload["scope"]) != `"s"` {
			t.Errorf("%s: got %s in %s, want %s", text, got, a.AuthPayload, want)
		}
	}
}

func TestMappedScope(t *testing.T) {
	r := Rules{ClaimNames: map[string]string{"scope": "roles"}, RequiredScopes: []string{"system/*.rs"}}
	for text, want := range map[string]string{
		`"roles":["system/*.rs","b"]`:             `"system/*.rs b"`,
		`"roles":["system/*.rs"],"scope":"other"`: `"system/*.rs"`,
		`"scope":"system/*.rs"`:                   `"system/*.rs"`,
	} {
		d := Decide(parse(t, `{"active":true,`+text+`}`), endpoint, now, r)
		if !d.Authorized() || string(d.scope) != want {
			t.Errorf("%s: got %t because %s with %s, want %s", text, d.Authorized(), d.Reason.Word, d.scope, want)
		}
	}
	if d := Decide(parse(t, `{"active":true,"roles":["b"],"scope":"system/*.rs"}`), endpoint, now, r); d.Authorized() {
		t.Error("scope counts beside the claim that it is mapped to")
	}
}

func TestScopeGoesThroughByteForByte(t *testing.T) {
	for claim, want := range map[string]string{
		`"scope":"patient/Observation.rs?category=laboratory&status=final"`: `"patient/Observation.rs?category=laboratory&status=final"`,
		`"scope":"  a  b "`:                 `"  a  b "`,
		`"scope":"\u00e9<>&\u2028"`:         `"\u00e9<>&\u2028"`,
		`"scope":""`:                        `""`,
		`"scope":["a","b&c"]`:               `"a b&c"`,
		`"scope":[]`:                        `""`,
		`"scp":["openid","patient/*.read"]`: `"openid patient/*.read"`,
		`"scp":"a b"`:                       `"a b"`,
		`"scope":"a","scp":["b"]`:           `"a"`,
		`"scope":null,"scp":["b"]`:          `"b"`,
		`"x":1`:                             `""`,
	} {
		d := Decide(parse(t, `{"active":true,`+claim+`}`), endpoint, now, Rules{})
		a := NewResponse(d, tokenEndpoint, endpoint, roleARN)
		text, err := a.JSON()
		if err != nil || !d.Authorized() {
			t.Fatalf("%s: %s, %v", claim, d.Reason.Word, err)
		}
		if !strings.Contains(string(text), `"scope":`+want) {
			t.Errorf("%s: got %s, want scope %s", claim, text, want)
		}
	}
}

// FuzzDecide holds the invariant that only an object whose active is exactly true authorizes, and that what goes to
// HealthLake is well formed whatever the provider sent.
func FuzzDecide(f *testing.F) {
	for _, seed := range []string{
		`{"active":true}`, `{"active":"true"}`, `{"active":false,"exp":1}`, `{"active":true,"exp":"1700588100","nbf":1.5}`,
		`{"active":true,"scope":["a"],"ext":{"patient":"1","isAuthorized":true}}`, `{"active":true,"isAuthorized":false}`,
		`{"active":true,"scp":["a","b"],"aud":["x"],"iss":"y"}`, `{"active":true,"IAMROLEARN":"x","ISS":1}`, `[]`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := claims.Parse([]byte(text))
		if err != nil {
			return
		}
		d := Decide(set, endpoint, now, Rules{})
		var plain map[string]any
		if err := json.Unmarshal([]byte(text), &plain); err == nil && d.Authorized() && plain["active"] != true {
			t.Fatalf("authorized with active %v", plain["active"])
		}
		a := NewResponse(d, tokenEndpoint, endpoint, roleARN)
		response, err := a.JSON()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got struct {
			AuthPayload map[string]json.RawMessage `json:"authPayload"`
			IAMRoleARN  string                     `json:"iamRoleARN"`
		}
		if err := json.Unmarshal(response, &got); err != nil {
			t.Fatalf("%s: %v", response, err)
		}
		authorized := string(got.AuthPayload["isAuthorized"])
		if (authorized == "true") != d.Authorized() || authorized != "true" && authorized != "false" || got.IAMRoleARN != roleARN {
			t.Fatalf("%s from %+v", response, d)
		}
		for name := range got.AuthPayload {
			for _, mine := range []string{"isAuthorized", "iss", "aud", "iamRoleARN", "scope", "nbf", "exp"} {
				if strings.EqualFold(name, mine) && name != mine || strings.EqualFold(name, "iamRoleARN") {
					t.Fatalf("%s passes through in %s", name, response)
				}
			}
		}
		for _, name := range []string{"nbf", "exp", "iat"} {
			var seconds int64
			if err := json.Unmarshal(got.AuthPayload[name], &seconds); err != nil {
				t.Fatalf("%s in %s: %v", name, response, err)
			}
		}
	})
}
