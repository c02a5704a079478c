package contract

import (
	"net"
	"net/url"
	"strings"
)

// Origin is the scheme, host and port of a URL (RFC 6454 section 4): https://idp.example for
// https://IDP.example:443/introspect. It is "" for what is no absolute URL.
func Origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if defaultPort := map[string]string{"https": "443", "http": "80"}[scheme]; u.Port() == defaultPort {
		host = strings.TrimSuffix(host, ":"+defaultPort)
	}
	return scheme + "://" + strings.TrimSuffix(host, ":")
}

// HostPort is the host and port that a URL leads to: idp.example:443 for https://idp.example/introspect. It is "" for what is no
// absolute URL.
func HostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
