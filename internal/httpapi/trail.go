package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// requestTimeout ends what a request waits for inside, its body included. It is
// shorter than the server's write timeout, so that the caller learns of it.
const requestTimeout = 60 * time.Second

// trail is what is known of a request while it runs, for its line in the log.
type trail struct {
	id     string
	grant  *message.Grant // nil until the key is known
	status int
	bytes  int64
	code   message.Code // of the refusal
	err    error
}

type trailKey struct{}

func trailOf(ctx context.Context) *trail {
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		return t
	}
	return &trail{}
}

// follow gives every request an id, bounds its time, survives its panics and
// writes one line about it: never its body, its query or its key.
func follow(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		t := &trail{id: chooseID(r.Header.Get("X-Request-Id"))}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), trailKey{}, t), requestTimeout)
		defer cancel()
		w.Header().Set("X-Request-Id", t.id)
		counted := &counter{ResponseWriter: w, trail: t}
		r = r.WithContext(ctx)
		defer writeLine(log, r, t, begun)
		defer survive(counted, r)
		next.ServeHTTP(counted, r)
	})
}

// chooseID keeps an id that the caller gave, if it is one that can stand in
// logs and headers.
func chooseID(given string) string {
	if len(given) >= 8 && len(given) <= 64 && !strings.ContainsFunc(given, notIDRune) {
		return given
	}
	return message.NewID().String()
}

func notIDRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
}

// survive turns a panic into the answer to this one request.
func survive(w *counter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	w.trail.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	if w.trail.status == 0 {
		refuse(w, r, w.trail.err)
	}
}

func writeLine(log *slog.Logger, r *http.Request, t *trail, begun time.Time) {
	level := slog.LevelInfo
	if isProbe(r.URL.Path) && t.status < http.StatusBadRequest {
		level = slog.LevelDebug // asked every few seconds
	}
	attrs := []slog.Attr{
		slog.String("request_id", t.id),
		slog.String("method", shorten(r.Method)),
		slog.String("path", shorten(r.URL.Path)),
		slog.Int("status", t.status),
		slog.Int64("bytes", t.bytes),
		slog.Duration("took", time.Since(begun)),
		slog.String("remote", r.RemoteAddr),
	}
	if t.grant != nil {
		attrs = append(attrs, slog.Int64("tenant", t.grant.TenantID))
		if t.grant.KeyID != uuid.Nil {
			attrs = append(attrs, slog.String("key_id", t.grant.KeyID.String()))
		}
	}
	if t.code != "" {
		attrs = append(attrs, slog.String("code", string(t.code)))
	}
	if t.failed() {
		level = severity(r.Context())
		attrs = append(attrs, slog.String("error", t.err.Error()))
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

// failed reports whether the request met a fault that is not its caller's. An
// answer that was cut off has a status that says nothing of it.
func (t *trail) failed() bool {
	return t.err != nil && (t.status >= 500 && t.code != codeNotImplemented || t.status < 400)
}

// severity of a failed request: one whose caller has left fails by that.
func severity(ctx context.Context) slog.Level {
	if errors.Is(ctx.Err(), context.Canceled) {
		return slog.LevelInfo
	}
	return slog.LevelError
}

func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" }

func shorten(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// counter notes what is answered.
type counter struct {
	http.ResponseWriter
	trail *trail
}

// WriteHeader implements http.ResponseWriter.
func (c *counter) WriteHeader(status int) {
	if c.trail.status == 0 {
		c.trail.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *counter) Write(p []byte) (int, error) {
	if c.trail.status == 0 {
		c.trail.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(p)
	c.trail.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find what is beneath.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
