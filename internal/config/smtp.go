package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// TLSMode is how the connection to the relay host is protected.
type TLSMode string

// The modes. Required upgrades by STARTTLS and sends nothing without; implicit
// speaks TLS from the first byte; none has to be written out.
const (
	TLSRequired TLSMode = "required"
	TLSImplicit TLSMode = "implicit"
	TLSNone     TLSMode = "none"
)

// SMTPURL is the relay host.
type SMTPURL struct {
	Host     string
	Port     int
	User     string // empty: no login
	Password Secret
	TLS      TLSMode
}

// implicitPort is the port of TLS from the first byte (RFC 8314, 7.3).
const implicitPort = 465

const smtpRemedy = "write smtp://user:password@host:587?tls=required (or implicit, or none)"

// Decode reads smtp://user:password@host:port?tls=mode. Empty is none.
func (s *SMTPURL) Decode(text string) error {
	if text == "" {
		*s = SMTPURL{}
		return nil
	}
	u, err := parseLogin(text, smtpRemedy)
	switch {
	case err != nil:
		return err
	case u.Scheme == "smtps":
		return bad("begins with smtps://", "write smtp:// with ?tls=implicit")
	case u.Scheme != "smtp":
		return bad("does not begin with smtp://", smtpRemedy)
	case u.Hostname() == "":
		return bad("names no host", smtpRemedy)
	case u.Path != "" && u.Path != "/":
		return bad("has a path after the host", smtpRemedy)
	}
	return s.fill(u)
}

func (s *SMTPURL) fill(u *url.URL) error {
	password, _ := u.User.Password()
	next := SMTPURL{Host: u.Hostname(), User: u.User.Username(), Password: NewSecret(password)}
	var err error
	if next.TLS, err = tlsMode(u); err != nil {
		return err
	}
	if next.Port, err = smtpPort(u.Port(), next.TLS); err != nil {
		return err
	}
	switch {
	case next.User == "" && password != "":
		return bad("has a password and no user", smtpRemedy)
	case next.User != "" && password == "":
		return bad("has a user and no password", smtpRemedy)
	case next.Port == implicitPort && next.TLS != TLSImplicit:
		return bad("has port 465, where TLS comes first and nothing else is answered", "add ?tls=implicit, or give the port that speaks STARTTLS, most often 587")
	case next.TLS == TLSNone && next.User != "" && !next.local():
		return bad("would send the password in clear text", "use tls=required or tls=implicit, or leave user and password out")
	}
	*s = next
	return nil
}

func tlsMode(u *url.URL) (TLSMode, error) {
	query, err := url.ParseQuery(u.RawQuery)
	for name, values := range query {
		if name != "tls" || len(values) != 1 {
			return "", bad("has another parameter than one tls", smtpRemedy)
		}
	}
	switch mode := TLSMode(query.Get("tls")); mode {
	case TLSRequired, TLSImplicit, TLSNone:
		return mode, nil
	case "":
		if err == nil && !query.Has("tls") {
			return TLSRequired, nil
		}
	}
	return "", bad("has a tls that is not required, implicit or none", smtpRemedy)
}

func smtpPort(text string, mode TLSMode) (int, error) {
	if text == "" {
		return map[TLSMode]int{TLSRequired: 587, TLSImplicit: implicitPort, TLSNone: 25}[mode], nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, bad("has no port between 1 and 65535", smtpRemedy)
	}
	return port, nil
}

func (s SMTPURL) local() bool {
	ip, err := netip.ParseAddr(s.Host)
	return s.Host == "localhost" || err == nil && ip.IsLoopback()
}

// Set reports whether a relay host was given.
func (s SMTPURL) Set() bool { return s.Host != "" }

// Address is host:port.
func (s SMTPURL) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Plain is a relay host on this machine that speaks no TLS, such as the
// development inbox, which listens on the given address.
func Plain(listen Address) SMTPURL {
	host, text, _ := net.SplitHostPort(listen.String()) // an Address has a port
	port, _ := strconv.Atoi(text)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return SMTPURL{Host: host, Port: port, TLS: TLSNone}
}

// Reveal is the whole URL with its password. Not to be printed.
func (s SMTPURL) Reveal() string { return s.write(s.Password.Reveal()) }

// String is the URL with its password hidden.
func (s SMTPURL) String() string { return s.write(hidden) }

func (s SMTPURL) write(password string) string {
	if !s.Set() {
		return ""
	}
	login := ""
	if s.User != "" {
		login = url.UserPassword(s.User, password).String() + "@"
	}
	return fmt.Sprintf("smtp://%s%s?tls=%s", login, s.Address(), s.TLS)
}

// GoString hides the password from %#v.
func (s SMTPURL) GoString() string { return s.String() }
