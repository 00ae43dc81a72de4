package memory_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
)

// world is a database with one message in it, and two processes.
type world struct {
	*testing.T
	now        time.Time
	elapsed    time.Duration
	db         *memory.Database
	first, two *memory.Store
	ref        message.Ref
	seen       memory.Snapshot
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	w.db = memory.New(memory.Config{
		Now: func() time.Time { return w.now }, Elapsed: func() time.Duration { return w.elapsed },
	})
	w.first, w.two = w.db.Open(message.Process{ID: uuid.New()}), w.db.Open(message.Process{ID: uuid.New()})
	a := w.first.Accept(t.Context(), []message.Submission{mail()})[0]
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	w.ref = message.Ref{Key: message.Key{MessageID: a.ID}, Dispatch: 1}
	return w
}

func mail() message.Submission {
	return message.Submission{Message: &message.Message{
		ID: message.NewID(), TenantID: message.DefaultTenant, Kind: message.ChannelEmail, Lane: message.LaneNormal,
		Head: message.Head{To: []message.Address{{Email: "a@example.com"}}},
	}}
}

func confirm(_ context.Context, refs []message.Ref) []error { return make([]error, len(refs)) }

// dispatch publishes all that is due and returns how much that was.
func (w *world) dispatch(s *memory.Store) int {
	w.Helper()
	_, confirmed, err := s.Dispatch(w.Context(), message.LaneNormal, 10, confirm)
	if err != nil {
		w.Fatal(err)
	}
	return confirmed
}

// open asserts that the row of the outbox is there, and free, and the delivery
// as it was.
func (w *world) open(s *memory.Store) {
	w.Helper()
	w.db.Snapshot(&w.seen)
	if len(w.seen.Outbox) != 1 || !w.seen.Deliveries[0].PublishedAt.IsZero() {
		w.Errorf("something was settled: %+v", w.seen)
	}
	if n := w.dispatch(s); n != 1 {
		w.Errorf("published %d, want the one that came free", n)
	}
}

// TestHeld: while a relay publishes, its rows are nobody else's.
func TestHeld(t *testing.T) {
	w := newWorld(t)
	_, confirmed, err := w.first.Dispatch(t.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
		if n := w.dispatch(w.two); n != 0 {
			t.Errorf("another relay published %d", n)
		}
		return make([]error, 1)
	})
	if confirmed != 1 || err != nil {
		t.Error(confirmed, err)
	}
}

// TestCrashInPublish: its publish never returns, and its goroutine is never
// seen again.
func TestCrashInPublish(t *testing.T) {
	w := newWorld(t)
	inside, never, settled := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, _, err := w.first.Dispatch(t.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
			close(inside)
			<-never
			return make([]error, len(refs))
		})
		settled <- err
	}()
	<-inside
	if n := w.dispatch(w.two); n != 0 {
		t.Fatalf("published %d beside a relay that lives", n)
	}
	w.first.Crash()
	w.open(w.two)
	close(never) // what it may still answer counts for nothing
	if err := <-settled; !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("a dead relay settled: %v", err)
	}
	if err := w.first.Ping(t.Context()); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("a dead process is answered: %v", err)
	}
}

func TestCrashKeepsClaims(t *testing.T) {
	w := newWorld(t)
	w.dispatch(w.first)
	if _, err := w.first.Claim(t.Context(), []message.Bid{{Ref: w.ref}}); err != nil {
		t.Fatal(err)
	}
	w.first.Crash()
	w.first.Crash()
	sweep := func() int {
		swept, err := w.two.SweepLeases(t.Context(), w.now, 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		return swept.Requeued
	}
	if n := sweep(); n != 0 {
		t.Error("a lease ended with its process")
	}
	w.now = w.now.Add(21 * time.Second)
	if n := sweep(); n != 1 {
		t.Error("a lease outlived its time")
	}
}

// TestPublishLeft: a publish that ends its goroutine or panics gives the rows
// back.
func TestPublishLeft(t *testing.T) {
	for name, leave := range map[string]func(){
		"goexit": runtime.Goexit,
		"panic":  func() { panic("killed") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				defer func() { _ = recover() }()
				_, _, _ = w.first.Dispatch(t.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
					leave()
					return nil
				})
			}()
			<-gone
			w.open(w.first)
		})
	}
}

// TestHang: after 10 s, whatever the clock says, the rows are others'.
func TestHang(t *testing.T) {
	w := newWorld(t)
	_, confirmed, err := w.first.Dispatch(t.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
		w.now = w.now.Add(time.Hour)
		if n := w.dispatch(w.two); n != 0 {
			t.Error("a step of the clock ended the transaction")
		}
		w.elapsed += 10 * time.Second
		w.open(w.two)
		return make([]error, 1)
	})
	if confirmed != 0 || !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("a relay that hung settled %d: %v", confirmed, err)
	}
}

func TestRestart(t *testing.T) {
	w := newWorld(t)
	before, err := w.first.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, confirmed, err := w.first.Dispatch(t.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
		w.db.Restart()
		return make([]error, 1)
	})
	if confirmed != 0 || !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("settled %d in a transaction of another life: %v", confirmed, err)
	}
	w.open(w.first)
	after, err := w.first.Clock(t.Context())
	if err != nil || after.Epoch == before.Epoch {
		t.Errorf("epoch %q after %q: %v", after.Epoch, before.Epoch, err)
	}
}

// TestSettleTwice: a relay that was given up settles nothing of the one that
// came after it.
func TestSettleTwice(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.first.Dispatch(t.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
		w.db.Restart()
		_, confirmed, err := w.two.Dispatch(t.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
			return []error{message.ErrNotConfirmed}
		})
		if confirmed != 0 || err != nil {
			t.Error(confirmed, err)
		}
		return make([]error, 1)
	})
	if !errors.Is(err, message.ErrUnavailable) {
		t.Error(err)
	}
	w.open(w.first)
}

// TestSnapshot: it is its own.
func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	s := mail()
	s.IdempotencyKey = "order"
	w.first.Accept(t.Context(), []message.Submission{s})
	w.db.Snapshot(&w.seen)
	if len(w.seen.Deliveries) != 2 || len(w.seen.Outbox) != 2 || len(w.seen.Keys) != 1 || w.seen.Keys[0].MessageID != s.Message.ID {
		t.Fatalf("%+v", w.seen)
	}
	w.seen.Deliveries[0].Status = message.StatusSent
	w.db.Snapshot(&w.seen)
	if w.seen.Deliveries[0].Status != message.StatusQueued {
		t.Error("a reader changed the database")
	}
	if allocs := testing.AllocsPerRun(100, func() { w.db.Snapshot(&w.seen) }); allocs > 4 {
		t.Errorf("%v allocations for another look", allocs)
	}
}
