package app

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/storetest"
)

// seeing is how long a test waits for a fault to be seen: 10 s of work that
// fails, two looks, and a busy machine.
const seeing = time.Minute

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// find returns the entries of the message about the part.
func (l *lines) find(msg, part string) (found []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		entry := map[string]any{}
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == msg && entry["part"] == part {
			found = append(found, entry)
		}
	}
	return found
}

// running is a program whose faults can be seen.
type running struct {
	*testing.T
	app *App
	log *lines
}

// runs starts serve with the settings, and what it writes kept.
func runs(t *testing.T, env map[string]string) *running {
	t.Helper()
	r := &running{T: t, log: &lines{}}
	cfg := settings(t, env)
	var err error
	log := slog.New(forMachines(r.log, slog.LevelInfo))
	if r.app, err = assemble(t.Context(), log, servePlan(cfg, Build{Program: "postrider", Version: "test"})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.app.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := r.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *running) get(path string) (status int, body []byte) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get("http://" + r.app.Addr("metrics") + path)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	body, _ = io.ReadAll(res.Body)
	return res.StatusCode, body
}

// ready is what /readyz says of the part, and its status.
func (r *running) ready(part string) (httpapi.Check, int) {
	status, body := r.get("/readyz")
	var answer struct{ Checks []httpapi.Check }
	_ = json.Unmarshal(body, &answer)
	for _, c := range answer.Checks {
		if c.Name == part {
			return c, status
		}
	}
	return httpapi.Check{}, status
}

// counts returns a series of this program; -1: there is none.
func (r *running) counts(format string, args ...any) float64 {
	_, body := r.get("/metrics")
	series := "postrider_" + fmt.Sprintf(format, args...) + " "
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, series); ok {
			var n float64
			_, _ = fmt.Sscan(value, &n)
			return n
		}
	}
	return -1
}

// sees waits until /readyz, a counter and the log all tell of the fault.
func (r *running) sees(part, cause string, status httpapi.CheckStatus) httpapi.Check {
	r.Helper()
	var seen httpapi.Check
	r.until(fmt.Sprintf("%s: %s", part, cause), func() bool { seen, _ = r.ready(part); return seen.Cause == cause })
	_, code := r.ready(part)
	if seen.Status != status || (code == http.StatusOK) != (status != httpapi.CheckDown) || seen.Detail == "" || seen.Remedy == "" {
		r.Errorf("/readyz answers %d: %+v", code, seen)
	}
	if n := r.counts(`faults_total{cause="%s",part="%s"}`, cause, label(part)); n < 1 {
		r.Errorf("%s: %s was counted %v times", part, cause, n)
	}
	told := r.log.find("fault", part)
	if len(told) == 0 || told[len(told)-1]["cause"] != cause || told[len(told)-1]["remedy"] != seen.Remedy {
		r.Errorf("the log says of the %s: %v", part, told)
	}
	return seen
}

// heals waits until all three say that it is over.
func (r *running) heals(part string) {
	r.Helper()
	r.until(part+" is well again", func() bool { c, _ := r.ready(part); return c.Status == httpapi.CheckOK })
	if len(r.log.find("fault is over", part)) == 0 {
		r.Errorf("the log does not say that the fault of the %s is over", part)
	}
	if n := r.counts(`fault_seconds_total{part="%s"}`, label(part)); n <= 0 {
		r.Errorf("the %s was at fault for %v s", part, n)
	}
}

func (r *running) until(what string, done func() bool) {
	r.Helper()
	deadline := time.After(seeing)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			_, body := r.get("/readyz")
			r.Fatalf("waited in vain for %s\n%s", what, body)
		}
	}
}

// fromEnvironment is where a service of the tests is.
func fromEnvironment(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run 'make services', then '. .services/env'", name)
	}
	return value
}

// schema is a schema of the test's own in Postgres: its URL, and a handle to it.
func schema(t *testing.T) (string, *sql.DB) {
	t.Helper()
	database := storetest.Postgres(t)
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return database, db
}

func execute(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// broker is a virtual host and a user of the test's own at RabbitMQ.
type broker struct {
	*testing.T
	name       string
	management *url.URL
	url        string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{T: t, name: "app-" + uuid.NewString()}
	var err error
	if b.management, err = url.Parse(fromEnvironment(t, "POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL")); err != nil {
		t.Fatal("POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL cannot be read")
	}
	u, err := url.Parse(fromEnvironment(t, "POSTRIDER_TEST_RABBITMQ_URL"))
	if err != nil {
		t.Fatal("POSTRIDER_TEST_RABBITMQ_URL cannot be read")
	}
	u.User, u.Path = url.UserPassword(b.name, "geheim"), "/"+b.name
	b.url = u.String()
	b.call("PUT", "/api/vhosts/"+b.name, nil)
	b.call("PUT", "/api/users/"+b.name, map[string]string{"password": "geheim", "tags": ""})
	b.permit(".*")
	t.Cleanup(func() {
		b.call("DELETE", "/api/users/"+b.name, nil)
		b.call("DELETE", "/api/vhosts/"+b.name, nil)
	})
	return b
}

// permit lets the user do everything with the names that match.
func (b *broker) permit(names string) {
	b.Helper()
	b.allow(map[string]string{"configure": names, "write": names, "read": names})
}

func (b *broker) allow(rights map[string]string) {
	b.Helper()
	b.call("PUT", "/api/permissions/"+b.name+"/"+b.name, rights)
}

// hangUp has the broker close the user's connections.
func (b *broker) hangUp() {
	b.Helper()
	b.call("DELETE", "/api/connections/username/"+b.name, nil)
}

func (b *broker) call(method, path string, body any) {
	b.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequest(method, b.management.Scheme+"://"+b.management.Host+path, bytes.NewReader(sent))
	if err != nil {
		b.Fatal(err)
	}
	password, _ := b.management.User.Password()
	req.SetBasicAuth(b.management.User.Username(), password)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode >= 300 && res.StatusCode != http.StatusNotFound {
		b.Fatalf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
}
