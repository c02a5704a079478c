package provider

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
)

// Reach is from where an address can be reached. A larger one is more private.
type Reach int

// The reaches.
const (
	Public  Reach = iota
	Private       // from a network of its own
	Local         // from this machine, or its link
)

func (r Reach) String() string {
	return [...]string{"a public address", "an address of a private network", "an address of this machine"}[r]
}

// sharedSpace is for carriers' networks (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// ReachOf returns the reach of an address.
func ReachOf(a netip.Addr) Reach {
	a = a.Unmap()
	switch {
	case a.IsLoopback(), a.IsUnspecified(), a.IsLinkLocalUnicast(), a.IsMulticast():
		return Local
	case a.IsPrivate(), sharedSpace.Contains(a):
		return Private
	}
	return Public
}

// CheckReach returns an error if the document names an endpoint that is more private than the server it came from: an
// issuer elsewhere has no business on this machine or in its network.
func (p *Provider) CheckReach(ctx context.Context, d Document) error {
	for _, e := range elements {
		endpoint := d.Value(e.key)
		u, err := url.Parse(endpoint)
		if endpoint == "" || err != nil {
			continue
		}
		// A name that does not resolve here leads nowhere.
		addresses, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		for _, a := range addresses {
			if reach := p.Reach(a); reach > d.reach {
				return fmt.Errorf("%s is %s, on %v; the document came from %v", e.name, endpoint, reach, d.reach)
			}
		}
	}
	return nil
}
