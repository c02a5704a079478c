// Package provider checks a configuration against the identity provider that it names, the way the function and SMART apps
// will meet it: without following redirects, without proxies, by TLS 1.2 or later.
package provider

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/internal/checktoken"
	"healthlake-smart-on-fhir/internal/claims"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/introspect"
	"healthlake-smart-on-fhir/internal/reason"
)

// Of HealthLake's 1,000 ms the function gives the provider less than 900; beyond 300 a slow moment uses them up.
const (
	goodTime = 300 * time.Millisecond
	lastTime = 900 * time.Millisecond
)

// soonExpired is when a certificate's end is worth a warning: renewals that work happen earlier.
const soonExpired = 14 * 24 * time.Hour

// Provider is the identity provider of one configuration. It keeps its connections open, as the function does.
type Provider struct {
	cfg       config.Config
	secrets   Secrets
	calls     int
	transport *httpclient.Transport
	client    *introspect.Client
}

// New returns a provider whose introspection is timed over so many calls. roots are the authorities that certificates are
// checked against, nil for the system's.
func New(cfg config.Config, secrets Secrets, roots *x509.CertPool, calls int) *Provider {
	transport := httpclient.NewTransport(roots)
	return &Provider{cfg: cfg, secrets: secrets, calls: calls, transport: transport, client: introspect.New(transport)}
}

// Check makes all checks that need no token.
func (p *Provider) Check(ctx context.Context, l *checklist.List) {
	document, discovered := p.Discover(ctx, p.issuer())
	usable := p.endpoints(ctx, document, l)
	switch {
	case discovered != nil:
		l.Fail("discovery document", discovered.Error(), "correct authIssuer (or authEndpoint): clients find the provider by it")
	default:
		l.OK("discovery document", document.URL)
		p.agree(document, l)
	}
	p.jwks(ctx, document, l)
	switch {
	case p.cfg.TokenValidation == config.TokenValidationJWT:
		skipIntrospection(l, "tokenValidation is jwt: the provider is not asked about tokens")
	case !usable:
		skipIntrospection(l, "authEndpointIntrospect is not usable, see above")
	default:
		p.introspection(ctx, l)
	}
}

func skipIntrospection(l *checklist.List, reason string) {
	for _, check := range []string{checkCredentials, checkMadeUp, checkTime} {
		l.Skip(check, reason)
	}
}

// Offline lists what Check would check, as skipped.
func Offline(l *checklist.List, reason string) {
	for _, check := range []string{"endpoints", "discovery document", checkJWKS, checkCredentials, checkMadeUp, checkTime} {
		l.Skip(check, reason)
	}
}

const (
	checkJWKS        = "JWKS authEndpointJwks"
	checkCredentials = "introspection credentials"
	checkMadeUp      = "introspection of a made-up token"
	checkTime        = "introspection time"
	checkToken       = "token"
)

func (p *Provider) issuer() string {
	if p.cfg.AuthIssuer != "" {
		return p.cfg.AuthIssuer
	}
	return p.cfg.AuthEndpoint
}

// endpoint is what an endpoint is asked. POST endpoints get an empty form, which none of them can act on.
type endpoint struct {
	key, url, method string
	missing          func(l *checklist.List, check, reason, mend string) // what to make of 404 and 405; nil: nothing
	redirects        bool                                                // a redirect is a good answer
}

