package store_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// TestALockedOutboxStopsOnlyWhatNeedsIt: acceptance is told so in bounded
// time, and what needs no outbox goes on as if nothing were.
func TestALockedOutboxStopsOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, admin, message.Process{ID: uuid.New()}, clock)
	held := claimedMails(t, s, clock, 1)
	db, lock := besides(t, admin)
	if _, err := lock.ExecContext(t.Context(), `LOCK TABLE outbox`); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	m := mail()
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		accepted <- s.Accept(ctx, []message.Submission{m})[0].Err
	}()
	awaitLockWait(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than a lock is waited for
	defer cancel()
	_, renewed := s.Renew(ctx, held)
	_, marked := s.Mark(ctx, held)
	recorded := s.Record(ctx, []message.Outcome{{Held: held[0], Kind: message.OutcomeSent}})[0]
	_, read := s.Email(ctx, message.DefaultTenant, held[0].MessageID)
	if err := errors.Join(renewed, marked, recorded, read); err != nil {
		t.Errorf("what needs no outbox: %v", err)
	}
	if err := <-accepted; !errors.Is(err, message.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("acceptance: %v, want the server's word that a lock is not free", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Email(t.Context(), message.DefaultTenant, m.Message.ID); !errors.Is(err, message.ErrNotFound) {
		t.Errorf("what was not accepted: %v", err)
	}
	post(t, s, m)
}

// TestAReadOnlyServerIsLeftOnceThereIsAnother: the sessions lead to a server that
// takes no writes, as those do that a failover left behind. They would keep
// doing so for as long as they live.
func TestAReadOnlyServerIsLeftOnceThereIsAnother(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	clock := conformance.NewClock()
	open(t, admin, message.Process{ID: uuid.New()}, clock)
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	asOther := asRole(t, admin, ``)
	u, err := url.Parse(asOther)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, db, `ALTER ROLE `+u.User.Username()+` SET default_transaction_read_only=on`) // sessions that begin now
	s := unmigrated(t, store.Config{URL: asOther, MaxConns: 4})
	m := mail()
	if err := s.Accept(t.Context(), []message.Submission{m})[0].Err; !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("read-only: %v", err)
	}
	if _, err := s.Email(t.Context(), message.DefaultTenant, m.Message.ID); !errors.Is(err, message.ErrNotFound) {
		t.Errorf("reading goes on, and nothing is there: %v", err)
	}
	execute(t, db, `ALTER ROLE `+u.User.Username()+` RESET default_transaction_read_only`)
	deadline := time.Now().Add(time.Minute)
	for err = message.ErrUnavailable; errors.Is(err, message.ErrUnavailable) && time.Now().Before(deadline); {
		err = s.Accept(t.Context(), []message.Submission{m})[0].Err
	}
	if err != nil {
		t.Errorf("it does not heal by itself: %v", err)
	}
}

// TestASweepDoesNotOvertakeHoldersThatCannotRenew: an index is being built,
// which locks deliveries against every change for longer than a lease. A sweep
// that waited with the holders could be the first to go on, and would take their
// mails away from them.
func TestASweepDoesNotOvertakeHoldersThatCannotRenew(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, admin, message.Process{ID: uuid.New()}, clock)
	held := claimedMails(t, s, clock, 1)
	clock.Advance(conformance.StoreLease + time.Second)
	_, index := besides(t, admin)
	if _, err := index.ExecContext(t.Context(), `CREATE INDEX slow ON deliveries (address)`); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 10} {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than a lock is waited for
		swept, err := s.SweepLeases(ctx, clock.Now(), limit, 0)
		if !errors.Is(err, message.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || swept.Total() > 0 {
			t.Errorf("a sweep of %d: %+v %v", limit, swept, err)
		}
		cancel()
	}
	if err := index.Commit(); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Renew(t.Context(), held); err != nil || !ok[0] {
		t.Errorf("its holder renews: %v %v", ok, err)
	}
	if swept, err := s.SweepLeases(t.Context(), clock.Now(), 10, 0); err != nil || swept.Total() > 0 {
		t.Errorf("a sweep afterwards: %+v %v", swept, err)
	}
}

// TestAListenerComesBack ends the sessions of the wake-ups. The relay's poll
// covers the time in between; afterwards wake-ups arrive again.
func TestAListenerComesBack(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	name := "bell-" + uuid.NewString()
	s := unmigrated(t, store.Config{URL: admin + "&application_name=" + name})
	other := open(t, admin, message.Process{ID: uuid.New()}, conformance.NewClock())
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	listeners := func(query string) (n int) {
		t.Helper()
		err := db.QueryRowContext(t.Context(), query+` FROM pg_stat_activity WHERE application_name=$1 AND query LIKE 'LISTEN%'`, name).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	m := mail()
	post(t, other, m)
	waits := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(waits)
		for ctx.Err() == nil {
			_, err := s.Wait(ctx)
			waits <- err
		}
	}()
	defer func() {
		stop()
		for range waits { // until the last one has ended
		}
	}()
	hears := func(what string) {
		t.Helper()
		deadline := time.After(time.Minute)
		for listeners(`SELECT COUNT(*)`) == 0 { // it rings by itself when it comes
			select {
			case err := <-waits:
				t.Log(what, "a wait ended:", err)
			case <-deadline:
				t.Fatalf("%s: nobody listens", what)
			case <-time.After(20 * time.Millisecond):
			}
		}
		for quiet := false; !quiet; {
			select {
			case err := <-waits:
				t.Log(what, "a wait ended:", err)
			case <-time.After(300 * time.Millisecond):
				quiet = true
			}
		}
		if n, err := other.Reschedule(t.Context(), message.DefaultTenant, m.Message.ID, time.Time{}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		select {
		case err := <-waits:
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case <-deadline:
			t.Errorf("%s: a wake-up did not arrive", what)
		}
	}
	hears("at first")
	listeners(`SELECT COUNT(pg_terminate_backend(pid))`)
	hears("after its session ended")
}
