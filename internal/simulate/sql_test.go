package simulate_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/simulate"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// outside runs calls of a real database on goroutines that belong to no bubble.
// A bubble whose goroutine waits for one is not idle, so that its time stands
// still until the database has answered.
type outside struct{ free chan *hand }

// hand is a goroutine outside, and the channels to it. They were made outside
// too: those of a bubble work in it alone.
type hand struct {
	do   chan func()
	done chan struct{}
	refs chan []message.Ref // from a relay's transaction to the bubble
	errs chan []error       // and back
}

func newOutside(t testing.TB, hands int) *outside {
	o := &outside{free: make(chan *hand, hands)}
	for range hands {
		h := &hand{do: make(chan func()), done: make(chan struct{}), refs: make(chan []message.Ref), errs: make(chan []error)}
		go func() {
			for f := range h.do {
				f()
				h.done <- struct{}{}
			}
		}()
		o.free <- h
	}
	t.Cleanup(func() {
		for range hands {
			close((<-o.free).do)
		}
	})
	return o
}

func (o *outside) run(f func()) {
	h := <-o.free
	h.do <- f
	<-h.done
	o.free <- h
}

// onDisk is a SQL database, used for one simulation after the other.
type onDisk struct {
	t     testing.TB
	out   *outside
	url   string
	db    *sql.DB // for looks and for a fresh start
	clock func() time.Time
	now   atomic.Int64 // of clock, in milliseconds, for those outside
	alone bool

	marking message.Marking
	shared  *store.Store   // the one of a file, which only one process may use
	opened  []*store.Store // the others
}

// tick tells those outside what time it is.
func (d *onDisk) tick() { d.now.Store(d.clock().UnixMilli()) }

func (d *onDisk) offset() time.Duration { return time.Until(time.UnixMilli(d.now.Load())) }

