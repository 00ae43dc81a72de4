package relay

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/postrider/postrider/internal/message"
)

// outbox is a store of due rows of the lane normal, and the queue they go to.
type outbox struct {
	mu       sync.Mutex
	rows     []message.Ref
	copies   int
	down     bool
	polls    int                  // for lanes that have due rows
	unknown  bool                 // which those are
	next     time.Duration        // until a row is due, where none is
	asked    int                  // dispatches
	attempts int                  // dispatches that found something
	looks    int                  // at what waits with the broker
	asks     map[message.Lane]int // dispatches by lane
	bell     chan []message.Lane  // nil: nobody rings
}

func (o *outbox) Dispatch(ctx context.Context, lane message.Lane, limit int, publish Publish) (taken, confirmed int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	if o.asks == nil {
		o.asks = map[message.Lane]int{}
	}
	o.asks[lane]++
	if lane != message.LaneNormal || len(o.rows) == 0 {
		return 0, 0, nil
	}
	o.attempts++
	batch := o.rows[:min(limit, len(o.rows))]
	for _, err := range publish(ctx, batch) {
		if err == nil {
			confirmed++
		}
	}
	o.rows = o.rows[confirmed:]
	return len(batch), confirmed, nil
}

func (o *outbox) Due(context.Context) ([]message.Lane, time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.polls++
	switch {
	case o.unknown:
		return nil, 0, message.ErrUnavailable
	case len(o.rows) > 0:
		return []message.Lane{message.LaneNormal}, 0, nil
	}
	return nil, o.next, nil
}

func (o *outbox) Wait(ctx context.Context) ([]message.Lane, error) {
	select {
	case lanes := <-o.bell:
		return lanes, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (o *outbox) Publish(_ context.Context, _ message.Lane, refs []message.Ref) []error {
	errs := make([]error, len(refs))
	for i := range errs {
		if o.down {
			errs[i] = message.ErrUnavailable
		}
	}
	if !o.down {
		o.copies += len(refs)
	}
	return errs
}

// full is an outbox's queue with room for so many copies.
type full struct {
	*outbox
	room int
}

func (f full) Publish(_ context.Context, _ message.Lane, refs []message.Ref) []error {
	errs := make([]error, len(refs))
	for i := range errs {
		if f.copies >= f.room {
			errs[i] = message.ErrQueueFull
			continue
		}
		f.copies++
	}
	return errs
}

func (o *outbox) Ready(context.Context, message.Lane) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looks++
	return o.copies, nil
}

func (o *outbox) add(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range n {
		o.rows = append(o.rows, message.Ref{Key: message.Key{MessageID: uuid.New()}, Dispatch: 1})
	}
}

func (o *outbox) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *outbox) get(field *int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return *field
}

func run(t *testing.T, test func(t *testing.T, o *outbox, r *Relay)) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: o})
		r.Start()
		synctest.Wait()
		test(t, o, r)
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAWokenLaneIsRelayedAtOnce(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.add(1)
		r.Wake(message.LaneNormal)
		synctest.Wait() // no time passes
		if n := o.get(&o.copies); n != 1 {
			t.Errorf("%d copies published", n)
		}
	})
}

func TestALostWakeUpIsMadeGoodByThePoll(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, _ *Relay) {
		o.add(300)
		<-time.After(1300 * time.Millisecond)
		synctest.Wait()
		if n := o.get(&o.copies); n != 300 {
			t.Errorf("%d copies published", n)
		}
	})
}

func TestTheBrokersWindowIsNotOverfilled(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.add(5000)
		r.Wake(message.LaneNormal)
		<-time.After(10 * time.Second)
		if n := o.get(&o.copies); n > 1000 || n < 900 {
			t.Errorf("%d copies wait with the broker, want the window of 1,000", n)
		}
		o.set(func() { o.copies = 0 })
		<-time.After(time.Second)
		if n := o.get(&o.copies); n < 900 {
			t.Errorf("%d copies after the window opened", n)
		}
	})
}

func TestARefusingBrokerIsNotHammered(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.set(func() { o.down = true })
		o.add(1)
		for range 600 {
			r.Wake(message.LaneNormal)
			<-time.After(100 * time.Millisecond)
		}
		if n := o.get(&o.attempts); n > 30 {
			t.Errorf("%d attempts in a minute", n)
		}
		o.set(func() { o.down = false })
		<-time.After(7 * time.Second)
		if o.get(&o.copies) != 1 {
			t.Error("not published within 7 s of the broker's return")
		}
	})
}

func TestAQueueThatIsFullIsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		var log bytes.Buffer
		// A queue in memory whose room counts copies in hand too, which Ready does not.
		r := New(Config{Store: o, Queue: full{o, 900}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		o.add(2000)
		r.Start()
		<-time.After(time.Minute)
		o.set(func() { o.copies = 0 }) // all at once are taken and sent
		<-time.After(time.Second)
		if n := o.get(&o.copies); n < 900 {
			t.Errorf("%d copies a second after there was room", n)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if log.Len() > 0 {
			t.Errorf("a full queue was complained of: %s", log.String())
		}
	})
}

func TestTheLogSaysWhyCopiesWereNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{down: true}
		var log bytes.Buffer
		r := New(Config{Store: o, Queue: o, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		o.add(1)
		r.Start()
		<-time.After(time.Second)
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "error="+message.ErrUnavailable.Error()) {
			t.Errorf("logged: %s", log.String())
		}
	})
}

func TestAnIdleRelayIsQuiet(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, _ *Relay) {
		<-time.After(time.Minute)
		o.set(func() {
			if o.polls > 80 || o.asked > 4 || o.looks > 0 {
				t.Errorf("in an idle minute it polled %d times, began %d transactions and asked the broker %d times", o.polls, o.asked, o.looks)
			}
		})
	})
}

func TestThePollComesWhenTheNextRowIsDue(t *testing.T) {
	for next, most := range map[time.Duration]int{0: 12, time.Hour: 12, 300 * time.Millisecond: 34, time.Millisecond: 201} {
		run(t, func(t *testing.T, o *outbox, _ *Relay) {
			o.set(func() { o.next = next })
			<-time.After(1300 * time.Millisecond)
			o.set(func() { o.polls = 0 })
			<-time.After(10 * time.Second)
			if n := o.get(&o.polls); n > most || n < most*3/4 {
				t.Errorf("%d polls in 10 s, each of which sees that a row is due in %v; want %d or somewhat less", n, next, most)
			}
		})
	}
}

func TestAPollThatFailsSparesNoLaneItsLook(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, _ *Relay) {
		o.set(func() { o.unknown = true; clear(o.asks) })
		o.add(1)
		<-time.After(1300 * time.Millisecond)
		o.set(func() {
			if o.copies != 1 || len(o.asks) != len(message.Lanes()) {
				t.Errorf("%d copies after looks at %v", o.copies, o.asks)
			}
		})
	})
}

func TestOnlyTheLanesRungForAreLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{bell: make(chan []message.Lane)}
		r := New(Config{Store: o, Queue: o})
		r.Start()
		synctest.Wait()
		o.set(func() { clear(o.asks) })
		o.add(1)
		o.bell <- []message.Lane{message.LaneNormal, message.LaneLow, "of a later version"}
		synctest.Wait() // no time passes
		o.set(func() {
			if o.copies != 1 || len(o.asks) != 2 || o.asks[message.LaneNormal] != 1 || o.asks[message.LaneLow] != 1 {
				t.Errorf("%d copies after looks at %v", o.copies, o.asks)
			}
		})
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