// endpoints asks each of them at once and tells whether the introspection endpoint is worth a real question.
func (p *Provider) endpoints(ctx context.Context, d Document, l *checklist.List) (usable bool) {
	all := []endpoint{
		{"authEndpoint", p.cfg.AuthEndpoint, http.MethodGet, nil, true}, // a base, not a page
		{"authEndpointAuthorize", p.cfg.AuthEndpointAuthorize, http.MethodGet, (*checklist.List).Fail, true},
		{"authEndpointToken", p.cfg.AuthEndpointToken, http.MethodPost, (*checklist.List).Fail, false},
		{"authEndpointIntrospect", p.cfg.AuthEndpointIntrospect, http.MethodPost, (*checklist.List).Fail, false},
		{"authEndpointRevoke", p.cfg.AuthEndpointRevoke, http.MethodPost, (*checklist.List).Fail, false},
		// An empty POST might register a client.
		{"authEndpointRegister", p.cfg.AuthEndpointRegister, http.MethodGet, (*checklist.List).Warn, false},
		{"authEndpointManage", p.cfg.AuthEndpointManage, http.MethodGet, (*checklist.List).Warn, true},
	}
	all = slices.DeleteFunc(all, func(e endpoint) bool { return e.url == "" })
	replies := make([]reply, len(all))
	faults := make([]error, len(all))
	var wait sync.WaitGroup
	for i, e := range all {
		wait.Go(func() { replies[i], faults[i] = p.send(ctx, e.method, e.url) })
	}
	wait.Wait()

	var private []string
	for i, e := range all {
		good := p.judge(e, replies[i], faults[i], d, l)
		if e.key == "authEndpointIntrospect" {
			usable = good
		}
		if replies[i].private {
			private = append(private, e.key)
		}
	}
	if len(private) > 0 {
		l.Warn("endpoints from elsewhere", "only this machine or network reaches "+strings.Join(private, ", "),
			"deploy with endpoints that Lambda and your apps reach")
	}
	return usable
}

// judge adds the row of one endpoint and tells whether it is what it should be.
func (p *Provider) judge(e endpoint, r reply, err error, d Document, l *checklist.List) bool {
	check := "endpoint " + e.key
	mend := "correct " + e.key
	if theirs := d.Value(e.key); theirs != "" && theirs != e.url {
		mend = "set " + e.key + " to " + theirs + ", as the provider's discovery document has it"
	}
	answer := fmt.Sprintf("%s answers %s with HTTP %d", host(e.url), e.method, r.status)
	// GET at a place for POST alone, such as registration, gets 405.
	missing := r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed && e.method == http.MethodPost
	switch {
	case err != nil:
		l.Fail(check, fmt.Sprintf("%s: %v", host(e.url), err), advice(e.key, err))
		return false
	case missing && e.missing != nil:
		e.missing(l, check, answer+": no such endpoint", mend)
		return false
	case r.location != "" && !e.redirects:
		l.Fail(check, answer+", a redirect to "+r.location, mend+": the request's secrets would have to follow it")
		return false
	case r.status >= http.StatusInternalServerError:
		l.Warn(check, answer, "look into the provider's log")
	case !r.notAfter.IsZero() && time.Until(r.notAfter) < soonExpired:
		l.Warn(check, "the certificate expires on "+r.notAfter.UTC().Format(time.DateOnly), "renew it")
	default:
		l.OK(check, answer)
	}
	return true
}

