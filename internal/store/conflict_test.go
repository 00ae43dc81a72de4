package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// TestConflictsAreSolvedInside makes one in ten statements on every table in
// use end with a serialization failure or a deadlock. Steps repeat themselves;
// what is left over is the database's absence for a moment, never an error that
// blames the request.
func TestConflictsAreSolvedInside(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	s := open(t, admin, message.Process{ID: uuid.New()}, conformance.NewClock())
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	quarrel(t, db)
	var steps, unavailable atomic.Int64
	must := func(step func() error) {
		for {
			steps.Add(1)
			err := step()
			if err == nil {
				return
			}
			if !errors.Is(err, message.ErrUnavailable) {
				t.Error(err)
				return
			}
			unavailable.Add(1)
		}
	}
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for n := range 25 {
				fullLife(t, s, must, fmt.Sprintf("%d-%d", caller, n))
			}
		})
	}
	callers.Wait()
	var n int64
	if err := db.QueryRowContext(t.Context(), `SELECT last_value FROM quarrels`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d steps met %d conflicts; %d were told to come back", steps.Load(), n, unavailable.Load())
	if n < 50 {
		t.Errorf("only %d conflicts: nothing was tested", n)
	}
	if unavailable.Load() > steps.Load()/100 {
		t.Errorf("%d of %d steps gave up", unavailable.Load(), steps.Load())
	}
}

// quarrel gives the tables in use a trigger that fails one statement in ten.
// Its count is a sequence, which no rollback takes back.
func quarrel(t *testing.T, db *sql.DB) {
	t.Helper()
	execute(t, db, `CREATE SEQUENCE quarrels`)
	execute(t, db, `CREATE FUNCTION quarrel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF random() < 0.1 THEN
			PERFORM nextval('quarrels');
			IF random() < 0.5 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END IF;
			RAISE EXCEPTION 'conflict' USING ERRCODE = '40P01';
		END IF;
		RETURN NULL;
	END $$`)
	for _, table := range []string{"messages", "deliveries", "outbox", "attempts", "idempotency"} {
		execute(t, db, `CREATE TRIGGER quarrel BEFORE INSERT OR UPDATE OR DELETE ON `+table+
			` FOR EACH STATEMENT EXECUTE FUNCTION quarrel()`)
	}
}

// fullLife takes a mail from acceptance to sent.
func fullLife(t *testing.T, s *store.Store, must func(func() error), key string) {
	m := mail()
	m.IdempotencyKey = key
	must(func() error { return s.Accept(t.Context(), []message.Submission{m})[0].Err })
	ref := message.Ref{Key: message.Key{MessageID: m.Message.ID}, Dispatch: 1}
	_, _, err := s.Dispatch(t.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
		return make([]error, len(refs))
	})
	if err != nil && !errors.Is(err, message.ErrUnavailable) { // it is the relay that repeats: copies have been published
		t.Error(err)
	}
	var held []message.Held
	must(func() error {
		claims, err := s.Claim(t.Context(), []message.Bid{{Ref: ref}})
		if err == nil && claims[0].State == message.ClaimTaken {
			held = append(held, claims[0].Work.Held)
		}
		return err
	})
	must(func() error { _, err := s.Renew(t.Context(), held); return err })
	must(func() error { _, err := s.Mark(t.Context(), held); return err })
	must(func() error {
		return s.Record(t.Context(), []message.Outcome{{Held: held[0], Kind: message.OutcomeRetry}})[0]
	})
	must(func() error { _, err := s.Cancel(t.Context(), message.DefaultTenant, m.Message.ID); return err })
}

// TestAChangedTableIsNoError: a migration changes a column while statements on
// it are prepared in every connection.
func TestAChangedTableIsNoError(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, admin, message.Process{ID: uuid.New()}, clock)
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	held := claimedMails(t, s, clock, 8)
	everywhere := func() {
		t.Helper()
		var all sync.WaitGroup
		for _, h := range held {
			all.Go(func() {
				for range 20 {
					_, one := s.Email(t.Context(), message.DefaultTenant, h.MessageID)
					_, two := s.Renew(t.Context(), []message.Held{h})
					if err := errors.Join(one, two); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	everywhere()
	execute(t, db, `ALTER TABLE deliveries ALTER COLUMN claim TYPE BIGINT, ALTER COLUMN attempts TYPE BIGINT`)
	everywhere()
}
