package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/message"
)

// onPostgres tells a story whose hero has a database of Postrider's for transactions
// of his own: with producer and consumers, and with the one process of a small server.
// An SQLite file cannot be shared like this.
func onPostgres(t *testing.T, story func(s *stack, db *pgx.Conn)) {
	t.Parallel()
	for name, m := range map[string]mode{"distributed": distributed, "serve": embedded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := configured(t, m, setting{})
			s.useServices()
			if m == embedded {
				delete(s.env, "POSTRIDER_RABBITMQ_URL")
			}
			s.useDatabase()
			s.startAll(setting{consumers: 1})
			db, err := pgx.Connect(t.Context(), s.database)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close(context.Background()) })
			story(s, db)
		})
	}
}

// useDatabase gives the story a database of its own, where the functions stand as they
// do for a reader of the docs.
func (s *stack) useDatabase() {
	base := service(s.TB, "POSTRIDER_TEST_DATABASE_URL")
	name := strings.ReplaceAll("story-"+uuid.NewString()[:13], "-", "_")
	s.execSQL(base, "CREATE DATABASE "+name)
	s.Cleanup(func() { s.execSQL(base, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(base)
	if err != nil {
		s.Fatal(err)
	}
	u.Path = "/" + name
	s.database = u.String()
	s.env["POSTRIDER_DATABASE_URL"] = s.database
}

// psql runs a script as a person would.
func (s *stack) psql(script string) string {
	s.Helper()
	out, err := exec.Command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", s.database, "-c", script).CombinedOutput()
	if err != nil {
		s.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// client is the public one.
func (s *stack) client() *postrider.Client {
	s.Helper()
	c, err := postrider.NewClient(postrider.Config{URL: s.api, Key: apiKey})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// order is an email about an order.
func order(n int) postrider.Email {
	return postrider.Email{
		From: "Shop <shop@sender.example>", To: []string{"ann@example.com"}, Subject: fmt.Sprint("Order ", n), Text: "It is on its way.",
	}
}

// mailsAbout counts the mails that the relay host took about a subject.
func (s *stack) mailsAbout(subject string) (n int) {
	for _, m := range s.relay.Mails() {
		if strings.Contains(string(m.Data), "Subject: "+subject+"\r\n") {
			n++
		}
	}
	return n
}

func TestCommittedMeansSentAndRolledBackMeansNever(t *testing.T) {
	onPostgres(t, func(s *stack, db *pgx.Conn) {
		ids := map[int]string{}
		for n, end := range []func(pgx.Tx, context.Context) error{pgx.Tx.Rollback, pgx.Tx.Commit} {
			tx, err := db.Begin(s.Context())
			if err != nil {
				s.Fatal(err)
			}
			if ids[n], err = postrider.Enqueue(s.Context(), tx, order(n)); err != nil {
				s.Fatal(err)
			}
			if err := end(tx, s.Context()); err != nil {
				s.Fatal(err)
			}
		}
		call := `SELECT postrider.enqueue_email('{"from": "shop@sender.example", "to": "ann@example.com", "subject": "Order %d", "text": "x"}');`
		rolledBack := s.psql("BEGIN; " + fmt.Sprintf(call, 2) + " ROLLBACK;")
		committed := s.psql("BEGIN; " + fmt.Sprintf(call, 3) + " COMMIT;")

		for _, id := range []string{ids[1], committed} {
			s.await(id, message.StatusSent)
		}
		for _, id := range []string{ids[0], rolledBack} {
			var refused *postrider.Error
			if _, err := s.client().Get(s.Context(), id); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
				s.Errorf("what was rolled back is answered with %v", err)
			}
		}
		for n, want := range []int{0, 1, 0, 1} {
			if got := s.mailsAbout(fmt.Sprint("Order ", n)); got != want {
				s.Errorf("%d mails about order %d, want %d", got, n, want)
			}
		}
	})
}

// The producer is stopped in the transaction that takes the mail in, with everything
// written but the outbox, and killed there.
func TestAProducerKilledInTheMidstOfTheIntakeLosesAndDoublesNothing(t *testing.T) {
	onPostgres(t, func(s *stack, db *pgx.Conn) {
		tx, err := db.Begin(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		if _, err := tx.Exec(s.Context(), `LOCK TABLE outbox IN SHARE MODE`); err != nil {
			s.Fatal(err)
		}
		const orders = 200
		s.psql(fmt.Sprintf(`SELECT postrider.enqueue_email(jsonb_build_object('from', 'shop@sender.example', 'to', 'ann@example.com',
			'subject', 'Order ' || n, 'text', 'x'), 'order-' || n) FROM generate_series(1, %d) AS n`, orders))
		s.eventually("the producer is in the midst of it", func() bool {
			return s.psql(`SELECT count(*) FROM pg_stat_activity
				WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO outbox%' AND pid <> pg_backend_pid()`) != "0"
		})
		s.producer.kill()
		if err := tx.Rollback(s.Context()); err != nil {
			s.Fatal(err)
		}
		s.startProducer()
		if err := s.relay.AwaitMails(s.Context(), orders); err != nil {
			s.Fatal(err)
		}
		s.eventually("everything is sent", func() bool {
			return s.psql(`SELECT count(*) FROM deliveries WHERE status = 'sent'`) == fmt.Sprint(orders)
		})
		for n := range orders {
			if got := s.mailsAbout(fmt.Sprint("Order ", n+1)); got != 1 {
				s.Errorf("%d mails about order %d", got, n+1)
			}
		}
		if left := s.psql(`SELECT count(*) FROM intake`); left != "0" {
			s.Errorf("%s are left in the intake", left)
		}
	})
}

// What the statement cannot see is refused by the producer, under the id that the
// caller has, and says why.
func TestEnqueuedMailThatIsInvalidFailsWhereEverybodyLooks(t *testing.T) {
	onPostgres(t, func(s *stack, db *pgx.Conn) {
		edit := func(member string) string {
			return `{"from": "shop@sender.example", "to": ["ann@example.com", "no address"], "subject": "Bad", "text": "x"` + member + `}`
		}
		for member, fault := range map[string]string{
			``:                      "/to/1: must have the form",
			`, "lane": "urgent"`:    "/lane: must be critical",
			`, "colour": "red"`:     "/colour: is not a known field",
			`, "cc": {"a": "b"}`:    "/cc: must be an address",
			`, "subject": "a\r\nb"`: "/subject: must be one line",
			`, "attachments": [{"filename": "a", "content": "%%"}]`:                          "/attachments/0/content",
			`, "metadata": {"a": ` + strings.Repeat(`[`, 50) + strings.Repeat(`]`, 50) + `}`: "nested deeper",
		} {
			var id string
			if err := db.QueryRow(s.Context(), `SELECT postrider.enqueue_email($1)`, edit(member)).Scan(&id); err != nil {
				s.Fatal(err)
			}
			e := s.await(id, message.StatusFailed)
			for _, r := range e.Recipients {
				if r.Reason != message.ReasonInvalid || r.Status != message.StatusFailed {
					s.Errorf("%s: %+v", member, r)
				}
			}
			if len(e.Attempts) != len(e.Recipients) || !strings.Contains(e.Attempts[0].Detail, fault) {
				s.Errorf("%s: the history says %+v", member, e.Attempts)
			}
			var refused *postrider.Error
			if _, err := s.client().Retry(s.Context(), id); !errors.As(err, &refused) || refused.Code != "not_retryable" {
				s.Errorf("retry: %v", err)
			}
		}
		page, err := s.client().List(s.Context(), postrider.Query{Status: postrider.Failed})
		if err != nil || len(page.Messages) != 7 {
			s.Errorf("listed %+v, %v", page, err)
		}
		if n := len(s.relay.Mails()); n != 0 {
			s.Errorf("the relay host took %d mails", n)
		}
	})
}

// Everything that a post can say is said here too.
func TestEnqueuedMailIsLikePosted(t *testing.T) {
	onPostgres(t, func(s *stack, db *pgx.Conn) {
		e := order(1)
		e.Cc, e.Bcc, e.HTML, e.Lane, e.OnUnknown = []string{"bob@example.com"}, []string{"c@example.com"}, "<p>x</p>", postrider.LaneHigh, postrider.Hold
		e.Headers, e.Metadata = map[string]string{"X-Order": "1"}, map[string]string{"order": "1"}
		e.Tags = []postrider.Tag{{Name: "kind", Value: "order"}}
		e.Attachments = []postrider.Attachment{{Filename: "a.bin", Content: []byte{0, 1, 255}}}
		e.ScheduledAt, e.ExpiresAt = time.Now().Add(time.Hour).Truncate(time.Millisecond), time.Now().Add(2*time.Hour).Truncate(time.Millisecond)
		e.IdempotencyKey = "order-1"
		id, err := postrider.Enqueue(s.Context(), db, e)
		if err != nil {
			s.Fatal(err)
		}
		s.await(id, message.StatusScheduled)
		c := s.client()
		receipt, err := c.Send(s.Context(), e) // the same email and key over HTTP
		if err != nil || receipt.ID != id || !receipt.Replayed {
			s.Errorf("posted again: %+v, %v", receipt, err)
		}
		m, err := c.Get(s.Context(), id)
		if err != nil {
			s.Fatal(err)
		}
		if m.Lane != e.Lane || m.OnUnknown != e.OnUnknown || m.HTML != e.HTML || m.Metadata["order"] != "1" || m.Headers["X-Order"] != "1" ||
			!m.ScheduledAt.Equal(e.ScheduledAt) || !m.ExpiresAt.Equal(e.ExpiresAt) || len(m.Recipients) != 3 || m.Tags[0] != e.Tags[0] {
			s.Errorf("%+v", m)
		}
		if n, err := c.Reschedule(s.Context(), id, time.Now()); n != 3 || err != nil {
			s.Errorf("rescheduled %d, %v", n, err)
		}
		s.await(id, message.StatusSent)
	})
}

func TestEnqueuedMailMayNameATemplate(t *testing.T) {
	onPostgres(t, func(s *stack, db *pgx.Conn) {
		s.ask("POST", "/v1/templates", orderTemplate, http.StatusCreated)
		s.ask("POST", "/v1/templates/order/publish", "", http.StatusOK)
		enqueue := func(variables string) (id string) {
			err := db.QueryRow(s.Context(), `SELECT postrider.enqueue_email($1)`,
				`{"to": "ann@example.com", "template": {"id": "order", "variables": `+variables+`}}`).Scan(&id)
			if err != nil {
				s.Fatal(err)
			}
			return id
		}
		if e := s.await(enqueue(`{"NAME": "Ann"}`), message.StatusSent); e.Subject != "Order of Ann" || e.Template == nil {
			s.Errorf("sent %+v", e)
		}
		if e := s.await(enqueue(`{}`), message.StatusFailed); !strings.Contains(e.Attempts[0].Detail, "NAME") {
			s.Errorf("the history says %+v", e.Attempts)
		}
	})
}

// TestThePageOnEnqueueingWorksAsItStands runs its SQL and its programs, what the quick
// start has of them, and the statement for all other languages with parameters of text,
// which is what drivers send.
func TestThePageOnEnqueueingWorksAsItStands(t *testing.T) {
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	onPostgres(t, func(s *stack, _ *pgx.Conn) {
		app := strings.ReplaceAll("app-"+uuid.NewString()[:13], "-", "_") // roles belong to the whole server
		s.Cleanup(func() { s.execSQL(service(s.TB, "POSTRIDER_TEST_DATABASE_URL"), "DROP ROLE IF EXISTS "+app) })
		defer s.psql("DROP OWNED BY " + app)
		s.psql("CREATE TABLE orders (id bigint PRIMARY KEY, customer text)")
		for _, b := range examplesOf(s.TB, enqueueing) {
			if b.language == "sql" {
				s.psql(strings.ReplaceAll(b.text, "shop_app", app))
			} else {
				b.run(s, withPackages(s.TB))
			}
		}
		s.enqueueByParameters("Order 4713")
		if s.Failed() {
			return
		}
		subjects := []string{"Order 4711", "Order 4712", "Order 4713", "Order 4714", "Hello from SQL"}
		if err := s.relay.AwaitMails(s.Context(), len(subjects)); err != nil {
			s.Fatal(err)
		}
		for _, subject := range subjects {
			if n := s.mailsAbout(subject); n != 1 {
				s.Errorf("%d mails about %s", n, subject)
			}
		}
		if n := s.psql("SELECT count(*) FROM orders"); n != "3" {
			s.Errorf("%s orders", n)
		}
	})
}

// enqueueByParameters sends the statement that the page gives for any language.
func (s *stack) enqueueByParameters(subject string) {
	s.Helper()
	page, err := os.ReadFile("../docs/transactional-enqueue.md")
	if err != nil {
		s.Fatal(err)
	}
	m := regexp.MustCompile("`(SELECT postrider\\.enqueue_email\\(.*\\$2\\))`").FindStringSubmatch(string(page))
	if m == nil {
		s.Fatal("the page has no statement with parameters")
	}
	s.psql("PREPARE enqueue (text, text) AS " + m[1] + "; EXECUTE enqueue('" +
		`{"from": "shop@sender.example", "to": "ann@example.com", "subject": "` + subject + `", "text": "x"}', 'by-parameters')`)
}