func (d *onDisk) open(place int) *store.Store {
	s, err := store.Open(context.Background(), store.Config{
		URL: d.url, Worker: message.Process{ID: uuid.UUID{byte(place + 1)}, Program: "postrider"}, Marking: d.marking,
		MaxConns: 6, ClockOffset: d.offset,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// begin empties the tables for another simulation. Called within its bubble.
func (d *onDisk) begin(clock func() time.Time, m message.Marking) simulate.Database {
	d.clock, d.marking = clock, m
	d.tick()
	d.out.run(func() {
		for _, table := range []string{"outbox", "attempts", "deliveries", "messages", "idempotency", "dead_letters", "lanes", "workers"} {
			if _, err := d.db.ExecContext(context.Background(), "DELETE FROM "+table); err != nil {
				d.t.Error(err)
			}
		}
		if d.alone {
			d.shared = d.open(0)
		}
	})
	return d
}

// end closes what the last simulation opened.
func (d *onDisk) end() {
	d.out.run(func() {
		for _, s := range append(d.opened, d.shared) {
			if s != nil {
				_ = s.Close()
			}
		}
	})
	d.opened, d.shared = nil, nil
}

func (d *onDisk) Open(place int) simulate.Store {
	if d.alone {
		return &remote{d, d.shared}
	}
	d.tick()
	var s *store.Store
	d.out.run(func() { s = d.open(place) })
	d.opened = append(d.opened, s)
	return &remote{d, s}
}

// Crash has nothing to do: the simulation has every call of a process that died
// answered, and its transaction settles nothing.
func (d *onDisk) Crash(simulate.Store) {}

// Restart is a matter of the calls, which the simulation refuses meanwhile.
func (d *onDisk) Restart() {}

func (d *onDisk) Rows(_ []uuid.UUID, into *simulate.Rows) (err error) {
	d.out.run(func() { err = d.read(into) })
	return err
}

func (d *onDisk) read(into *simulate.Rows) error {
	into.Deliveries, into.Outbox, into.AllOutbox = into.Deliveries[:0], into.Outbox[:0], true
	err := d.each(`SELECT message_id, n, status, reason, dispatch, claim, phase, COALESCE(lease_until, 0), COALESCE(published_at, 0),
		COALESCE(next_attempt_at, 0), interrupted, unknown_outcomes FROM deliveries ORDER BY message_id, n`, func(rows *sql.Rows) error {
		var one message.Delivery
		var lease, published, next int64
		err := rows.Scan(&one.MessageID, &one.N, &one.Status, &one.Reason, &one.Dispatch, &one.Claim, &one.Phase, &lease, &published,
			&next, &one.Interrupted, &one.UnknownOutcomes)
		one.LeaseUntil, one.PublishedAt, one.NextAttemptAt = fromMillis(lease), fromMillis(published), fromMillis(next)
		into.Deliveries = append(into.Deliveries, one)
		return err
	})
	if err != nil {
		return err
	}
	err = d.each(`SELECT message_id, n, dispatch FROM outbox ORDER BY message_id, n, dispatch`, func(rows *sql.Rows) error {
		var ref message.Ref
		err := rows.Scan(&ref.MessageID, &ref.N, &ref.Dispatch)
		into.Outbox = append(into.Outbox, ref)
		return err
	})
	into.OutboxRows = int64(len(into.Outbox))
	return err
}

func (d *onDisk) each(query string, scan func(*sql.Rows) error) (err error) {
	rows, err := d.db.QueryContext(context.Background(), query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// remote is a store whose calls are made outside. Their contexts are not handed
// on: a bubble's context must not be waited for outside of it.
type remote struct {
	d *onDisk
	s *store.Store
}

func (r *remote) run(f func(context.Context)) {
	r.d.tick()
	r.d.out.run(func() { f(context.Background()) })
}

func (r *remote) Accept(_ context.Context, subs []message.Submission) (answers []message.Acceptance) {
	r.run(func(ctx context.Context) { answers = r.s.Accept(ctx, subs) })
	return answers
}

func (r *remote) Replay(_ context.Context, tenant int64, key string, hash [32]byte) (a message.Acceptance, found bool, err error) {
	r.run(func(ctx context.Context) { a, found, err = r.s.Replay(ctx, tenant, key, hash) })
	return a, found, err
}

// Dispatch leaves the transaction open outside while the bubble publishes.
func (r *remote) Dispatch(ctx context.Context, lane message.Lane, limit int, publish func(context.Context, []message.Ref) []error) (taken, confirmed int, err error) {
	r.d.tick()
	h := <-r.d.out.free
	defer func() { r.d.out.free <- h }()
	h.do <- func() {
		taken, confirmed, err = r.s.Dispatch(context.Background(), lane, limit, func(_ context.Context, refs []message.Ref) []error {
			h.refs <- refs
			return <-h.errs
		})
	}
	for {
		select {
		case refs := <-h.refs:
			errs := publish(ctx, refs)
			r.d.tick()
			h.errs <- errs
		case <-h.done:
			return taken, confirmed, err
		}
	}
}

func (r *remote) Due(context.Context) (lanes []message.Lane, next time.Duration, err error) {
	r.run(func(ctx context.Context) { lanes, next, err = r.s.Due(ctx) })
	return lanes, next, err
}

func (r *remote) Wait(context.Context) ([]message.Lane, error) {
	return nil, errors.New("the simulation rings itself")
}

func (r *remote) Claim(_ context.Context, bids []message.Bid) (claims []message.Claim, err error) {
	r.run(func(ctx context.Context) { claims, err = r.s.Claim(ctx, bids) })
	return claims, err
}

func (r *remote) Renew(_ context.Context, held []message.Held) (ok []bool, err error) {
	r.run(func(ctx context.Context) { ok, err = r.s.Renew(ctx, held) })
	return ok, err
}

func (r *remote) Mark(_ context.Context, held []message.Held) (ok []bool, err error) {
	r.run(func(ctx context.Context) { ok, err = r.s.Mark(ctx, held) })
	return ok, err
}

func (r *remote) Record(_ context.Context, outcomes []message.Outcome) (errs []error) {
	r.run(func(ctx context.Context) { errs = r.s.Record(ctx, outcomes) })
	return errs
}

func (r *remote) Bury(_ context.Context, letters []message.DeadLetter) (err error) {
	r.run(func(ctx context.Context) { err = r.s.Bury(ctx, letters) })
	return err
}

func (r *remote) Clock(context.Context) (c message.Clock, err error) {
	r.run(func(ctx context.Context) { c, err = r.s.Clock(ctx) })
	return c, err
}

func (r *remote) SweepLeases(_ context.Context, asOf time.Time, limit int, spread time.Duration) (swept message.Swept, err error) {
	r.run(func(ctx context.Context) { swept, err = r.s.SweepLeases(ctx, asOf, limit, spread) })
	return swept, err
}

func (r *remote) SweepLost(_ context.Context, lane message.Lane, emptySince time.Time, limit int) (n int, err error) {
	r.run(func(ctx context.Context) { n, err = r.s.SweepLost(ctx, lane, emptySince, limit) })
	return n, err
}

func (r *remote) SweepExpired(_ context.Context, limit int) (n int, err error) {
	r.run(func(ctx context.Context) { n, err = r.s.SweepExpired(ctx, limit) })
	return n, err
}

func (r *remote) Cancel(_ context.Context, tenant int64, id uuid.UUID) (n int, err error) {
	r.run(func(ctx context.Context) { n, err = r.s.Cancel(ctx, tenant, id) })
	return n, err
}

func (r *remote) Retry(_ context.Context, tenant int64, id uuid.UUID) (n int, err error) {
	r.run(func(ctx context.Context) { n, err = r.s.Retry(ctx, tenant, id) })
	return n, err
}

func (r *remote) Reschedule(_ context.Context, tenant int64, id uuid.UUID, at time.Time) (n int, err error) {
	r.run(func(ctx context.Context) { n, err = r.s.Reschedule(ctx, tenant, id, at) })
	return n, err
}

func (r *remote) RepairAll(_ context.Context, sole bool) (n int, err error) {
	r.run(func(ctx context.Context) { n, err = r.s.RepairAll(ctx, sole) })
	return n, err
}

// newSQLite is a database file of the test.
func newSQLite(t testing.TB) *onDisk {
	t.Helper()
	url := storetest.SQLite(t)
	d := &onDisk{t: t, out: newOutside(t, 16), url: url, alone: true}
	d.look("sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(5000)")
	return d
}

// newPostgres is a schema of the test.
func newPostgres(t testing.TB) *onDisk {
	t.Helper()
	url := storetest.Postgres(t)
	d := &onDisk{t: t, out: newOutside(t, 16), url: url}
	d.look("pgx", url)
	return d
}

// look opens a way to the rows beside the store.
func (d *onDisk) look(driver, source string) {
	d.t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		d.t.Fatal(err)
	}
	d.db = db
	d.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// runOn simulates one seed on a SQL database.
func runOn(t *testing.T, d *onDisk, cfg simulate.Config) simulate.Result {
	t.Helper()
	cfg.Alone, cfg.CheckEvery, cfg.Slack = d.alone, 32, 2*time.Second
	cfg.Database = func(clock func() time.Time, _ func() time.Duration, m message.Marking) simulate.Database {
		return d.begin(clock, m)
	}
	r := run(t, cfg)
	d.end()
	return r
}

func testOn(t *testing.T, d *onDisk, seeds uint64) {
	inOrder(t)
	var all simulate.Summary
	for seed := range seeds {
		all.Add(runOn(t, d, simulate.Config{Seed: seed}))
	}
	check(t, &all)
}

func TestOnSQLite(t *testing.T)   { testOn(t, newSQLite(t), seedsOnSQL) }
func TestOnPostgres(t *testing.T) { testOn(t, newPostgres(t), seedsOnSQL) }
