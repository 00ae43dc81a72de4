package mailer

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/render"
)

// Config says where and how to send. Zero durations and numbers stand for the
// defaults.
type Config struct {
	// URL is smtp://user:password@host:port?tls=required|implicit|none. TLS is
	// required, by STARTTLS, unless the URL says otherwise; "implicit" is TLS
	// from the first byte. The default ports are 587, 465 and 25. Over
	// tls=none, a user and password are refused for any host but the loopback.
	URL       string
	HelloName string         // the name in EHLO; default: the host's name
	RootCAs   *x509.CertPool // nil: the system's
	Logger    *slog.Logger   // nil: none
	OpenBlob  render.Opener  // reads what is kept apart from its message; nil: nothing is

	DialTimeout  time.Duration // from dialling to the end of AUTH; 30 s
	SendTimeout  time.Duration // from the call of Send to the final dot; 2 min
	ReplyTimeout time.Duration // for the reply to the dot; 10 min, as RFC 5321 4.5.3.2.6 asks

	MaxIdle      int           // open sessions kept while not in use; 100
	SessionMails int           // mails after which a session is ended; 100
	SessionIdle  time.Duration // idle time after which it is; 60 s
}

func (c Config) withDefaults() Config {
	if c.HelloName == "" {
		c.HelloName = hostName()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	def(&c.DialTimeout, 30*time.Second)
	def(&c.SendTimeout, 2*time.Minute)
	def(&c.ReplyTimeout, 10*time.Minute)
	def(&c.SessionIdle, time.Minute)
	def(&c.MaxIdle, 100)
	def(&c.SessionMails, 100)
	return c
}

func def[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// hostName falls back to what every host may call itself: some refuse names
// with other characters than these.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return "localhost"
	}
	return name
}

// tlsMode is when a session is encrypted.
type tlsMode string

const (
	tlsRequired tlsMode = "required"
	tlsImplicit tlsMode = "implicit"
	tlsNone     tlsMode = "none"
)

// relayHost is a Config's URL, read. It never prints its password.
type relayHost struct {
	name     string // the host, without the port
	addr     string // host:port; what receipts and errors call it
	mode     tlsMode
	user     string
	password string
}

var errURL = errors.New("the relay host's URL must read smtp://user:password@host:port?tls=required, with special characters in user and password percent-encoded")

// parseURL never quotes the URL in an error: it holds a password.
func parseURL(raw string) (relayHost, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "smtp" || u.Hostname() == "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return relayHost{}, errURL
	}
	h := relayHost{name: u.Hostname(), mode: tlsRequired}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return relayHost{}, errURL
	}
	for key, values := range query {
		if key != "tls" || len(values) != 1 {
			return relayHost{}, fmt.Errorf("the relay host's URL knows one parameter, tls, once; it has %q", key)
		}
		h.mode = tlsMode(values[0])
	}
	if h.addr, err = hostPort(u, h.mode); err != nil {
		return relayHost{}, err
	}
	if u.User != nil {
		h.user = u.User.Username()
		h.password, _ = u.User.Password()
	}
	return h, h.checkLogin()
}

func hostPort(u *url.URL, mode tlsMode) (string, error) {
	ports := map[tlsMode]string{tlsRequired: "587", tlsImplicit: "465", tlsNone: "25"}
	port, known := ports[mode]
	if !known {
		return "", fmt.Errorf("tls must be required, implicit or none in the relay host's URL, not %q", mode)
	}
	if p := u.Port(); p != "" {
		port = p
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("the port in the relay host's URL must be from 1 to 65535, not %s", port)
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// checkLogin keeps passwords off the network unless they are encrypted. Only
// what cannot leave this host is exempt, and only by being written out.
func (h *relayHost) checkLogin() error {
	if (h.user == "") != (h.password == "") {
		return errors.New("the relay host's URL must hold both a user and a password, or neither")
	}
	if h.user == "" || h.mode != tlsNone || h.name == "localhost" {
		return nil
	}
	if ip := net.ParseIP(h.name); ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("the relay host's URL holds a password but says tls=none: it would cross the network readable; use tls=required or tls=implicit")
}

func (h *relayHost) tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		ServerName: h.name, RootCAs: roots, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
}

// redactor blots out the login wherever a server's words repeat it, in the
// forms in which AUTH sent it.
func (h *relayHost) redactor() *strings.Replacer {
	if h.password == "" {
		return strings.NewReplacer()
	}
	encode := base64.StdEncoding.EncodeToString
	var pairs []string
	for _, secret := range []string{
		encode([]byte("\x00" + h.user + "\x00" + h.password)), encode([]byte(h.password)), encode([]byte(h.user)), h.password, clean(h.password),
	} {
		pairs = append(pairs, secret, "[redacted]")
	}
	return strings.NewReplacer(pairs...)
}
