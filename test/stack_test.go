package test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/internal/wire"
	"github.com/postrider/postrider/test/rig"
)

const apiKey = "story-key-0123456789"

type mode string

const (
	embedded    mode = "embedded"
	distributed mode = "distributed"
)

// setting is what a story asks of its stack beyond the usual.
type setting struct {
	script    smtptest.Script   // of the relay host
	env       map[string]string // of every process
	consumers int               // distributed only; 2
	smtp      string            // another relay host than the scripted one
	cable     *cable            // to Postgres; nil: none of the story's own
}

// stack is a running Postrider with a relay host.
type stack struct {
	testing.TB
	mode     mode
	relay    *smtptest.Server
	env      map[string]string
	api      string
	metrics  []string
	producer *process
	workers  []*process // in embedded mode the producer itself
	prefix   string     // of the queues
	database string
}

// inBothModes tells a story once embedded and once distributed.
func inBothModes(t *testing.T, s setting, story func(s *stack)) {
	t.Parallel()
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			story(newStack(t, m, s))
		})
	}
}

// aloneInBothModes is for stories that move so many bytes that beside others, on a busy
// machine, they would meet the time limits of statements, bodies and connections.
func aloneInBothModes(t *testing.T, s setting, story func(s *stack)) {
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) { story(newStack(t, m, s)) })
	}
}

func newStack(t testing.TB, m mode, set setting) *stack {
	t.Helper()
	s := configured(t, m, set)
	if m == embedded {
		s.database = "sqlite:" + filepath.Join(t.TempDir(), "story.db")
	} else {
		s.useServices()
	}
	s.env["POSTRIDER_DATABASE_URL"] = s.database
	if set.cable != nil {
		s.env["POSTRIDER_DATABASE_URL"] = set.cable.through(t, s.database)
	}
	maps.Copy(s.env, set.env)
	s.startAll(set)
	return s
}

// configured is a stack of which only the relay host runs yet.
func configured(t testing.TB, m mode, set setting) *stack {
	t.Helper()
	s := &stack{TB: t, mode: m, relay: smtptest.New(t, set.script)}
	s.env = map[string]string{
		"POSTRIDER_API_KEYS": "default:" + apiKey, "POSTRIDER_LOG_FORMAT": "json",
		"POSTRIDER_CONSUMERS": "critical:2,high:2,normal:8,low:2",
		"POSTRIDER_LEASE":     "6s", "POSTRIDER_SWEEP_INTERVAL": "1s", "POSTRIDER_SHUTDOWN_GRACE": "20s",
		"POSTRIDER_SMTP_URL": s.relay.URL("none", "", ""), "POSTRIDER_HELLO_NAME": "stories.example",
	}
	if set.smtp != "" {
		s.env["POSTRIDER_SMTP_URL"] = set.smtp
	}
	return s
}

// useServices gives the story a schema and a queue prefix of its own.
func (s *stack) useServices() {
	s.prefix = "story-" + uuid.NewString()[:13]
	s.env["POSTRIDER_RABBITMQ_URL"] = service(s.TB, "POSTRIDER_TEST_RABBITMQ_URL")
	s.env["POSTRIDER_RABBITMQ_PREFIX"] = s.prefix
	schema := strings.ReplaceAll(s.prefix, "-", "_")
	base := service(s.TB, "POSTRIDER_TEST_DATABASE_URL")
	s.execSQL(base, "CREATE SCHEMA "+schema)
	s.Cleanup(func() {
		s.execSQL(base, "DROP SCHEMA "+schema+" CASCADE")
		deleteQueues(s.TB, service(s.TB, "POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL"), s.prefix)
	})
	u, err := url.Parse(base)
	if err != nil {
		s.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	s.database = u.String()
}

func (s *stack) execSQL(dsn, statement string) {
	s.Helper()
	db := s.openSQL(dsn)
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		s.Errorf("%s: %v", statement, err)
	}
}

// openSQL is another connection to the database than those of the programs.
func (s *stack) openSQL(dsn string) *sql.DB {
	s.Helper()
	driver := "pgx"
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+file+"?_pragma=busy_timeout(60000)" // the program writes to it now and then
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		s.Fatal(err)
	}
	return db
}

func (s *stack) startAll(set setting) {
	s.api = "http://" + freeAddress(s.TB)
	if s.mode == embedded {
		s.startProducer()
		s.workers = []*process{s.producer}
	} else {
		s.migrate()
		s.startProducer()
		for range cmp.Or(set.consumers, 2) {
			s.startConsumer()
		}
	}
}

func (s *stack) migrate() {
	p := launch(s.TB, "postrider", []string{"POSTRIDER_DATABASE_URL=" + s.database}, "migrate")
	<-p.done
	if p.torn = true; p.err != nil {
		s.Fatalf("migrate: %v\n%s", p.err, p.out)
	}
}

// startProducer starts, or after a kill restarts, what takes messages in.
func (s *stack) startProducer() {
	s.Helper()
	if s.mode == embedded {
		s.producer = launch(s.TB, "postrider", s.producerEnviron(), "serve")
		s.workers = []*process{s.producer}
	} else {
		s.producer = launch(s.TB, "producer", s.producerEnviron())
	}
	s.awaitReady(s.producer, s.api)
}

func (s *stack) producerEnviron() []string {
	return s.environ("POSTRIDER_LISTEN="+strings.TrimPrefix(s.api, "http://"), s.metricsListen())
}

// startConsumer adds a consumer process.
func (s *stack) startConsumer() *process {
	s.Helper()
	p := launch(s.TB, "consumer", s.environ(s.metricsListen()))
	s.workers = append(s.workers, p)
	s.awaitReady(p, s.metrics[len(s.metrics)-1])
	return p
}

