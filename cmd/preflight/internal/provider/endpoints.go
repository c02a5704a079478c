package provider

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
)

// certificateWarning is how long before a certificate ends a warning comes: automatic renewal happens earlier.
const certificateWarning = 14 * 24 * time.Hour

// endpoint is one endpoint and the request that is sent to it. POST endpoints get an empty form, on which none can act.
type endpoint struct {
	key, url, method string
	missing          func(l *checklist.List, check, reason, fix string) // reports status 404 or 405; nil: they are fine
	redirects        bool                                               // it may redirect
}

// endpoints asks all endpoints at once and tells whether the introspection endpoint is usable.
func (p *Provider) endpoints(ctx context.Context, d Document, l *checklist.List) (usable bool) {
	all := []endpoint{
		{"authEndpoint", p.cfg.AuthEndpoint, http.MethodGet, nil, true}, // a base for other URLs, not a page
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
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, e := range all {
		wait.Go(func() { replies[i], errs[i] = p.send(ctx, e.method, e.url) })
	}
	wait.Wait()

	var private []string
	for i, e := range all {
		ok := judge(e, replies[i], errs[i], d, l)
		if e.key == "authEndpointIntrospect" {
			usable = ok
		}
		fromVPC := e.key == "authEndpointIntrospect" && p.cfg.InVPC() // the function is in a private network too
		if replies[i].reach != Public && !fromVPC {
			private = append(private, e.key)
		}
	}
	if len(private) > 0 {
		l.Warn("private endpoints", "only this machine or network can reach "+strings.Join(private, ", "),
			"deploy with endpoints that Lambda and your apps can reach")
	}
	return usable
}

// judge adds the row of one endpoint and tells whether it is usable.
func judge(e endpoint, r reply, err error, d Document, l *checklist.List) bool {
	check := "endpoint " + e.key
	fix := d.fixFor(e.key, e.url)
	response := fmt.Sprintf("%s: HTTP %d to %s", host(e.url), r.status, e.method)
	// An endpoint for POST alone, such as registration, refuses GET with 405.
	missing := r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed && e.method == http.MethodPost
	switch {
	case err != nil:
		l.Fail(check, fmt.Sprintf("%s: %v", host(e.url), err), connectionFix(e.key, err))
		return false
	case missing && e.missing != nil:
		e.missing(l, check, response+", no such endpoint", fix)
		return false
	case r.location != "" && !e.redirects:
		l.Fail(check, response+", a redirect to "+r.location, fix+": credentials are not sent to another place")
		return false
	case r.status >= http.StatusInternalServerError:
		l.Warn(check, response, "look at the provider's log")
	case !r.notAfter.IsZero() && time.Until(r.notAfter) < certificateWarning:
		l.Warn(check, "the certificate expires on "+r.notAfter.UTC().Format(time.DateOnly), "renew it")
	default:
		l.OK(check, response)
	}
	return true
}
