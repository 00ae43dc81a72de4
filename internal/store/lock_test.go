package store_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// besides is a transaction that nobody of the store knows of, and its database.
func besides(t *testing.T, url string) (*sql.DB, *sql.Tx) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return db, tx
}

// claimedMails are mails in this process's hands.
func claimedMails(t *testing.T, s *store.Store, clock *conformance.Clock, n int) []message.Held {
	t.Helper()
	for range n {
		post(t, s, mail())
	}
	clock.Advance(time.Minute)
	var bids []message.Bid
	_, _, err := s.Dispatch(t.Context(), message.LaneNormal, n, func(_ context.Context, refs []message.Ref) []error {
		for _, ref := range refs {
			bids = append(bids, message.Bid{Ref: ref})
		}
		return make([]error, len(refs))
	})
	if err != nil || len(bids) != n {
		t.Fatal(len(bids), err)
	}
	claims, err := s.Claim(t.Context(), bids)
	if err != nil {
		t.Fatal(err)
	}
	held := make([]message.Held, n)
	for i, c := range claims {
		held[i] = c.Work.Held
	}
	return held
}

func leaseOf(t *testing.T, s *store.Store, h message.Held) time.Time {
	t.Helper()
	view, err := s.Email(t.Context(), message.DefaultTenant, h.MessageID)
	if err != nil {
		t.Fatal(err)
	}
	return view.Deliveries[h.N].LeaseUntil
}

// TestALockedRowEndsNoOthersLease is the host that vanished inside a
// transaction: the server keeps its row locks for ten seconds, half a lease.
func TestALockedRowEndsNoOthersLease(t *testing.T) {
	t.Parallel()
	clock := conformance.NewClock()
	s := open(t, storetest.Postgres(t), message.Process{ID: uuid.New()}, clock)
	held := claimedMails(t, s, clock, 3)
	locked, free, gone := held[0], held[1], held[2]
	if _, err := s.Cancel(t.Context(), message.DefaultTenant, gone.MessageID); err != nil {
		t.Fatal(err)
	}
	before := leaseOf(t, s, locked)
	clock.Advance(5 * time.Second)
	renew := func(want ...bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than any lock is waited for
		defer cancel()
		got, err := s.Renew(ctx, held)
		if err != nil {
			t.Fatalf("renew: %v", err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("renewals %v, want %v", got, want)
			}
		}
	}
	err := s.Hold(t.Context(), locked.Key, func() {
		renew(true, true, false)
		if got := leaseOf(t, s, free); got.Sub(before) < 4*time.Second {
			t.Errorf("the free claim's lease is at %v, was at %v", got, before)
		}
		if got := leaseOf(t, s, locked); !got.Equal(before) {
			t.Errorf("the locked claim's lease went from %v to %v", before, got)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	renew(true, true, false)
	if got := leaseOf(t, s, locked); got.Sub(before) < 4*time.Second {
		t.Errorf("once free it is renewed: %v, was %v", got, before)
	}
}

// TestAClaimThatIsBeingEndedIsLostOnceThatIsCommitted: what locks the row may
// be somebody who takes the claim away, and until his commit nobody knows.
func TestAClaimThatIsBeingEndedIsLostOnceThatIsCommitted(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, url, message.Process{ID: uuid.New()}, clock)
	held := claimedMails(t, s, clock, 1)
	_, other := besides(t, url)
	if _, err := other.ExecContext(t.Context(), `UPDATE deliveries SET status='canceled', phase=0, lease_until=NULL, finished_at=1`); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Renew(t.Context(), held); err != nil || !got[0] {
		t.Errorf("before the commit: %v %v", got, err)
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Renew(t.Context(), held); err != nil || got[0] {
		t.Errorf("after the commit: %v %v", got, err)
	}
}

// TestALargeContentLocksNoRow reads a content that takes long: a lock on its
// table stands for 25 MB over a slow line. Whoever wants the row meanwhile,
// such as a caller who cancels, does not wait for it.
func TestALargeContentLocksNoRow(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, url, message.Process{ID: uuid.New()}, clock)
	large := mail()
	large.Message.Attachments = []message.Attachment{{Filename: "a", ContentType: "text/plain", Disposition: "attachment"}}
	small := mail()
	post(t, s, large, small)
	db, line := besides(t, url)
	if _, err := line.ExecContext(t.Context(), `LOCK TABLE blobs`); err != nil {
		t.Fatal(err)
	}
	claims := make(chan []message.Claim, 1)
	go func() {
		var bids []message.Bid
		for _, m := range []message.Submission{large, small} {
			bids = append(bids, message.Bid{Ref: message.Ref{Key: message.Key{MessageID: m.Message.ID}, Dispatch: 1}})
		}
		got, err := s.Claim(t.Context(), bids)
		if err != nil {
			t.Error(err)
		}
		claims <- got
	}()
	awaitLockWait(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // less than the reader waits
	defer cancel()
	if n, err := s.Cancel(ctx, message.DefaultTenant, large.Message.ID); n != 1 || err != nil {
		t.Errorf("canceled %d: %v", n, err)
	}
	if err := line.Commit(); err != nil {
		t.Fatal(err)
	}
	got := <-claims
	if len(got) != 2 || got[0].State != message.ClaimNothing || got[1].State != message.ClaimTaken {
		t.Errorf("claims %+v, want the canceled one to be nobody's and the other taken", got)
	}
}

// awaitLockWait returns when some session of the test's schema waits for a lock.
func awaitLockWait(t *testing.T, db *sql.DB) {
	t.Helper()
	awaitTrue(t, db, `SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid=l.relation
		WHERE NOT l.granted AND c.relnamespace=current_schema()::regnamespace)`)
}

// awaitBlocked returns when somebody waits for the session of that process id.
func awaitBlocked(t *testing.T, db *sql.DB, holder int) {
	t.Helper()
	awaitTrue(t, db, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1=ANY(pg_blocking_pids(pid)))`, holder)
}

// awaitTrue asks whether somebody waits until it is so.
func awaitTrue(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for waits := false; !waits; {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the lock")
		}
		if err := db.QueryRowContext(t.Context(), query, args...).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALockedKeyFailsNoOtherTenant: who joined their messages into one transaction did
// not choose each other.
func TestALockedKeyFailsNoOtherTenant(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	s := open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
	_, lock := besides(t, url)
	if _, err := lock.ExecContext(t.Context(), `INSERT INTO idempotency (tenant_id, key, hash, message_id, response, expires_at)
		VALUES (1, 'mine', '', $1, '{}', 0)`, uuid.New()); err != nil {
		t.Fatal(err)
	}
	list := []message.Submission{mail(), mail(), mail(), mail()}
	list[0].IdempotencyKey = "mine"
	list[2].IdempotencyKey, list[2].Message.TenantID = "mine", 2
	list[3].IdempotencyKey, list[3].Message.TenantID = "mine", 2
	begun := time.Now()
	answers := s.Accept(t.Context(), list)
	if !errors.Is(answers[0].Err, message.ErrUnavailable) || time.Since(begun) > 4*time.Second {
		t.Errorf("the locked one: %v after %v", answers[0].Err, time.Since(begun))
	}
	for i, replayed := range []bool{1: false, 2: false, 3: true} {
		if a := answers[i]; i > 0 && (a.Err != nil || a.Replayed != replayed) {
			t.Errorf("number %d: %+v", i, a)
		}
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	post(t, s, list[0])
	for i, m := range list[:3] {
		if _, err := s.Email(t.Context(), m.Message.TenantID, m.Message.ID); err != nil {
			t.Errorf("number %d is not there: %v", i, err)
		}
	}
}
