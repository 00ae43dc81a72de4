package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Address is a host:port to listen on. An empty host is every interface; port 0
// is any free port.
type Address string

// Decode reads host:port.
func (a *Address) Decode(text string) error {
	const remedy = "write host:port or :port, such as 127.0.0.1:8080"
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return bad("is not a listen address", remedy)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return bad("has no port between 0 and 65535", remedy)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !validHost(host) {
		return bad("has a host that is neither a name nor an address", remedy)
	}
	*a = Address(text)
	return nil
}

// String is host:port as it was written.
func (a Address) String() string { return string(a) }

// Loopback reports whether only this machine can reach the address.
func (a Address) Loopback() bool {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// HostName is a name of the DNS in ASCII; empty is allowed.
type HostName string

// Decode reads a host name.
func (h *HostName) Decode(text string) error {
	if text != "" && !validHost(text) {
		return bad("is not a host name", "write a name such as mail.example.com")
	}
	*h = HostName(text)
	return nil
}

// validHost follows RFC 1123, 2.1: labels of letters, digits and inner dashes;
// underscores are let through because containers are named with them.
func validHost(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if !made(label, "-_") {
			return false
		}
	}
	return true
}

// ServerURL is the address of a Postrider server without a trailing slash.
type ServerURL string

// Decode reads an http or https URL without user, query and fragment. Empty is none.
func (u *ServerURL) Decode(text string) error {
	const remedy = "write http://host:port or https://host"
	if text == "" {
		*u = ""
		return nil
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return bad("is not an http:// or https:// URL", remedy)
	}
	if parsed.User != nil || strings.ContainsAny(text, "?#") {
		return bad("has more than scheme, host, port and path", remedy+"; the key goes into POSTRIDER_API_KEY")
	}
	*u = ServerURL(strings.TrimRight(text, "/"))
	return nil
}

// String is the URL.
func (u ServerURL) String() string { return string(u) }

// made reports whether s is of ASCII letters, digits and the other signs alone. It is
// not put in lower case first: that makes a k of the Kelvin sign.
func made(s, others string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"+others) == ""
}