// awaitReady waits until every part that the process stands on works.
func (s *stack) awaitReady(p *process, base string) {
	s.Helper()
	s.eventually(p.name+" is ready", func() bool {
		res, err := http.Get(base + "/readyz")
		if err != nil {
			if p.exited() {
				s.Fatalf("%s exited: %v", p.name, p.err)
			}
			return false
		}
		defer func() { _ = res.Body.Close() }()
		var state struct{ Status string }
		return json.NewDecoder(res.Body).Decode(&state) == nil && state.Status == "ok"
	})
}

// restart kills a process and starts one of its kind again.
func (s *stack) restart(p *process) *process {
	p.kill()
	if p == s.producer {
		s.startProducer()
		return s.producer
	}
	s.workers = slices.DeleteFunc(s.workers, func(w *process) bool { return w == p })
	return s.startConsumer()
}

func (s *stack) environ(more ...string) []string {
	for name, value := range s.env {
		more = append(more, name+"="+value)
	}
	return more
}

func (s *stack) metricsListen() string {
	addr := freeAddress(s.TB)
	s.metrics = append(s.metrics, "http://"+addr)
	return "POSTRIDER_METRICS_LISTEN=" + addr
}

func freeAddress(t testing.TB) string {
	t.Helper()
	addr, err := rig.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// email is a request body.
type email map[string]any

// mail is the smallest email to the given recipients.
func mail(to ...string) email {
	return email{"from": "Shop <shop@sender.example>", "to": to, "subject": "A story", "text": "Once upon a time."}
}

func (e email) with(key string, value any) email {
	e = maps.Clone(e)
	e[key] = value
	return e
}

// post sends an email in and returns its id; anything but 202 fails the story.
func (s *stack) post(e email) string {
	s.Helper()
	status, id, body := s.tryPost(e, "")
	if status != http.StatusAccepted {
		s.Fatalf("post: %d %s", status, body)
	}
	return id
}

func (s *stack) tryPost(e email, key string) (status int, id, body string) {
	s.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		s.Fatal(err)
	}
	res, err := s.request(http.MethodPost, "/v1/emails", key, data)
	if err != nil {
		return 0, "", err.Error()
	}
	var receipt wire.Receipt
	_ = json.Unmarshal(res.body, &receipt)
	return res.status, receipt.ID, string(res.body)
}

type response struct {
	status int
	header http.Header
	body   []byte
}

// caller has more patience than a server, which takes 90 s for a request, and the time
// that a busy machine adds.
var caller = &http.Client{Timeout: 3 * time.Minute}

func (s *stack) request(method, path, key string, body []byte) (response, error) {
	req, err := http.NewRequest(method, s.api+path, bytes.NewReader(body))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := caller.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, data}, err
}

// get returns the message as the API shows it.
func (s *stack) get(id string) wire.Email {
	s.Helper()
	e, err := s.tryGet(id)
	if err != nil {
		s.Fatal(err)
	}
	return e
}

func (s *stack) tryGet(id string) (e wire.Email, err error) {
	res, err := s.request(http.MethodGet, "/v1/emails/"+id, "", nil)
	if err != nil {
		return e, err
	}
	if res.status != http.StatusOK {
		return e, fmt.Errorf("get %s: %d %s", id, res.status, res.body)
	}
	return e, json.Unmarshal(res.body, &e)
}

// await polls the message until it has the status. An API that is away for a
// while is part of many stories.
func (s *stack) await(id string, want message.Status) wire.Email {
	s.Helper()
	var e wire.Email
	var err error
	s.eventually(fmt.Sprintf("%s is %s", id, want), func() bool {
		e, err = s.tryGet(id)
		return err == nil && e.Status == want
	})
	return e
}

// patience is the longest a story waits for anything. Reaching it is a failure.
const patience = 4 * time.Minute

// eventually polls from outside, as a user would: often at first, then less, since
// the questions of stories that wait side by side would else fill the machine.
func (s *stack) eventually(what string, cond func() bool) {
	s.Helper()
	deadline := time.Now().Add(patience)
	for wait := 10 * time.Millisecond; !cond(); wait = min(wait*5/4, 250*time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(wait)
	}
}

// deleteQueues removes what the story declared at the broker, whose management API
// is at base.
func deleteQueues(t testing.TB, base, prefix string) {
	names := []string{prefix + ".dead"}
	for _, lane := range message.Lanes() {
		names = append(names, prefix+".email."+string(lane))
	}
	for _, name := range names {
		manage(t, http.MethodDelete, base+"/api/queues/%2F/"+name)
	}
	manage(t, http.MethodDelete, base+"/api/exchanges/%2F/"+prefix)
}

// manage calls the broker's management API; what is not there is fine.
func manage(t testing.TB, method, target string) {
	t.Helper()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", method, target, err)
		return
	}
	_ = res.Body.Close()
}

// connectionsOf lists the broker's connections that belong to the process: their
// client names end with its pid.
func connectionsOf(t testing.TB, base string, p *process) []string {
	t.Helper()
	res, err := http.Get(base + "/api/connections")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var all []struct {
		Name       string `json:"name"`
		Properties struct {
			ConnectionName string `json:"connection_name"`
		} `json:"client_properties"`
	}
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range all {
		if strings.HasSuffix(c.Properties.ConnectionName, fmt.Sprintf("/%d", p.PID())) {
			names = append(names, url.PathEscape(c.Name))
		}
	}
	return names
}
