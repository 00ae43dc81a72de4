package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// caller is an application's own session on the database.
type caller struct {
	*testing.T
	store *store.Store
	conn  *pgx.Conn
	url   string
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	c := &caller{T: t, url: storetest.Postgres(t)}
	var err error
	if c.store, err = store.Open(t.Context(), store.Config{URL: c.url, Worker: message.Process{ID: uuid.New()}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
	c.conn = c.connect(c.url)
	return c
}

func (c *caller) connect(url string) *pgx.Conn {
	c.Helper()
	conn, err := pgx.Connect(c.Context(), url)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// try calls the function. Functions stand beside the tables, since those are not in
// the schema public.
func (c *caller) try(q querier, email, key any) (id uuid.UUID, err error) {
	err = q.QueryRow(c.Context(), `SELECT enqueue_email($1::jsonb, $2)`, email, key).Scan(&id)
	return id, err
}

func (c *caller) enqueue(q querier, email, key any) uuid.UUID {
	c.Helper()
	id, err := c.try(q, email, key)
	if err != nil {
		c.Fatal(err)
	}
	return id
}

const letter = `{"from": "a@example.com", "to": "b@example.com", "subject": "s", "text": "t"}`

// reads takes every email for a message to b@example.com about its own subject, and
// refuses those whose subject is "bad".
func reads(_ context.Context, e message.Enqueued) (message.Reading, error) {
	var email struct{ Subject string }
	if err := json.Unmarshal(e.Email, &email); err != nil {
		panic(err)
	}
	m := &message.Message{
		Kind: message.ChannelEmail, Lane: message.LaneHigh, OnUnknown: message.Resend,
		Head: message.Head{Subject: email.Subject, To: []message.Address{{Email: "b@example.com"}}},
	}
	if email.Subject == "bad" {
		return message.Reading{Message: m, Refused: &message.Error{Code: message.CodeValidation, Detail: "it is bad"}}, nil
	}
	return message.Reading{Message: m, Hash: [32]byte{byte(len(email.Subject))}}, nil
}

// take has a look at the oldest.
func (c *caller) take(read intake.Read) ([]message.TakenIn, error) {
	look, err := c.store.TakeIn(c.Context(), uuid.Nil, 128, read)
	return look.Taken, err
}

func (c *caller) takeIn() []message.TakenIn {
	c.Helper()
	taken, err := c.take(reads)
	if err != nil {
		c.Fatal(err)
	}
	return taken
}

func (c *caller) view(id uuid.UUID) message.View {
	c.Helper()
	view, err := c.store.Email(c.Context(), message.DefaultTenant, id)
	if err != nil {
		c.Fatal(err)
	}
	return view
}

func (c *caller) waiting() int64 {
	c.Helper()
	w, err := c.store.Waiting(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	return w.Rows
}

func TestWhatIsCommittedIsTakenInOnceUnderItsID(t *testing.T) {
	c := newCaller(t)
	tx, err := c.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []uuid.UUID
	for range 3 {
		want = append(want, c.enqueue(tx, letter, nil))
	}
	if taken := c.takeIn(); len(taken) != 0 {
		t.Fatalf("took %v from an open transaction", taken)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []uuid.UUID
	for _, one := range c.takeIn() {
		got = append(got, one.ID)
		if one.Refused != nil || one.Lane != message.LaneHigh || one.Recipients != 1 {
			t.Errorf("%+v", one)
		}
	}
	if !slices.Equal(got, want) || c.waiting() != 0 || len(c.takeIn()) != 0 {
		t.Errorf("took %v, want %v; %d left", got, want, c.waiting())
	}
	for _, id := range want {
		d := c.view(id).Deliveries
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || len(d) != 1 || d[0].Status != message.StatusQueued {
			t.Errorf("%v: %+v", id, d)
		}
	}
	lanes, _, err := c.store.Due(t.Context())
	if err != nil || !slices.Contains(lanes, message.LaneHigh) {
		t.Errorf("due: %v, %v", lanes, err)
	}
}

func TestWhatIsRolledBackLeavesNothing(t *testing.T) {
	c := newCaller(t)
	tx, err := c.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.enqueue(tx, letter, "k")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if taken := c.takeIn(); len(taken) != 0 {
		t.Errorf("took %v", taken)
	}
	c.enqueue(c.conn, letter, "k") // the key was not taken either
}

func TestTheTimeIsInTheID(t *testing.T) {
	c := newCaller(t)
	last := uuid.Nil
	for range 20 {
		id := c.enqueue(c.conn, letter, nil)
		sec, nsec := id.Time().UnixTime()
		if age := time.Since(time.Unix(sec, nsec)).Abs(); age > time.Minute || id.String() <= last.String() {
			t.Errorf("%v after %v is %v old", id, last, age)
		}
		last = id
	}
}

func TestCrowdsTakeInEachOnce(t *testing.T) {
	c := newCaller(t)
	const all = 300
	if _, err := c.conn.Exec(t.Context(), `SELECT enqueue_email($1::jsonb) FROM generate_series(1, $2)`, letter, all); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[uuid.UUID]int{}
	var crowd sync.WaitGroup
	for range 6 {
		crowd.Go(func() {
			for c.waiting() > 0 {
				look, err := c.store.TakeIn(t.Context(), uuid.Nil, 20, reads)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, one := range look.Taken {
					seen[one.ID]++
				}
				mu.Unlock()
			}
		})
	}
	crowd.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%v was taken in %d times", id, n)
		}
	}
	var messages, outbox int
	row := c.conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM outbox)`)
	if err := row.Scan(&messages, &outbox); err != nil || len(seen) != all || messages != all || outbox != all {
		t.Errorf("took %d, %d messages, %d outbox rows, %v", len(seen), messages, outbox, err)
	}
}

func TestARefusedEmailIsAMessageThatFailed(t *testing.T) {
	c := newCaller(t)
	bad := c.enqueue(c.conn, strings.Replace(letter, `"s"`, `"bad"`, 1), "k")
	good := c.enqueue(c.conn, letter, nil)
	if taken := c.takeIn(); len(taken) != 2 || taken[0].Refused == nil || taken[1].Refused != nil {
		t.Fatalf("%+v", taken)
	}
	view := c.view(bad)
	d := view.Deliveries
	if len(d) != 1 || d[0].Status != message.StatusFailed || d[0].Reason != message.ReasonInvalid || d[0].FinishedAt.IsZero() {
		t.Errorf("%+v", d)
	}
	if len(view.Attempts) != 1 || !strings.Contains(view.Attempts[0].Detail, "it is bad") || view.Attempts[0].Outcome != message.OutcomeFailed {
		t.Errorf("%+v", view.Attempts)
	}
	if n, err := c.store.Retry(t.Context(), message.DefaultTenant, bad); n != 0 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	if status := c.view(good).Deliveries[0].Status; status != message.StatusQueued {
		t.Errorf("the one beside it is %s", status)
	}
	page, err := c.store.Emails(t.Context(), message.Filter{TenantID: message.DefaultTenant, Status: message.StatusFailed, Limit: 10})
	if err != nil || len(page.Views) != 1 || page.Views[0].Message.ID != bad {
		t.Errorf("listed %+v, %v", page, err)
	}
}

func TestTheSameKeyAndEmailGiveTheFirstID(t *testing.T) {
	c := newCaller(t)
	first := c.enqueue(c.conn, letter, "k")
	spaced := strings.ReplaceAll(letter, ": ", " :  ")
	if again := c.enqueue(c.conn, spaced, "k"); again != first {
		t.Errorf("%v, then %v", first, again)
	}
	c.takeIn()
	if again := c.enqueue(c.conn, letter, "k"); again != first || c.waiting() != 0 {
		t.Errorf("after it was taken in: %v, then %v", first, again)
	}
	_, err := c.try(c.conn, strings.Replace(letter, `"s"`, `"other"`, 1), "k")
	refusedWith(t, err, "23505", "used for another email")
}

// refusedWith wants an error of the database of that SQLSTATE.
func refusedWith(t *testing.T, err error, state, text string) {
	t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != state || !strings.Contains(pg.Message, text) {
		t.Errorf("%v, want SQLSTATE %s and %q", err, state, text)
	}
}

func TestAKeyOfTheAPIIsNotTakenTwice(t *testing.T) {
	c := newCaller(t)
	posted := mail()
	posted.IdempotencyKey = "k"
	post(t, c.store, posted)
	_, err := c.try(c.conn, letter, "k")
	refusedWith(t, err, "23505", "used for another email")
	if c.waiting() != 0 {
		t.Error("it waits")
	}
}

// Between the commit and the taking in, the API gives the key to a message: the one
// or the other is sent, and both ids lead somewhere.
func TestAKeyThatTheAPIWasFasterWith(t *testing.T) {
	for name, hash := range map[string]byte{"for the same email": 1, "for another email": 2} {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t)
			id := c.enqueue(c.conn, letter, "k")
			posted := mail()
			posted.IdempotencyKey, posted.Hash = "k", [32]byte{hash}
			post(t, c.store, posted)
			if taken := c.takeIn(); len(taken) != 1 || taken[0].Refused == nil {
				t.Fatalf("%+v", taken)
			}
			view := c.view(id)
			if view.Deliveries[0].Reason != message.ReasonInvalid || !strings.Contains(view.Attempts[0].Detail, "idempotency key") {
				t.Errorf("%+v %+v", view.Deliveries, view.Attempts)
			}
		})
	}
}

func TestCallersWithOneKeyWaitForEachOther(t *testing.T) {
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback %v", rollback), func(t *testing.T) {
			c := newCaller(t)
			tx, err := c.conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			first := c.enqueue(tx, letter, "k")
			other := c.connect(c.url)
			answer := make(chan uuid.UUID)
			go func() {
				id, err := c.try(other, letter, "k")
				if err != nil {
					t.Error(err)
				}
				answer <- id
			}()
			c.awaitLock(other.PgConn().PID())
			if err := map[bool]func(context.Context) error{false: tx.Commit, true: tx.Rollback}[rollback](t.Context()); err != nil {
				t.Fatal(err)
			}
			if second := <-answer; second == uuid.Nil || (second == first) == rollback {
				t.Errorf("%v, then %v", first, second)
			}
			if n := c.waiting(); n != 1 {
				t.Errorf("%d wait", n)
			}
		})
	}
}

// awaitLock waits until the session waits for a lock.
func (c *caller) awaitLock(pid uint32) {
	c.Helper()
	watch := c.connect(c.url)
	for waits := false; !waits; {
		err := watch.QueryRow(c.Context(), `SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE pid=$1`, pid).Scan(&waits)
		if err != nil {
			c.Fatal(err)
		}
	}
}

func TestKeysOfTheIntakeAreForgottenAfterADay(t *testing.T) {
	c := newCaller(t)
	first := c.enqueue(c.conn, letter, "k")
	if err := c.store.ForgetEnqueueKeys(t.Context()); err != nil || c.enqueue(c.conn, letter, "k") != first {
		t.Fatal("forgotten at once", err)
	}
	if _, err := c.conn.Exec(t.Context(), `UPDATE intake_keys SET expires_at=expires_at-86400001`); err != nil {
		t.Fatal(err)
	}
	if c.enqueue(c.conn, letter, "k") == first { // forgotten by the function, though nobody has swept
		t.Error("remembered for more than a day")
	}
	if _, err := c.conn.Exec(t.Context(), `UPDATE intake_keys SET expires_at=expires_at-86400001`); err != nil {
		t.Fatal(err)
	}
	if err := c.store.ForgetEnqueueKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := c.conn.QueryRow(t.Context(), `SELECT count(*) FROM intake_keys`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d keys are left, %v", left, err)
	}
}

// A key is kept for a day from the call on, also by what takes its email in later: where
// one was forgotten before the other, the key would be refused as another email's.
func TestAKeyOfTheIntakeIsForgottenOnce(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	const hour, life = 3_600_000, 86_400_000
	ago := func(table, column string, ms int) {
		if _, err := c.conn.Exec(t.Context(), `UPDATE `+table+` SET `+column+`=`+column+`-$1`, ms); err != nil {
			t.Fatal(err)
		}
	}
	first := c.enqueue(c.conn, letter, "k")
	ago("intake", "enqueued_at", hour) // no producer ran
	ago("intake_keys", "expires_at", hour)
	if taken := c.takeIn(); len(taken) != 1 || taken[0].Refused != nil {
		t.Fatalf("%+v", taken)
	}
	for _, table := range []string{"intake_keys", "idempotency"} {
		ago(table, "expires_at", life-hour-hour/2)
	}
	if c.enqueue(c.conn, letter, "k") != first {
		t.Error("forgotten before a day")
	}
	for _, table := range []string{"intake_keys", "idempotency"} {
		ago(table, "expires_at", hour/2)
	}
	second := c.enqueue(c.conn, letter, "k")
	if taken := c.takeIn(); len(taken) != 1 || taken[0].ID != second || taken[0].Refused != nil {
		t.Errorf("a day later: %+v", taken)
	}
}

// What the statement itself refuses rolls back the caller's transaction.
func TestMistakesFailTheStatement(t *testing.T) {
	c := newCaller(t)
	edit := func(member string) string { return `{"from": "a@b.c", "to": "b@b.c", "text": "t", ` + member + `}` }
	for _, bad := range []struct {
		email, key any
		state      string
		says       string
	}{
		{nil, nil, "22023", "must be a JSON object"},
		{`[]`, nil, "22023", "must be a JSON object"},
		{`"x"`, nil, "22023", "must be a JSON object"},
		{`{}`, nil, "22023", "/from"},
		{edit(`"from": 1`), nil, "22023", "/from"},
		{edit(`"from": " "`), nil, "22023", "/from"},
		{edit(`"from": null`), nil, "22023", "/from"},
		{edit(`"to": null`), nil, "22023", "/to"},
		{edit(`"to": ""`), nil, "22023", "/to"},
		{edit(`"to": []`), nil, "22023", "/to"},
		{edit(`"to": ["b@b.c", 1]`), nil, "22023", "/to"},
		{edit(`"to": {"a": "b"}`), nil, "22023", "/to"},
		{edit(`"subject": ["x"]`), nil, "22023", "/subject"},
		{edit(`"text": {}`), nil, "22023", "/text"},
		{edit(`"html": 7`), nil, "22023", "/html"},
		{edit(`"text": ""`), nil, "22023", "/text"},
		{edit(`"text": "` + strings.Repeat("x", 37_748_736) + `"`), nil, "54000", "more than 37748736"},
		{letter, "", "22023", "idempotency key"},
		{letter, strings.Repeat("x", 257), "22023", "idempotency key"},
		{letter, "a\nb", "22023", "idempotency key"},
		{letter, "schlüssel", "22023", "idempotency key"},
		{edit(`"text": "\u0000"`), nil, "22P05", ""}, // the type itself
		{`{"from": "a@b.c", "to"`, nil, "22P02", ""},
		{strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat(`}`, 100_000), nil, "54001", ""},
	} {
		_, err := c.try(c.conn, bad.email, bad.key)
		refusedWith(t, err, bad.state, bad.says)
	}
	_, err := c.conn.Exec(t.Context(), `SELECT enqueue_email_for('nobody', $1::jsonb)`, letter)
	refusedWith(t, err, "42704", "no tenant")
	if n := c.waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
	for _, good := range []string{
		edit(`"subject": null`), edit(`"to": ["b@b.c"]`), edit(`"html": "x", "text": null`),
		`{"to": "b@b.c", "template": {"id": "welcome"}}`, // what it is from may stand in the template
	} {
		c.enqueue(c.conn, good, strings.Repeat("~", 256))
		if _, err := c.conn.Exec(t.Context(), `DELETE FROM intake_keys`); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTenantsAreNamed(t *testing.T) {
	c := newCaller(t)
	tenants, err := c.store.EnsureTenants(t.Context(), []string{"acme"})
	if err != nil {
		t.Fatal(err)
	}
	var id uuid.UUID
	if err := c.conn.QueryRow(t.Context(), `SELECT enqueue_email_for('acme', $1::jsonb, 'k')`, letter).Scan(&id); err != nil {
		t.Fatal(err)
	}
	c.enqueue(c.conn, letter, "k") // keys belong to tenants
	c.takeIn()
	if _, err := c.store.Email(t.Context(), tenants["acme"], id); err != nil {
		t.Error(err)
	}
	if _, err := c.store.Email(t.Context(), message.DefaultTenant, id); !errors.Is(err, message.ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
}

// A login that has the group role can enqueue, and nothing else at all.
func TestTheRoleCanEnqueueAndNothingElse(t *testing.T) {
	c := newCaller(t)
	name := "app_" + uuid.NewString()[:8]
	if _, err := c.conn.Exec(t.Context(), `CREATE ROLE `+name+` LOGIN PASSWORD 'x' IN ROLE postrider_enqueue`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), c.url)
		if err == nil {
			_, err = conn.Exec(context.Background(), `DROP ROLE `+name)
			_ = conn.Close(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(name, "x")
	app := c.connect(u.String())
	id := c.enqueue(app, letter, "k")
	if c.enqueue(app, letter, "k") != id {
		t.Error("the key is not known")
	}
	rows, err := c.conn.Query(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname=current_schema()`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("%v, %v", tables, err)
	}
	for _, table := range tables {
		for _, statement := range []string{`SELECT 1 FROM `, `DELETE FROM `, `INSERT INTO `} {
			if statement += table; strings.HasPrefix(statement, "INSERT") {
				statement += ` DEFAULT VALUES`
			}
			_, err := app.Exec(t.Context(), statement)
			refusedWith(t, err, "42501", "permission denied")
		}
	}
	for _, statement := range []string{
		`SELECT enqueue_email_for('default', '` + letter + `')`, `CREATE TABLE mine ()`, `CREATE ROLE another`, `SET ROLE ` + c.conn.Config().User,
	} {
		_, err := app.Exec(t.Context(), statement)
		refusedWith(t, err, "42501", "")
	}
}

// The functions look nothing up in schemas where their callers may create.
func TestAShadowedNameIsNotUsed(t *testing.T) {
	c := newCaller(t)
	for _, statement := range []string{
		`CREATE TEMP TABLE intake (id uuid, tenant_id bigint, key text, email text, size bigint, enqueued_at bigint)`,
		`CREATE FUNCTION pg_temp.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 1/0'`,
		`SET search_path = pg_temp`,
	} {
		if _, err := c.conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.conn.Exec(t.Context(), `SELECT `+u.Query().Get("search_path")+`.enqueue_email($1::jsonb)`, letter); err != nil {
		t.Fatal(err)
	}
	if n := c.waiting(); n != 1 {
		t.Errorf("%d wait", n)
	}
}

// An email that the tables refuse, here because of a rule of somebody else's, holds
// up no other, and its id leads to what became of it.
func TestAnEmailThatCannotBeStoredIsRefusedAlone(t *testing.T) {
	c := newCaller(t)
	if _, err := c.conn.Exec(t.Context(), `ALTER TABLE messages ADD CHECK (head NOT LIKE '%unlucky%')`); err != nil {
		t.Fatal(err)
	}
	before := c.enqueue(c.conn, letter, nil)
	bad := c.enqueue(c.conn, strings.Replace(letter, `"s"`, `"unlucky"`, 1), nil)
	after := c.enqueue(c.conn, letter, nil)
	if taken := c.takeIn(); len(taken) != 3 || c.waiting() != 0 {
		t.Fatalf("%+v, %d left", taken, c.waiting())
	}
	for id, want := range map[uuid.UUID]message.Status{before: message.StatusQueued, bad: message.StatusFailed, after: message.StatusQueued} {
		if d := c.view(id).Deliveries; d[0].Status != want {
			t.Errorf("%v is %+v, want %s", id, d, want)
		}
	}
}

// One that cannot even be refused stays, is told of, and holds up no other.
func TestAnEmailThatCannotBeRefusedStaysAndHoldsUpNobody(t *testing.T) {
	c := newCaller(t)
	bad := c.enqueue(c.conn, letter, nil)
	if _, err := c.conn.Exec(t.Context(), `ALTER TABLE messages ADD CHECK (id <> '`+bad.String()+`')`); err != nil {
		t.Fatal(err)
	}
	good := c.enqueue(c.conn, letter, nil)
	taken, err := c.take(reads)
	if err == nil || errors.Is(err, message.ErrUnavailable) || len(taken) != 1 || taken[0].ID != good || c.waiting() != 1 {
		t.Errorf("%+v, %v, %d left", taken, err, c.waiting())
	}
}

// A large batch, say, is being stored under the key.
func TestAnEmailWhoseKeyIsLockedHoldsUpNobody(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	locked, other := c.enqueue(c.conn, letter, "mine"), c.enqueue(c.conn, letter, nil)
	_, lock := besides(t, c.url)
	if _, err := lock.ExecContext(t.Context(), `INSERT INTO idempotency (tenant_id, key, hash, message_id, response, expires_at)
		VALUES (1, 'mine', '', $1, '{}', 0)`, uuid.New()); err != nil {
		t.Fatal(err)
	}
	look, err := c.store.TakeIn(t.Context(), uuid.Nil, 128, reads)
	if !errors.Is(err, message.ErrUnavailable) || look.Last != other || len(look.Taken) != 1 || look.Taken[0].ID != other {
		t.Errorf("%+v, %v", look, err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if taken := c.takeIn(); len(taken) != 1 || taken[0].ID != locked {
		t.Errorf("then %+v", taken)
	}
}

func TestALockedIntakeIsAnError(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	c.enqueue(c.conn, letter, nil)
	_, lock := besides(t, c.url)
	if _, err := lock.ExecContext(t.Context(), `LOCK TABLE intake`); err != nil {
		t.Fatal(err)
	}
	if look, err := c.store.TakeIn(t.Context(), uuid.Nil, 128, reads); !errors.Is(err, message.ErrUnavailable) || look.Last != uuid.Nil {
		t.Errorf("%+v, %v", look, err)
	}
}

func TestAnIntakeThatCannotBeLookedAtIsAnError(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	c.enqueue(c.conn, letter, nil)
	if _, err := c.conn.Exec(t.Context(), `ALTER TABLE intake RENAME TO elsewhere`); err != nil {
		t.Fatal(err)
	}
	if look, err := c.store.TakeIn(t.Context(), uuid.Nil, 128, reads); err == nil {
		t.Errorf("%+v, no error", look)
	}
}

// A login that may not write a table, say, can store no email at all.
func TestATableThatCannotBeWrittenIsNoFaultOfTheEmails(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	id := c.enqueue(c.conn, letter, nil)
	for _, columns := range []string{"due_at TO due", "due TO due_at"} {
		if _, err := c.conn.Exec(t.Context(), `ALTER TABLE outbox RENAME COLUMN `+columns); err != nil {
			t.Fatal(err)
		}
		taken, err := c.take(reads)
		if lost := columns == "due_at TO due"; lost && (err == nil || len(taken) > 0) || !lost && (err != nil || len(taken) != 1 || taken[0].Refused != nil) {
			t.Errorf("%s: %+v, %v", columns, taken, err)
		}
	}
	if view := c.view(id); view.Deliveries[0].Status != message.StatusQueued {
		t.Errorf("%+v", view.Deliveries)
	}
}

// One whose template, say, cannot be looked up now waits, and the others do not.
func TestAnEmailThatCannotBeReadNowHoldsUpNobody(t *testing.T) {
	c := newCaller(t)
	later := c.enqueue(c.conn, strings.Replace(letter, `"s"`, `"later"`, 1), "k")
	now := c.enqueue(c.conn, letter, nil)
	errLater := errors.New("not now")
	patient := func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		if e.ID == later {
			return message.Reading{}, errLater
		}
		return reads(ctx, e)
	}
	taken, err := c.take(patient)
	if !errors.Is(err, errLater) || !errors.Is(err, message.ErrUnavailable) || len(taken) != 1 || taken[0].ID != now {
		t.Errorf("%+v, %v", taken, err)
	}
	if taken, err := c.take(patient); !errors.Is(err, errLater) || len(taken) != 0 || c.waiting() != 1 {
		t.Errorf("again: %+v, %v", taken, err)
	}
	if taken := c.takeIn(); len(taken) != 1 || taken[0].ID != later || taken[0].Refused != nil {
		t.Errorf("later: %+v", taken)
	}
}

// One that waits in vain, as for its turn to be rendered, does not use up the time of
// those that need not wait.
func TestAnEmailThatWaitsInVainHoldsUpNobody(t *testing.T) {
	c := newCaller(t)
	stuck := map[uuid.UUID]bool{}
	for range 3 {
		stuck[c.enqueue(c.conn, letter, nil)] = true
	}
	plain := c.enqueue(c.conn, letter, nil)
	busy := func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		if stuck[e.ID] {
			<-ctx.Done()
			return message.Reading{}, ctx.Err()
		}
		return reads(ctx, e)
	}
	taken, err := c.take(busy)
	if !errors.Is(err, message.ErrUnavailable) || len(taken) != 1 || taken[0].ID != plain || c.waiting() != 3 {
		t.Errorf("%+v, %v, %d left", taken, err, c.waiting())
	}
}

// Those that wait are gone past one look after the other, and what was not tried is in the
// next.
func TestALookGoesOnAfterThoseThatWait(t *testing.T) {
	c := newCaller(t)
	stuck := map[uuid.UUID]bool{}
	var ids []uuid.UUID
	for n := range 5 {
		ids = append(ids, c.enqueue(c.conn, letter, nil))
		stuck[ids[n]] = n < 4
	}
	waits := func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		if stuck[e.ID] {
			return message.Reading{}, errors.New("not now")
		}
		return reads(ctx, e)
	}
	var past uuid.UUID
	for n, want := range []message.IntakeLook{{Last: ids[1]}, {Last: ids[3]}, {Last: ids[4], Taken: []message.TakenIn{{ID: ids[4]}}}, {}} {
		look, err := c.store.TakeIn(t.Context(), past, 2, waits)
		if look.Last != want.Last || len(look.Taken) != len(want.Taken) || (err != nil) != (n < 2) {
			t.Errorf("look %d: %+v, %v", n, look, err)
		}
		past = look.Last
	}
	if n := c.waiting(); n != 4 {
		t.Errorf("%d wait", n)
	}
}

// Reading that takes long is not done in one transaction, which the database would end.
func TestSlowReadingIsSharedOut(t *testing.T) {
	c := newCaller(t)
	for range 4 {
		c.enqueue(c.conn, letter, nil)
	}
	slow := func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		<-time.After(1100 * time.Millisecond) // what rendering may take
		return reads(ctx, e)
	}
	taken, err := c.take(slow)
	if err != nil || len(taken) == 0 || len(taken) > 2 || c.waiting() != int64(4-len(taken)) {
		t.Errorf("%+v, %v, %d left", taken, err, c.waiting())
	}
}

func TestLargeEmailsDoNotShareATransaction(t *testing.T) {
	c := newCaller(t)
	large := strings.Replace(letter, `"t"`, `"`+strings.Repeat("x", 3<<20)+`"`, 1)
	for range 3 {
		c.enqueue(c.conn, large, nil)
	}
	for left := int64(2); left >= 0; left-- {
		if taken := c.takeIn(); len(taken) != 1 || c.waiting() != left {
			t.Errorf("took %d, %d left", len(taken), c.waiting())
		}
	}
}

// A few bytes that name a template may become megabytes.
func TestWhatIsMadeOfEmailsIsSharedOut(t *testing.T) {
	c := newCaller(t)
	for range 8 {
		c.enqueue(c.conn, letter, nil)
	}
	text := strings.Repeat("x", 2<<20)
	large := func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		r, err := reads(ctx, e)
		r.Message.Content.Text = text
		return r, err
	}
	for _, left := range []int64{6, 4, 2, 0} {
		if taken, err := c.take(large); err != nil || c.waiting() != left {
			t.Errorf("took %d, %d left, %v", len(taken), c.waiting(), err)
		}
	}
}

func TestACommitIsHeard(t *testing.T) {
	c := newCaller(t)
	for c.store.AwaitEnqueued(t.Context()) != nil { // the first is of the connection itself
	}
	heard := make(chan error, 1)
	go func() { heard <- c.store.AwaitEnqueued(t.Context()) }()
	c.enqueue(c.conn, letter, nil)
	if err := <-heard; err != nil {
		t.Error(err)
	}
	go func() { heard <- c.store.AwaitEnqueued(t.Context()) }()
	if err := c.store.Close(); err != nil {
		t.Error(err)
	}
	if err := <-heard; err == nil {
		t.Error("a closed store has heard something")
	}
}

