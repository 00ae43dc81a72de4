package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/httpserver"
	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
	"github.com/postrider/postrider/internal/template"
)

// TestMain lets net/http wait for the half second in which it closes a connection whose
// body it did not read: goleak itself waits for less.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const (
	keyA    = "pr_test_alpha"
	keyB    = "pr_test_beta"
	tenantA = message.DefaultTenant
)

// world is the API on a socket, over a SQLite file of its own.
type world struct {
	t      testing.TB
	addr   string
	client *http.Client
	store  *store.Store
	log    *lines
	checks *checks
	server *httpserver.Server
}

// plan is what a world is made of; settings change it before.
type plan struct {
	limits message.Limits
	api    httpapi.Config
	server httpserver.Config
	ports  func(httpapi.Ports) httpapi.Ports
	now    func() time.Time
}

type setting func(*plan)

func limited(limits message.Limits) setting { return func(p *plan) { p.limits = limits } }

func newWorld(t testing.TB, settings ...setting) *world {
	t.Helper()
	w := &world{t: t, log: &lines{}, checks: &checks{}, client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	p := plan{
		limits: message.DefaultLimits(),
		api:    httpapi.Config{Version: "test", Log: log},
		server: httpserver.Config{Addr: "127.0.0.1:0", Log: log},
		ports:  func(ports httpapi.Ports) httpapi.Ports { return ports },
		now:    time.Now,
	}
	for _, set := range settings {
		set(&p)
	}
	w.store = openStore(t)
	templates := template.New(w.store, w.store)
	ring := keys.New(keys.Config{Finder: w.store, Counter: w.store})
	ring.Start(map[string]int64{keyA: tenantA, keyB: 2})
	service := accept.New(w.store, p.limits, func(message.Lane) {}, p.now, accept.WithGuard(ring), accept.WithTemplates(templates))
	service.Start()
	p.api.Limits, p.api.Now = p.limits, p.now
	batches := accept.NewBatches(w.store, service)
	w.serve(p.api, p.ports(httpapi.Ports{
		Accept: service, Check: service, Batches: batches, Emails: w.store, Contents: w.store, Schedule: w.store, OpenBlob: w.store.Parts().Open,
		Files: w.store, FileBytes: blobs.NewReader(w.store, w.store.Parts().Open), Secrets: w.store, Health: w.checks,
		Keys: ring, Manager: keys.NewManager(w.store, time.Now), Tenants: w.store,
		Templates: templates, Editor: templates,
	}), p.server)
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		for _, stop := range []func(context.Context) error{w.server.Stop, service.Stop, ring.Stop} {
			if err := stop(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{
		URL:    storetest.SQLite(t),
		Worker: message.Process{ID: uuid.New(), Program: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.EnsureTenants(t.Context(), []string{"beta"}); err != nil { // keyB's, number 2
		t.Fatal(err)
	}
	return s
}

func (w *world) serve(c httpapi.Config, p httpapi.Ports, s httpserver.Config) {
	w.t.Helper()
	handler, err := httpapi.New(c, p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = httpserver.New(s, handler)
	if err := w.server.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.addr = w.server.Addr()
}

// answer is a whole response.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// faults are those of the single fields, as "pointer code".
func (a answer) faults() []string {
	var list []string
	faults, _ := a.json["errors"].([]any)
	for _, f := range faults {
		field := f.(map[string]any)
		list = append(list, field["pointer"].(string)+" "+field["code"].(string))
	}
	return list
}

// do makes a request of tenant A with a JSON body, holds the answer against
// the document, and returns it. Headers are name and value in turn; a value of
// "-" leaves the header out.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.addr+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	return w.send(r, append([]string{"Authorization", "Bearer " + keyA, "Content-Type", "application/json"}, headers...)...)
}

func (w *world) send(r *http.Request, headers ...string) answer {
	w.t.Helper()
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "-" {
			r.Header.Del(headers[i])
		}
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	_ = json.Unmarshal(body, &a.json) // text/plain stays nil
	if t, ok := w.t.(*testing.T); ok {
		d, err := theDocument()
		if err != nil {
			t.Fatal(err)
		}
		d.check(t, r.Method, r.URL.Path, a.status, a.header, a.body)
	}
	return a
}

// want fails the test unless the answer has the status and, when refused, the
// code.
func (a answer) want(t testing.TB, status int, code string) {
	t.Helper()
	if a.status != status || code != "" && a.text("code") != code {
		t.Errorf("%d %s, want %d %s: %.500s", a.status, a.text("code"), status, code, a.body)
	}
}

// post sends a good email with more members, and returns its id.
func (w *world) post(members ...string) string {
	w.t.Helper()
	a := w.do("POST", "/v1/emails", email(members...))
	a.want(w.t, 202, "")
	return a.text("id")
}

// stored is the number of messages tenant A has.
func (w *world) stored() int {
	w.t.Helper()
	page, err := w.store.Emails(context.Background(), message.Filter{TenantID: tenantA, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(page.Views)
}

// email is a good one with more members; a member of the same name replaces
// that of the good one.
func email(members ...string) string {
	all := []string{`"from":"Acme <a@example.com>"`, `"to":"b@example.com"`, `"subject":"hello"`, `"text":"hi"`}
	for _, member := range members {
		name, _, _ := strings.Cut(member, ":")
		for i := range all {
			if strings.HasPrefix(all[i], name+":") {
				all = append(all[:i], all[i+1:]...)
				break
			}
		}
		all = append(all, member)
	}
	return "{" + strings.Join(all, ",") + "}"
}

// lines keeps what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.buf.String(), "\n"), "\n")
}

// checks is a health that says what the test sets.
type checks struct {
	mu   sync.Mutex
	list []httpapi.Check
}

func (c *checks) set(list ...httpapi.Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = list
}

func (c *checks) Check(context.Context) []httpapi.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list
}
