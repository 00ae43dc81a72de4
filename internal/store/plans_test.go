package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// seedRows is enough for a planner to tell an index from a scan.
const seedRows = 100_000

// TestPostgresReadsNoTableWhole runs every step beside a large backlog and asks
// the server afterwards how many rows it had to scan for them. Lists may do so
// until the tables were analyzed for the first time.
func TestPostgresReadsNoTableWhole(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // its temporary table
	seed(t, db)
	for _, statistics := range []string{"no", "fresh"} {
		if statistics == "fresh" {
			execute(t, db, `ANALYZE`)
		}
		before := scanned(t, db)
		everyStep(t, url, statistics == "fresh")
		if n := scanned(t, db) - before; n > seedRows/10 {
			t.Errorf("with %s statistics: %d rows of the large tables were read by scanning", statistics, n)
		}
	}
}

func execute(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// seed fills the tables as a producer would whose consumers are away: one half
// waits in the outbox, the other was published long ago.
func seed(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, query := range []string{
		`CREATE TEMP TABLE ids AS SELECT i, ('01800000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS id
			FROM generate_series(1, 100000) i`,
		`INSERT INTO messages SELECT id, 1, 'email', 'normal', '{"from":{"email":"a@example.com"},"to":[{"email":"b@example.com"}]}',
			'{"text":"x"}', 'resend', NULL, NULL, '', 1 FROM ids`,
		`INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, status, dispatch,
			published_at, next_attempt_at)
			SELECT id, 0, 1, 'email', 'to', 'b@example.com', 'normal', 'resend', 'queued', 1,
			CASE WHEN i % 2 = 0 THEN 1000000000000 END, 1000000000000 FROM ids`,
		`INSERT INTO outbox SELECT id, 0, 1, 1, 'email', 'low', 4000000000000 FROM ids WHERE i % 2 = 1`,
		`INSERT INTO attempts SELECT id, 0, 1, 1, 1, NULL, 'mx', 'retry', 451, '', '' FROM ids`,
		`INSERT INTO intake_keys SELECT 1, 'key ' || i, '\x00', id, 4000000000000 FROM ids`,
		`INSERT INTO intake SELECT ('01810000' || substr(id::text, 9))::uuid, 1, NULL, '{"subject": "s"}', 16, 1 FROM ids`,
		`INSERT INTO idempotency SELECT 1, 'key ' || i, '\x00', id, '{}', 4000000000000 FROM ids`,
	} {
		execute(t, db, query)
	}
}

// scanned is how many rows sequential scans have read of the large tables.
// Every other session has ended by then, and with it told the server.
func scanned(t *testing.T, db *sql.DB) int64 {
	t.Helper()
	var n int64
	deadline := time.Now().Add(time.Minute)
	for sessions := 1; sessions > 0; {
		if time.Now().After(deadline) {
			t.Fatal("a session of the test does not end")
		}
		err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity
			WHERE application_name='plans '||current_schema()`).Scan(&sessions)
		if err != nil {
			t.Fatal(err)
		}
	}
	err := db.QueryRowContext(t.Context(), `SELECT SUM(seq_tup_read) FROM pg_stat_user_tables
		WHERE schemaname=current_schema()`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// everyStep takes some mails from acceptance to their end.
func everyStep(t *testing.T, url string, lists bool) {
	t.Helper()
	ctx := t.Context()
	named := url + "&application_name=plans+" + url[strings.Index(url, "test_"):][:len("test_")+8]
	enqueueSome(t, named)
	s, err := store.Open(ctx, store.Config{URL: named, Worker: message.Process{ID: uuid.New()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for range 6 { // a plan becomes a generic one with the sixth execution
		id := send(t, s, postAndPublish(t, s))
		for _, step := range []func() (int, error){
			func() (int, error) { swept, err := s.SweepLeases(ctx, time.Now(), 100, 0); return swept.Total(), err },
			func() (int, error) {
				return s.SweepLost(ctx, message.LaneNormal, time.UnixMilli(1_000_000_000_000), 100)
			},
			func() (int, error) { return s.SweepExpired(ctx, 100) },
			func() (int, error) { p, err := s.Purge(ctx, uuid.Nil, time.Hour, 100); return p.Messages, err },
			func() (int, error) { return s.ForgetOld(ctx, time.Hour, 100) },
			func() (int, error) { lanes, _, err := s.Due(ctx); return len(lanes), err },
			func() (int, error) { look, err := s.TakeIn(ctx, uuid.Nil, 20, reads); return len(look.Taken), err },
			func() (int, error) { return 0, s.ForgetEnqueueKeys(ctx) },
			func() (int, error) { w, err := s.Waiting(ctx); return int(w.Rows), err },
			func() (int, error) { return s.Cancel(ctx, 1, id) },
			func() (int, error) { return s.Retry(ctx, 1, id) },
			func() (int, error) { return s.Reschedule(ctx, 1, id, time.Now()) },
			func() (int, error) { view, err := s.Email(ctx, 1, id); return len(view.Deliveries), err },
		} {
			if _, err := step(); err != nil {
				t.Fatal(err)
			}
		}
		for _, status := range []message.Status{"", message.StatusFailed, message.StatusSending, message.StatusQueued} {
			if !lists {
				break
			}
			if _, err := s.Emails(ctx, message.Filter{TenantID: 1, Status: status, Limit: 20}); err != nil {
				t.Fatal(err)
			}
			search := message.Filter{TenantID: 1, Status: status, Recipient: "nobody@example.com", Limit: 20}
			if _, err := s.Emails(ctx, search); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// enqueueSome is a caller whose session has none of the store's settings.
func enqueueSome(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for range 10 {
		if _, err := conn.Exec(t.Context(), `SELECT enqueue_email($1::jsonb, $2)`, letter, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
}

// send sees copies through to their end and returns the message of one.
func send(t *testing.T, s *store.Store, bids []message.Bid) uuid.UUID {
	t.Helper()
	claims, err := s.Claim(t.Context(), bids)
	if err != nil {
		t.Fatal(err)
	}
	var held []message.Held
	var sent []message.Outcome
	for _, c := range claims {
		held = append(held, c.Work.Held)
		sent = append(sent, message.Outcome{Held: c.Work.Held, Kind: message.OutcomeSent})
	}
	if _, err = s.Renew(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Mark(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Record(t.Context(), sent)...); err != nil {
		t.Fatal(err)
	}
	return bids[0].MessageID
}

func postAndPublish(t *testing.T, s *store.Store) []message.Bid {
	t.Helper()
	var list []message.Submission
	for range 20 {
		list = append(list, mail())
		list[len(list)-1].IdempotencyKey = uuid.NewString()
	}
	post(t, s, list...)
	var bids []message.Bid
	_, _, err := s.Dispatch(t.Context(), message.LaneNormal, 128, func(_ context.Context, refs []message.Ref) []error {
		for _, ref := range refs {
			bids = append(bids, message.Bid{Ref: ref})
		}
		return make([]error, len(refs))
	})
	if err != nil || len(bids) < 20 {
		t.Fatal(len(bids), err)
	}
	return bids
}