// jwks reads the provider's keys, if they are advertised.
func (p *Provider) jwks(ctx context.Context, d Document, l *checklist.List) {
	if p.cfg.AuthEndpointJwks == "" {
		l.Skip(checkJWKS, "none is advertised")
		return
	}
	mend := "correct authEndpointJwks"
	if theirs := d.Value("authEndpointJwks"); theirs != "" && theirs != p.cfg.AuthEndpointJwks {
		mend = "set authEndpointJwks to " + theirs + ", as the provider's discovery document has it"
	}
	r, err := p.send(ctx, http.MethodGet, p.cfg.AuthEndpointJwks)
	if err != nil {
		l.Fail(checkJWKS, fmt.Sprintf("%s: %v", host(p.cfg.AuthEndpointJwks), err), advice("authEndpointJwks", err))
		return
	}
	set, err := readObject(r)
	if err != nil {
		l.Fail(checkJWKS, err.Error(), mend)
		return
	}
	var keys []struct {
		Kty string           `json:"kty"`
		D   *json.RawMessage `json:"d"`
		K   *json.RawMessage `json:"k"`
	}
	// RFC 7517 section 5.
	if json.Unmarshal(set["keys"], &keys) != nil || len(keys) == 0 {
		l.Fail(checkJWKS, "no array of keys in it", mend)
		return
	}
	for _, k := range keys {
		switch {
		case k.Kty == "":
			l.Fail(checkJWKS, "a key without kty", "mend the provider's keys")
			return
		case k.D != nil || k.K != nil:
			l.Fail(checkJWKS, "a private or symmetric key is published", "take it down and replace it at once")
			return
		}
	}
	l.OK(checkJWKS, plural(len(keys), "key"))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// introspection asks about tokens that nobody has.
func (p *Provider) introspection(ctx context.Context, l *checklist.List) {
	auth, reason := p.secrets.auth(p.cfg)
	if reason != "" {
		for _, check := range []string{checkCredentials, checkMadeUp, checkTime} {
			l.Skip(check, reason)
		}
		return
	}
	answer, err := p.ask(ctx, auth, "preflight-"+rand.Text(), patience)
	if err != nil {
		reason, mend := refusal(err, auth)
		l.Fail(checkCredentials, reason, mend)
		l.Skip(checkMadeUp, "introspection failed")
		l.Skip(checkTime, "introspection failed")
		return
	}
	p.credentials(ctx, auth, l)
	switch {
	case answer.True("active"):
		l.Fail(checkMadeUp, "active: true, so that every token would be authorized",
			"authEndpointIntrospect is not an introspection endpoint (RFC 7662), or the provider is broken")
		l.Skip(checkTime, "the answers mean nothing")
		return
	case string(answer["active"]) != "false":
		l.Fail(checkMadeUp, "no boolean active in the answer, so that no token would be authorized",
			"authEndpointIntrospect is not an introspection endpoint (RFC 7662)")
		l.Skip(checkTime, "the answers mean nothing")
		return
	}
	l.OK(checkMadeUp, "active: false")
	p.time(ctx, auth, l)
}

// credentials tells whether ours, which were not refused, were looked at.
func (p *Provider) credentials(ctx context.Context, auth introspect.Auth, l *checklist.List) {
	if auth.Method == introspect.MethodNone {
		l.OK(checkCredentials, "none are asked for")
		return
	}
	_, err := p.ask(ctx, introspect.Auth{Method: introspect.MethodNone}, "preflight-"+rand.Text(), patience)
	if err == nil {
		l.Warn(checkCredentials, "the provider answers without credentials too, so ours were not checked",
			"see that only your network reaches the endpoint, and set introspectionAuth to none")
		return
	}
	l.OK(checkCredentials, "accepted: "+describe(auth))
}

// time makes the calls one after the other on a connection that is open, as a process that is warm does.
func (p *Provider) time(ctx context.Context, auth introspect.Auth, l *checklist.List) {
	var took []time.Duration
	for range p.calls {
		begin := time.Now()
		_, err := p.ask(ctx, auth, "preflight-"+rand.Text(), 2*time.Second)
		if err != nil {
			reason, mend := refusal(err, auth)
			l.Fail(checkTime, fmt.Sprintf("call %d of %d: %s", len(took)+1, p.calls, reason), mend)
			return
		}
		took = append(took, time.Since(begin))
	}
	judgeTime(took, l)
}

func judgeTime(took []time.Duration, l *checklist.List) {
	p50, p99 := percentile(took, 50), percentile(took, 99)
	reason := fmt.Sprintf("p50 %d ms, p99 %d ms of %s from here; HealthLake waits 1000 ms for the whole answer",
		p50.Milliseconds(), p99.Milliseconds(), plural(len(took), "call"))
	const mend = "bring the provider closer to the region, or make it faster"
	switch {
	case p99 > lastTime:
		l.Fail(checkTime, reason, mend)
	case p99 > goodTime:
		l.Warn(checkTime, reason, mend)
	default:
		l.OK(checkTime, reason)
	}
}

// percentile is the nearest-rank one.
func percentile(took []time.Duration, p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[int(math.Ceil(p/100*float64(len(sorted))))-1]
}

func (p *Provider) ask(ctx context.Context, auth introspect.Auth, token string, within time.Duration) (claims.Set, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer, err := p.client.Introspect(ctx, p.cfg.AuthEndpointIntrospect, auth, token)
	return answer.Claims, err
}

// refusal is what to say and to do about an introspection's error.
func refusal(err error, auth introspect.Auth) (reason, mend string) {
	var e *introspect.Error
	if !errors.As(err, &e) {
		return "no answer", "see that the provider runs"
	}
	switch e.Kind {
	case introspect.KindUnauthorized:
		return fmt.Sprintf("HTTP %d: the provider refuses %s", e.Status, describe(auth)), credentialsAdvice(auth)
	case introspect.KindRedirect:
		return fmt.Sprintf("HTTP %d, a redirect, which the function does not follow", e.Status), "correct authEndpointIntrospect"
	case introspect.KindStatus:
		if e.Status == http.StatusBadRequest {
			// RFC 6749 section 5.2: invalid_client may come as 400 too.
			return fmt.Sprintf("HTTP 400 to %s", describe(auth)), credentialsAdvice(auth) + "; or correct authEndpointIntrospect"
		}
		return fmt.Sprintf("HTTP %d", e.Status), "correct authEndpointIntrospect, or look into the provider's log"
	case introspect.KindMalformed:
		return "the answer is not one JSON object", "correct authEndpointIntrospect: this may be a page for people"
	case introspect.KindTooLarge:
		return "the answer is over 64 KiB", "correct authEndpointIntrospect: this may be a page for people"
	case introspect.KindTimeout:
		return "no answer in time", "see why the provider is slow; the function waits for less than a second"
	case introspect.KindUnreachable:
		cause := e.Unwrap()
		return cause.Error(), advice("authEndpointIntrospect", cause)
	}
	return "the credentials or the endpoint cannot be used", "correct authEndpointIntrospect and introspectionAuth"
}

// Token checks a real token as the function would and returns what HealthLake would get for it, nil if that would be an
// error. endpoint is the datastore's.
func (p *Provider) Token(ctx context.Context, token, endpoint string, now time.Time, l *checklist.List) []byte {
	environment, document := p.cfg.Environment(), p.cfg.Document()
	auth, missing := p.secrets.auth(p.cfg)
	if missing != "" && environment.TokenValidation != contract.TokenValidationJWT {
		l.Skip(checkToken, missing)
		return nil
	}
	environment.IntrospectionAuth = string(auth.Method)
	document.ClientSecret, document.APIKey = auth.ClientSecret, auth.APIKey
	checker, err := checktoken.New(environment, p.transport, func() time.Time { return now })
	if err != nil {
		l.Fail(checkToken, err.Error(), "report this")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result, err := checker.Check(ctx, token, endpoint, document)
	if err != nil {
		cause, fix := undecided(err, auth)
		l.Fail(checkToken, cause, fix)
		return nil
	}
	text, err := result.Response.JSON()
	switch {
	case err != nil:
		l.Fail(checkToken, reason.Response.Meaning, reason.Response.Fix)
		return nil
	case result.Reason == reason.Active:
		l.OK(checkToken, "authorized")
	default:
		l.Warn(checkToken, "denied: "+result.Reason.Word+": "+plain(result.Reason.Meaning), plain(result.Reason.Fix))
	}
	return text
}

// undecided is what to say and to do about an error of checking a token.
func undecided(err error, auth introspect.Auth) (cause, fix string) {
	var failed *checktoken.Error
	if errors.As(err, &failed) && failed.Reason == reason.Keys {
		return err.Error(), plain(reason.Keys.Fix)
	}
	return refusal(err, auth)
}

// plain is a text of the table of reasons without its Markdown.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }
