package store_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// soon is how long a caller may wait for a connection, and what a busy machine
// adds to it. A statement may take 20 s.
const soon = 9 * time.Second

// asRole returns a URL that leads to the schema of the first as a role of the
// test's own, made with the given options.
func asRole(t *testing.T, schemaURL, options string) string {
	t.Helper()
	db, err := sql.Open("pgx", schemaURL)
	if err != nil {
		t.Fatal(err)
	}
	role := "test_" + uuid.NewString()[:8]
	execute(t, db, `CREATE ROLE `+role+` LOGIN PASSWORD 'secret' `+options)
	t.Cleanup(func() {
		for _, query := range []string{`DROP OWNED BY ` + role, `DROP ROLE ` + role} {
			if _, err := db.ExecContext(context.Background(), query); err != nil {
				t.Error(err)
			}
		}
		_ = db.Close()
	})
	var name string
	if err := db.QueryRowContext(t.Context(), `SELECT current_schema()`).Scan(&name); err != nil {
		t.Fatal(err)
	}
	execute(t, db, `GRANT ALL ON SCHEMA `+name+` TO `+role)
	execute(t, db, `GRANT ALL ON ALL TABLES IN SCHEMA `+name+` TO `+role)
	u, err := url.Parse(schemaURL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	return u.String()
}

// unmigrated opens a store on tables that another one has made.
func unmigrated(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	cfg.Worker.ID = uuid.New()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestWhoFindsEveryConnectionInUseIsToldSoon: the pool is empty because all its
// connections hang in something.
func TestWhoFindsEveryConnectionInUseIsToldSoon(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	clock := conformance.NewClock()
	held := claimedMails(t, open(t, admin, message.Process{ID: uuid.New()}, clock), clock, 2)
	s := unmigrated(t, store.Config{URL: admin, MaxConns: 2})
	var err error
	took := time.Duration(0)
	hanging := s.Hold(t.Context(), held[0].Key, func() {
		if err := s.Hold(t.Context(), held[1].Key, func() {
			started := time.Now()
			err = s.Accept(t.Context(), []message.Submission{mail()})[0].Err
			took = time.Since(started)
		}); err != nil {
			t.Error(err)
		}
	})
	if hanging != nil {
		t.Error(hanging)
	}
	if !errors.Is(err, message.ErrUnavailable) || took > soon {
		t.Errorf("after %v: %v", took, err)
	}
	post(t, s, mail()) // once they are free, all goes on
}

// TestAServerWithoutRoomDeadlocksNobody lets two hundred callers, relays and
// workers of one process loose on twelve connections, which the server allows,
// where the pool would take more. Whoever gets none is told so soon, the others
// go on, and what was accepted is sent in the end.
func TestAServerWithoutRoomDeadlocksNobody(t *testing.T) {
	t.Parallel()
	admin := storetest.Postgres(t)
	open(t, admin, message.Process{ID: uuid.New()}, conformance.NewClock())
	s := unmigrated(t, store.Config{URL: asRole(t, admin, `CONNECTION LIMIT 12`), MaxConns: 30})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := &crowd{t: t, s: s, copies: make(chan message.Ref, 1000)}
	var helpers sync.WaitGroup
	for _, step := range []func(context.Context) error{c.relay, c.relay, c.work, c.work, c.sweep} {
		helpers.Go(func() {
			for ctx.Err() == nil {
				c.timed(func() error { return step(ctx) })
				select {
				case <-time.After(5 * time.Millisecond): // leave the others some of the machine
				case <-ctx.Done():
				}
			}
		})
	}
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			c.timed(func() error {
				a := s.Accept(ctx, []message.Submission{mail()})[0]
				if a.Err == nil {
					c.accepted.Add(1)
				}
				return a.Err
			})
		})
	}
	callers.Wait()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(10 * time.Millisecond); c.sent.Load() < c.accepted.Load(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d accepted, %d sent", c.accepted.Load(), c.sent.Load())
		}
	}
	stop()
	helpers.Wait()
	t.Logf("200 callers, 12 connections: %d accepted, %d calls told that there is none, the slowest after %v",
		c.accepted.Load(), c.refused.Load(), time.Duration(c.slowest.Load()))
	if c.accepted.Load() == 0 || c.refused.Load() == 0 {
		t.Error("the limit was not met, or nothing was accepted under it")
	}
}

// crowd are the parts of one process.
type crowd struct {
	t      *testing.T
	s      *store.Store
	copies chan message.Ref

	accepted, sent, refused, slowest atomic.Int64
}

func (c *crowd) timed(call func() error) {
	started := time.Now()
	err := call()
	took := time.Since(started)
	for old := c.slowest.Load(); int64(took) > old && !c.slowest.CompareAndSwap(old, int64(took)); {
		old = c.slowest.Load()
	}
	switch {
	case err != nil && !errors.Is(err, message.ErrUnavailable):
		c.t.Error(err)
	case err != nil:
		c.refused.Add(1)
	}
	if took > soon {
		c.t.Errorf("told after %v: %v", took, err)
	}
}

func (c *crowd) relay(ctx context.Context) error {
	_, _, err := c.s.Dispatch(ctx, message.LaneNormal, 20, func(_ context.Context, refs []message.Ref) []error {
		for _, ref := range refs {
			c.copies <- ref
		}
		return make([]error, len(refs))
	})
	return err
}

func (c *crowd) work(ctx context.Context) error {
	select {
	case ref := <-c.copies:
		claims, err := c.s.Claim(ctx, []message.Bid{{Ref: ref}})
		if err != nil {
			c.copies <- ref
			return err
		}
		if claims[0].State != message.ClaimTaken {
			return nil
		}
		o := message.Outcome{Held: claims[0].Work.Held, Kind: message.OutcomeSent}
		for { // a known 250 is kept until it is written
			err := c.s.Record(ctx, []message.Outcome{o})[0]
			if err == nil {
				c.sent.Add(1)
			}
			if !errors.Is(err, message.ErrUnavailable) || ctx.Err() != nil {
				return err
			}
		}
	default:
		return nil
	}
}

func (c *crowd) sweep(ctx context.Context) error {
	_, err := c.s.SweepLost(ctx, message.LaneNormal, time.Time{}, 10)
	return err
}