// A caller's session may have planned the function's statements while the tables were
// empty, and lives on while they grow.
func TestASessionThatBeganWithEmptyTablesReadsNoneWhole(t *testing.T) {
	c := newCaller(t)
	if _, err := c.conn.Exec(t.Context(), `VACUUM ANALYZE tenants, idempotency, intake_keys`); err != nil { // so that they are known to be empty
		t.Fatal(err)
	}
	for range 10 { // a plan becomes a generic one with the sixth execution
		c.enqueue(c.conn, letter, uuid.NewString())
	}
	for _, query := range []string{
		`INSERT INTO idempotency SELECT 1, 'key ' || i, '\x00', gen_random_uuid(), '{}', 4000000000000 FROM generate_series(1, 20000) i`,
		`INSERT INTO intake_keys SELECT 1, 'key ' || i, '\x00', gen_random_uuid(), 4000000000000 FROM generate_series(1, 20000) i`,
		`INSERT INTO tenants SELECT i, 'tenant ' || i, 0 FROM generate_series(2, 20000) i`,
	} {
		if _, err := c.connect(c.url).Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := c.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	c.enqueue(tx, letter, uuid.NewString())
	var read int64
	row := tx.QueryRow(t.Context(), `SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE schemaname=current_schema()`)
	if err := row.Scan(&read); err != nil || read > 100 {
		t.Errorf("%d rows were read by scanning, %v", read, err)
	}
}
