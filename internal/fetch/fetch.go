// Package fetch gets files by URLs that strangers wrote. Every address is judged when it
// is dialled, after names are resolved and for every redirect, so that no spelling of an
// address and no name leads into the network that this process stands in.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"github.com/postrider/postrider/internal/message"
)

const (
	dialTime     = 5 * time.Second
	answerTime   = 10 * time.Second // until the header of the answer
	wholeTime    = 15 * time.Second // for one file, redirects and all
	maxHeader    = 64 << 10         // bytes
	maxRedirects = 3
)

// Config is what a Fetcher is told from outside.
type Config struct {
	Allow    []string      // host or host:port that may be dialled wherever it is
	Program  string        // told as User-Agent
	Resolver *net.Resolver // nil: the system's
}

// Fetcher gets files. Safe for concurrent use.
type Fetcher struct {
	client  *http.Client
	allow   []string
	program string
}

// New returns a fetcher.
func New(c Config) *Fetcher {
	f := &Fetcher{allow: c.Allow, program: c.Program}
	guard := ssrf.New(ssrf.WithPorts(80, 443))
	f.client = &http.Client{
		Timeout: wholeTime, CheckRedirect: checkRedirect,
		Transport: routes{
			allowed: f.isAllowed,
			inside:  transport(&net.Dialer{Timeout: dialTime, Resolver: c.Resolver}),
			outside: transport(&net.Dialer{Timeout: dialTime, Resolver: c.Resolver, Control: guard.Safe}),
		},
	}
	return f
}

// transport keeps no connection: which host comes next is a stranger's choice. It asks no
// proxy, which would dial whatever it is told to.
func transport(d *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: d.DialContext, TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: answerTime,
		MaxResponseHeaderBytes: maxHeader, DisableKeepAlives: true, DisableCompression: true,
	}
}

// routes dials only what the operator has named without a guard.
type routes struct {
	allowed         func(*url.URL) bool
	inside, outside http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r routes) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.allowed(req.URL) {
		return r.inside.RoundTrip(req)
	}
	return r.outside.RoundTrip(req)
}

func (f *Fetcher) isAllowed(u *url.URL) bool {
	return slices.Contains(f.allow, strings.ToLower(u.Host)) || slices.Contains(f.allow, strings.ToLower(u.Hostname()))
}

var (
	errRedirects = errors.New("it is redirected more than 3 times")
	errRedirect  = errors.New("it is redirected to a URL that is not followed: to http from https, to another scheme, or with a login")
)

// checkRedirect follows to where the caller could have sent us himself, and not from
// what is encrypted to what is not.
func checkRedirect(next *http.Request, before []*http.Request) error {
	last := before[len(before)-1].URL
	switch {
	case len(before) > maxRedirects:
		return errRedirects
	case next.URL.User != nil, next.URL.Scheme != "https" && (next.URL.Scheme != "http" || last.Scheme == "https"):
		return errRedirect
	}
	return nil
}

// Fetch gets the file behind a URL, of at most limit bytes. The error is a
// *message.FetchError whose words are the same for every address that is not reached,
// refused or not there: the caller is told nothing about this network.
func (f *Fetcher) Fetch(ctx context.Context, rawURL string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, http.NoBody)
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.User != nil {
		return nil, &message.FetchError{Detail: "must be the URL of a file, http or https, without a login"}
	}
	req.Header.Set("User-Agent", f.program)
	req.Header.Set("Accept-Encoding", "identity")
	res, err := f.client.Do(req)
	if err != nil {
		return nil, notReached(err)
	}
	defer func() { _ = res.Body.Close() }() // what was read counts, the rest is not wanted
	if err := checkAnswer(res, limit); err != nil {
		return nil, err
	}
	return read(res.Body, limit)
}

func notReached(err error) error {
	for _, told := range []error{errRedirects, errRedirect} {
		if errors.Is(err, told) {
			return &message.FetchError{Detail: told.Error()}
		}
	}
	return &message.FetchError{Detail: "the file cannot be had from there: the host is not known, not open to everybody, or does not answer as it should in time"}
}

func checkAnswer(res *http.Response, limit int64) error {
	encoding := res.Header.Get("Content-Encoding")
	switch {
	case res.StatusCode != http.StatusOK:
		return &message.FetchError{Detail: fmt.Sprintf("the host answers %d instead of 200", res.StatusCode)}
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return &message.FetchError{Detail: "the host sends the file in a Content-Encoding, although none was asked for"}
	case res.ContentLength > limit:
		return tooLarge(limit)
	}
	return nil
}

func read(from io.Reader, limit int64) ([]byte, error) {
	var data bytes.Buffer
	n, err := data.ReadFrom(io.LimitReader(from, limit+1))
	switch {
	case n > limit:
		return nil, tooLarge(limit)
	case err != nil:
		return nil, &message.FetchError{Detail: "the file did not arrive whole, or not in time"}
	}
	return data.Bytes(), nil
}

func tooLarge(limit int64) error {
	return &message.FetchError{Detail: fmt.Sprintf("the file is larger than the %d bytes that the message has left", limit)}
}
