package httpclient

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// ParseURL reads the URL of an endpoint that tokens, credentials or keys travel to or from: an absolute https URL, or an http
// one to this very machine (RFC 7662 section 4, RFC 8725 section 3.10). The error does not quote the text.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

func checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case host == "":
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(host):
		return nil
	}
	return errors.New("not an absolute https URL (http only for localhost)")
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
