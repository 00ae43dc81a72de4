package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
	"github.com/postrider/postrider/internal/wire"
)

// Config holds what the API is told from outside.
type Config struct {
	Limits      message.Limits
	BodyBytes   int64            // the largest body; 0: what Limits can need
	MemoryBytes int64            // all bodies that are being read or stored, with what they decode to; 0: 448 MiB, four of the largest
	PublicURL   string           // how callers reach the server; "": as their requests say
	Version     string           // shown at /
	Now         func() time.Time // this host's clock; nil: time.Now
	Log         *slog.Logger     // one line per request; nil: nowhere
}

// Ports are what the API stands on.
type Ports struct {
	Accept    Accepter
	Check     Checker
	Batches   BatchAccepter
	Emails    Emails
	Contents  Contents
	Schedule  Rescheduler
	Files     Files
	FileBytes FileBytes
	Secrets   Secrets
	Health    Health
	Keys      Keys
	Manager   KeyManager
	Tenants   Tenants
	OpenBlob  render.Opener // reads files that are kept apart from their messages; nil: none is

	Templates Templates
	Editor    TemplateEditor
}

func (c Config) withDefaults() Config {
	if c.BodyBytes == 0 {
		c.BodyBytes = wire.BodyLimit(c.Limits)
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = 448 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// api is the handlers and what they share.
type api struct {
	Ports
	limits message.Limits
	intake intake
	batch  intake // of batches; what all bodies occupy is shared
	links  *links
	public string
	now    func() time.Time
}

// handler answers a request, or returns the error to refuse it with.
type handler func(w http.ResponseWriter, r *http.Request) error

// New returns the API as a handler. It fails without keys: such an API would
// refuse everybody, or take from anybody.
func New(config Config, ports Ports) (http.Handler, error) {
	c := config.withDefaults()
	if ports.Keys == nil {
		return nil, errors.New("http api: nobody knows API keys")
	}
	memory := semaphore.NewWeighted(c.MemoryBytes)
	a := &api{
		Ports: ports, limits: c.Limits, now: c.Now,
		intake: intake{each: c.BodyBytes, all: memory},
		links:  &links{secrets: ports.Secrets},
		public: c.PublicURL,
		batch:  intake{each: wire.BatchBodyLimit(c.Limits), all: memory},
	}
	docs, err := referencePage()
	if err != nil {
		return nil, fmt.Errorf("http api: %w", err)
	}
	return follow(c.Log, harden(a.unoffered(route(a.routes(c.Version, docs))))), nil
}

func (a *api) routes(version string, docs handler) *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /{$}":                    landing(version),
		"GET /healthz":                alive,
		"GET /readyz":                 ready(a.Health),
		"GET /openapi.json":           openAPI,
		"GET /docs":                   docs,
		"POST /v1/emails":             a.signed(toSend, a.postEmail),
		"POST /v1/emails/batch":       a.signed(toSend, a.postBatch),
		"GET /v1/emails":              a.signed(toRead, a.listEmails),
		"GET /v1/emails.csv":          a.signed(toRead, a.exportEmails),
		"GET /v1/emails/{id}":         a.signed(toRead, plain(a.getEmail)),
		"GET /v1/emails/{id}/content": a.signed(toSeeContent, a.getContent),
		"GET /v1/emails/{id}/events":  a.signed(toRead, a.listEvents),
		"PATCH /v1/emails/{id}":       a.signed(toChange, plain(a.patchEmail)),
		"POST /v1/emails/{id}/cancel": a.signed(toChange, plain(a.cancelEmail)),
		"POST /v1/emails/{id}/retry":  a.signed(toChange, plain(a.retryEmail)),
		"POST /v1/api-keys":           a.signed(toAdminister, plain(a.postKey)),
		"GET /v1/api-keys":            a.signed(toAdminister, a.listKeys),
		"DELETE /v1/api-keys/{id}":    a.signed(toAdminister, a.deleteKey),
		"POST /v1/tenants":            a.signed(toOperate, plain(a.postTenant)),
		"GET /v1/tenants":             a.signed(toOperate, a.listTenants),

		"POST /v1/templates":                a.signed(toChange, plain(a.postTemplate)),
		"GET /v1/templates":                 a.signed(toRead, a.listTemplates),
		"GET /v1/templates/{id}":            a.signed(toRead, plain(a.getTemplate)),
		"PATCH /v1/templates/{id}":          a.signed(toChange, plain(a.patchTemplate)),
		"DELETE /v1/templates/{id}":         a.signed(toChange, plain(a.deleteTemplate)),
		"POST /v1/templates/{id}/publish":   a.signed(toChange, plain(a.publishTemplate)),
		"POST /v1/templates/{id}/duplicate": a.signed(toChange, plain(a.duplicateTemplate)),
		"POST /v1/templates/{id}/render":    a.signed(toRead, plain(a.renderTemplate)),

		"GET /v1/emails/{id}/attachments":                          a.signed(toRead, a.listFiles),
		"GET /v1/emails/{id}/attachments/{attachment_id}":          a.signed(toRead, plain(a.getFile)),
		"GET /v1/emails/{id}/attachments/{attachment_id}/download": a.download, // signed in the link itself
	} {
		mux.Handle(pattern, refusing(h))
	}
	return mux
}

// refusing answers the error of h.
func refusing(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			trailOf(r.Context()).err = err
			refuse(w, r, err)
		}
	})
}

// route gives what no pattern matches the same body as every other refusal. A
// path that is not in its plain form is not found: to redirect it would take
// /v1/emails/../x for a way to elsewhere.
func route(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path.Clean(r.URL.Path) {
			refuse(w, r, nowhere(mux, r))
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r) // h alone would not see the path's values
			return
		}
		mute := &muted{header: http.Header{}}
		h.ServeHTTP(mute, r)
		if mute.status != http.StatusMethodNotAllowed {
			refuse(w, r, nowhere(mux, r))
			return
		}
		allow := mute.header.Get("Allow")
		w.Header().Set("Allow", allow)
		refuse(w, r, fault(codeMethodNotAllowed, "allowed here: "+allow))
	})
}

// nowhere names what is near a path that does not exist: the base URL of an SDK easily
// lacks its /v1, has it twice, or has a slash too many.
func nowhere(mux *http.ServeMux, r *http.Request) error {
	plain := path.Clean(r.URL.Path)
	for _, other := range []string{plain, "/v1" + plain, strings.TrimPrefix(plain, "/v1")} {
		_, pattern := mux.Handler(&http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Path: other}})
		if strings.Contains(pattern, "/v1/") {
			return fault(codeNotFound, "there is nothing at this path; did you mean "+pattern+"?")
		}
	}
	return fault(codeNotFound, "there is nothing at this path")
}

// muted keeps the status and header of an answer and drops its body.
type muted struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (m *muted) Header() http.Header { return m.header }

// WriteHeader implements http.ResponseWriter.
func (m *muted) WriteHeader(status int) { m.status = status }

// Write implements http.ResponseWriter.
func (m *muted) Write(p []byte) (int, error) { return len(p), nil }

// harden tells browsers to do nothing with the answers but show them.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
