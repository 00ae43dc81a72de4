package store_test

import (
	"context"
	"slices"
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

// wakeUps is a store that waits, and a connection that hears what all stores on
// the server say to each other: tests of other schemas too, so that each test has
// lanes of its own.
type wakeUps struct {
	*testing.T
	store *store.Store
	heard chan []message.Lane
	wire  *pgx.Conn
}

func newWakeUps(t *testing.T, url string) *wakeUps {
	t.Helper()
	w := &wakeUps{T: t, store: open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock()), heard: make(chan []message.Lane)}
	var err error
	if w.wire, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.wire.Close(context.Background()) })
	w.exec("LISTEN postrider_due")
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(w.heard)
		for ctx.Err() == nil {
			lanes, _ := w.store.Wait(ctx)
			select {
			case w.heard <- lanes:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		for range w.heard { // until the last wait has ended
		}
	})
	return w
}

func (w *wakeUps) exec(query string, args ...any) {
	w.Helper()
	if _, err := w.wire.Exec(w.Context(), query, args...); err != nil {
		w.Fatal(err)
	}
}

// posted is a mail of a lane of its own.
func (w *wakeUps) posted() message.Submission {
	m := mail()
	m.Message.Lane = message.Lane(uuid.NewString())
	post(w.T, w.store, m)
	return m
}

func (w *wakeUps) makeDue(s *store.Store, m message.Submission) {
	w.Helper()
	if n, err := s.Reschedule(w.Context(), message.DefaultTenant, m.Message.ID, time.Time{}); n != 1 || err != nil {
		w.Fatal(n, err)
	}
}

// hears waits until a wake-up names the lane and returns it with those before.
func (w *wakeUps) hears(lane message.Lane) (all [][]message.Lane) {
	w.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case lanes := <-w.heard:
			if all = append(all, lanes); slices.Contains(lanes, lane) {
				return all
			}
		case <-deadline:
			w.Fatalf("not woken for the lane %s", lane)
		}
	}
}

// listens waits until the store's own session is there: it rings for all lanes.
func (w *wakeUps) listens() {
	w.Helper()
	w.hears(message.LaneCritical)
}

func TestAWakeUpNamesItsLane(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	w := newWakeUps(t, url)
	other := open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
	w.listens()
	m := w.posted()
	w.makeDue(other, m)
	all := w.hears(m.Message.Lane)
	if last := all[len(all)-1]; len(last) != 1 {
		t.Errorf("woken for %q", last)
	}
}

// What a store rings for is heard in its own process at once, and not again when
// the server passes it on.
func TestAStoreDoesNotHearItsOwnRingTwice(t *testing.T) {
	t.Parallel()
	w := newWakeUps(t, storetest.Postgres(t))
	w.listens()
	m := w.posted()
	w.makeDue(w.store, m)
	w.hears(m.Message.Lane)
	for {
		n, err := w.wire.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(n.Payload, " "+string(m.Message.Lane)) {
			break // it has been passed on
		}
	}
	end := message.Lane(uuid.NewString())
	w.exec("SELECT pg_notify('postrider_due', $1)", "somebody "+string(end))
	for _, lanes := range w.hears(end) {
		if slices.Contains(lanes, m.Message.Lane) {
			t.Error("it heard its own ring")
		}
	}
}

func TestARingOfAnEarlierVersionMeansEveryLane(t *testing.T) {
	t.Parallel()
	w := newWakeUps(t, storetest.Postgres(t))
	w.listens()
	w.exec("NOTIFY postrider_due")
	w.hears(message.LaneCritical)
}
