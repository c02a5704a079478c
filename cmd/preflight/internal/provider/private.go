package provider

import (
	"context"
	"net"
	"net/url"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
)

// connectTimeout is how long a connection to a private address may take. This machine is in that network or it is not.
const connectTimeout = 3 * time.Second

// OutOfReach tells why the provider cannot be checked from this machine, "" if it can: the deployment is in a VPC, and what the
// function calls there has no name or only private addresses here, to which nothing connects.
func (p *Provider) OutOfReach(ctx context.Context) string {
	if !p.cfg.InVPC() {
		return ""
	}
	const ask = "; the deployment is in a VPC: after STACK=CheckToken make deploy, make preflight from-lambda asks from there"
	for _, endpoint := range p.cfg.Environment().Endpoints() {
		u, err := url.Parse(endpoint)
		if err != nil {
			continue
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		if err != nil {
			return u.Hostname() + " does not resolve on this machine" + ask
		}
		for _, a := range addresses {
			if p.Reach(a) == Private && !connects(ctx, contract.HostPort(endpoint)) {
				return u.Hostname() + " has the private address " + a.Unmap().String() + ", to which this machine does not connect" + ask
			}
		}
	}
	return ""
}

func connects(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: connectTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}
