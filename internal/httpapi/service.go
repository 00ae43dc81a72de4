package httpapi

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/reference"
)

//go:embed openapi.json
var openAPIDocument []byte

func openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPIDocument)
	return nil
}

// referencePage answers with the document as people read it.
func referencePage() (handler, error) {
	page, err := reference.New(openAPIDocument)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", page.Policy)
		_, _ = w.Write(page.HTML)
		return nil
	}, nil
}

func landing(version string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintf(w, `Postrider %s: reliable email for applications.

  POST /v1/emails        send an email (Authorization: Bearer <key>)
  GET  /v1/emails/{id}   what became of it
  GET  /docs             the whole API, described
  GET  /openapi.json     the same for programs
  GET  /readyz           whether everything works

Documentation: https://github.com/postrider/postrider/blob/main/docs/http-api.md
`, version)
		return nil
	}
}

// alive answers as long as the process can answer at all. What it stands on is
// ready's: restarting this process repairs no database.
func alive(w http.ResponseWriter, _ *http.Request) error {
	return write(w, http.StatusOK, map[string]CheckStatus{"status": CheckOK})
}

// Probes answers /healthz and /readyz alone, without a key and without a line in
// the log: whoever watches a process asks every few seconds.
func Probes(health Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", refusing(alive))
	mux.Handle("GET /readyz", refusing(ready(health)))
	return harden(route(mux))
}

const (
	checkTimeout = 3 * time.Second
	checkKept    = time.Second // anybody may ask; the database is asked once a second
)

// ready names the state of every part: 200 when messages can be accepted, also
// where something is degraded, else 503.
func ready(health Health) handler {
	last := &checked{health: health}
	return func(w http.ResponseWriter, r *http.Request) error {
		checks := last.checks(r.Context())
		overall := worst(checks)
		status := http.StatusOK
		if overall == CheckDown {
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "5")
		}
		return write(w, status, readiness{overall, checks})
	}
}

type readiness struct {
	Status CheckStatus `json:"status"`
	Checks []Check     `json:"checks"`
}

func worst(checks []Check) CheckStatus {
	overall := CheckOK
	for _, c := range checks {
		if c.Status == CheckDown || overall == CheckOK {
			overall = c.Status
		}
	}
	return overall
}

// checked keeps the last answers for a moment.
type checked struct {
	health Health
	mu     sync.Mutex
	at     time.Time
	last   []Check
}

func (c *checked) checks(ctx context.Context) []Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < checkKept {
		return c.last
	}
	// Who asked may leave; the answer is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	c.last = append([]Check{}, c.health.Check(ctx)...)
	c.at = time.Now()
	return c.last
}
