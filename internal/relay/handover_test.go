package relay

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// accept commits n rows as a producer does, and hands their copies over where the
// relay wants them.
func (o *outbox) accept(r *Relay, n int) {
	grace := r.Grace(message.LaneNormal)
	refs := make([]message.Ref, n)
	for i := range refs {
		refs[i] = message.Ref{Key: message.Key{MessageID: uuid.New()}, Dispatch: 1}
	}
	o.set(func() {
		if grace > 0 {
			o.later = append(o.later, refs...)
		} else {
			o.rows = append(o.rows, refs...)
		}
	})
	if grace == 0 {
		r.Wake(message.LaneNormal)
		return
	}
	time.AfterFunc(grace, func() { o.set(o.due) })
	r.HandOver(message.LaneNormal, refs)
}

// due is for the end of a grace: what still stands there is taken by any relay.
func (o *outbox) due() {
	o.rows, o.later = append(o.rows, o.later...), nil
}

func (o *outbox) want(t *testing.T, what string, copies, transactions, settles, rows int) {
	t.Helper()
	synctest.Wait()
	o.set(func() {
		if left := len(o.rows) + len(o.later); o.copies != copies || o.attempts != transactions || o.settles != settles || left != rows {
			t.Errorf("%s: %d copies after %d transactions with rows and %d that settle, %d rows left; want %d, %d, %d, %d",
				what, o.copies, o.attempts, o.settles, left, copies, transactions, settles, rows)
		}
	})
}

func TestCopiesHandedOverTakeNoTransactionToPublish(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.accept(r, 1)
		o.want(t, "at once", 1, 0, 0, 1)
		for range 9 {
			<-time.After(5 * time.Millisecond)
			o.accept(r, 1)
		}
		o.want(t, "as they come", 10, 0, 0, 10)
		<-time.After(10 * time.Millisecond)
		o.want(t, "50 ms after the first", 10, 0, 1, 0)
		<-time.After(5 * time.Second)
		o.want(t, "after their grace", 10, 0, 1, 0)
	})
}

func TestWhatTheBrokerRefusesIsPublishedWhenItsRowsAreDue(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.set(func() { o.down = true })
		o.accept(r, 300) // more than one batch
		synctest.Wait()
		if g := r.Grace(message.LaneNormal); g != 0 {
			t.Errorf("a lane that was refused wants copies, with a grace of %v", g)
		}
		for range 100 {
			o.accept(r, 1) // wait in the outbox
			<-time.After(100 * time.Millisecond)
		}
		o.want(t, "while the broker refuses", 0, o.get(&o.attempts), 0, 400)
		if n := o.get(&o.published); n > 12 {
			t.Errorf("the broker was tried %d times in 10 s", n)
		}
		o.set(func() { o.down = false })
		<-time.After(7 * time.Second)
		o.want(t, "once it takes copies", 400, o.get(&o.attempts), 0, 0)
		if r.Grace(message.LaneNormal) == 0 {
			t.Error("no copies are wanted although all is well again")
		}
	})
}

func TestABacklogIsNotOvertakenByCopiesHandedOver(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.add(5000)
		r.Wake(message.LaneNormal)
		synctest.Wait() // 1,000 wait with the broker, the others in the outbox
		if g := r.Grace(message.LaneNormal); g != 0 {
			t.Errorf("a lane with a backlog wants copies, with a grace of %v", g)
		}
		for range 4 {
			o.set(func() { o.copies = 0 })
			<-time.After(time.Second)
		}
		o.set(func() { o.copies = 0 })
		o.accept(r, 1)
		<-time.After(time.Second)
		o.set(func() { o.copies = 0 })
		o.accept(r, 1)
		synctest.Wait()
		if r.Grace(message.LaneNormal) == 0 || o.get(&o.copies) != 1 {
			t.Error("no copies are wanted although the backlog is gone")
		}
	})
}

func TestNewMailAndTheOutboxTakeTurns(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		for range 100 {
			o.accept(r, 1)
			o.add(1)
			r.Wake(message.LaneNormal)
			<-time.After(2 * time.Millisecond)
		}
		<-time.After(20 * time.Millisecond)
		o.set(func() {
			if len(o.rows) > 0 || o.copies != 200 || o.attempts < 40 || o.published-o.attempts < 40 {
				t.Errorf("%d rows wait, %d copies, after %d transactions and %d without one", len(o.rows), o.copies, o.attempts, o.published-o.attempts)
			}
		})
	})
}

func TestTheWindowHoldsForCopiesHandedOver(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		for range 3000 {
			o.accept(r, 1)
			<-time.After(time.Millisecond)
		}
		<-time.After(10 * time.Second)
		if n := o.get(&o.copies); n > 1000 || n < 900 {
			t.Errorf("%d copies wait with the broker, want the window of 1,000", n)
		}
	})
}

func TestCopiesThatCannotBeSettledArePublishedAgain(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.set(func() { o.unsettled = true })
		o.accept(r, 2)
		<-time.After(500 * time.Millisecond)
		o.want(t, "while rows cannot be deleted", 2, 0, 0, 2)
		<-time.After(3 * time.Second)
		o.want(t, "after the grace", 4, 1, 0, 0)
	})
}

func TestAStopSettlesWhatWasPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: o})
		r.Start()
		synctest.Wait()
		o.accept(r, 2)
		synctest.Wait()
		for range 2 {
			if err := r.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		o.want(t, "stopped", 2, 0, 1, 0)
	})
}

func TestTooManyCopiesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: o}) // nobody takes what is handed over
		for range 20 {
			r.HandOver(message.LaneNormal, make([]message.Ref, 128))
		}
		if n := len(r.lanes[message.LaneNormal].handed.refs); n != 8*128 {
			t.Errorf("%d copies are kept", n)
		}
	})
}

func TestARelayWithoutGraceWantsNoCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: o, Grace: -1})
		r.Start()
		o.accept(r, 1)
		synctest.Wait()
		o.accept(r, 1)
		<-time.After(10 * time.Millisecond)
		if i := slices.Index([]int{o.get(&o.copies), o.get(&o.attempts)}, 0); i >= 0 || r.Grace(message.LaneNormal) != 0 {
			t.Error("copies did not go through the outbox")
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
