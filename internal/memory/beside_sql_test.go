package memory_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// tables are a SQL database, and a way to its rows beside the store.
type tables struct {
	url       string
	processes int // that may use it at once
	db        *sql.DB
}

func openSQLite(t *testing.T) *tables {
	url := storetest.SQLite(t)
	return newTables(t, url, "sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(5000)", 1)
}

func openPostgres(t *testing.T) *tables {
	url := storetest.Postgres(t)
	return newTables(t, url, "pgx", url, 2)
}

func newTables(t *testing.T, url, driver, direct string, processes int) *tables {
	db, err := sql.Open(driver, direct)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &tables{url: url, processes: processes, db: db}
}

func (s *tables) open(t *testing.T, who message.Process, m message.Marking, clock *conformance.Clock) conformance.StorePorts {
	opened, err := store.Open(t.Context(), store.Config{
		URL: s.url, Worker: who, Lease: lease, Marking: m, MaxConns: 4, ClockOffset: clock.Offset,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

// empty leaves the tables as they were when they were made.
func (s *tables) empty(t *testing.T) {
	for _, statement := range []string{
		`DELETE FROM messages`, `DELETE FROM deliveries`, `DELETE FROM attempts`, `DELETE FROM outbox`,
		`DELETE FROM idempotency`, `DELETE FROM attachments`, `DELETE FROM blobs`, `DELETE FROM lanes`,
		`DELETE FROM dead_letters`, `DELETE FROM tenants WHERE id<>1`,
	} {
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the rows as the memory has them.
func (s *tables) read(t *testing.T, into *memory.Snapshot) {
	into.Deliveries, into.Attempts, into.Outbox, into.Keys = into.Deliveries[:0], into.Attempts[:0], into.Outbox[:0], into.Keys[:0]
	s.rows(t, `SELECT message_id, n, tenant_id, channel, role, address, lane, on_unknown, expires_at, status, reason, dispatch,
		claim, phase, lease_until, worker_id, published_at, next_attempt_at, attempts, interrupted, unknown_outcomes,
		remote_id, finished_at FROM deliveries`, func(scan func(...any) error) error {
		var d message.Delivery
		var worker uuid.NullUUID
		err := scan(&d.MessageID, &d.N, &d.TenantID, &d.Channel, &d.Role, &d.Address, &d.Lane, &d.OnUnknown, at(&d.ExpiresAt),
			&d.Status, &d.Reason, &d.Dispatch, &d.Claim, &d.Phase, at(&d.LeaseUntil), &worker, at(&d.PublishedAt),
			at(&d.NextAttemptAt), &d.Attempts, &d.Interrupted, &d.UnknownOutcomes, &d.RemoteID, at(&d.FinishedAt))
		d.WorkerID = worker.UUID
		into.Deliveries = append(into.Deliveries, d)
		return err
	})
	s.rows(t, `SELECT message_id, n, claim, started_at, finished_at, worker_id, relay_host, outcome, code, enhanced, detail
		FROM attempts`, func(scan func(...any) error) error {
		var a memory.AttemptRow
		var worker uuid.NullUUID
		err := scan(&a.MessageID, &a.N, &a.Claim, at(&a.StartedAt), at(&a.FinishedAt), &worker, &a.RelayHost, &a.Outcome,
			&a.Code, &a.Enhanced, &a.Detail)
		a.WorkerID = worker.UUID
		into.Attempts = append(into.Attempts, a)
		return err
	})
	s.rows(t, `SELECT message_id, n, dispatch, tenant_id, channel, lane, due_at FROM outbox`, func(scan func(...any) error) error {
		var r memory.OutboxRow
		err := scan(&r.MessageID, &r.N, &r.Dispatch, &r.TenantID, &r.Channel, &r.Lane, at(&r.DueAt))
		into.Outbox = append(into.Outbox, r)
		return err
	})
	s.rows(t, `SELECT tenant_id, key, hash, message_id, expires_at FROM idempotency`, func(scan func(...any) error) error {
		var r memory.IdempotencyRow
		var hash []byte
		err := scan(&r.TenantID, &r.Key, &hash, &r.MessageID, at(&r.ExpiresAt))
		copy(r.Hash[:], hash)
		into.Keys = append(into.Keys, r)
		return err
	})
}

func (s *tables) marks(t *testing.T) map[message.Lane]time.Time {
	marks := map[message.Lane]time.Time{}
	s.rows(t, `SELECT lane, claimed_mark FROM lanes`, func(scan func(...any) error) error {
		var lane message.Lane
		var mark time.Time
		err := scan(&lane, at(&mark))
		marks[lane] = mark
		return err
	})
	return marks
}

// millis scans a time of the tables; NULL is the zero time.
type millis struct{ into *time.Time }

func at(t *time.Time) *millis { return &millis{t} }

func (m *millis) Scan(value any) error {
	switch v := value.(type) {
	case nil:
	case int64:
		*m.into = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("a time that is a %T", value)
	}
	return nil
}

func (s *tables) rows(t *testing.T, query string, scan func(scan func(...any) error) error) {
	rows, err := s.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
