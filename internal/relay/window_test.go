package relay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// blind is an outbox's queue that cannot say what waits.
type blind struct{ *outbox }

func (b blind) Ready(context.Context, message.Lane) (int, error) {
	return 0, errors.New("no right to declare")
}

// eager is an outbox's queue whose copies are consumed at once.
type eager struct{ *outbox }

func (e eager) Ready(ctx context.Context, lane message.Lane) (int, error) {
	_, err := e.outbox.Ready(ctx, lane)
	return 0, err
}

func TestATrickleDoesNotOverfillTheWindow(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		for range 5000 {
			o.add(3)
			r.Wake(message.LaneNormal)
			<-time.After(3 * time.Millisecond)
		}
		if n := o.get(&o.copies); n > 1000 || n < 900 {
			t.Errorf("%d copies wait with the broker, want the window of 1,000", n)
		}
		if n := o.get(&o.looks); n > 500 {
			t.Errorf("the broker was asked %d times in 15 s", n)
		}
	})
}

func TestOneLookServesSeveralBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: eager{o}})
		o.add(10_000)
		r.Start()
		<-time.After(time.Second)
		if n := o.get(&o.copies); n != 10_000 {
			t.Errorf("%d copies published", n)
		}
		if n := o.get(&o.looks); n > 10 {
			t.Errorf("the broker was asked %d times", n)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullWindowIsNotFilledARowAtATime(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		o.add(10_000)
		r.Wake(message.LaneNormal)
		for range 5000 {
			<-time.After(time.Millisecond)
			o.set(func() { o.copies = max(0, o.copies-1) })
		}
		if n := o.get(&o.copies); n < 750 || n > 1000 {
			t.Errorf("%d copies wait with the broker", n)
		}
		if n := o.get(&o.attempts); n > 80 {
			t.Errorf("%d transactions for about 6,000 copies", n)
		}
	})
}

func TestATrickleThatIsConsumedSeldomAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: eager{o}})
		r.Start()
		for range 3000 {
			o.add(1)
			r.Wake(message.LaneNormal)
			<-time.After(5 * time.Millisecond)
		}
		if n := o.get(&o.copies); n != 3000 {
			t.Errorf("%d copies published", n)
		}
		if n := o.get(&o.looks); n > 3 {
			t.Errorf("the broker was asked %d times for 3,000 copies", n)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestABrokerThatCannotCountIsStillGivenCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: blind{o}})
		o.add(2000)
		r.Start()
		<-time.After(time.Minute)
		if n := o.get(&o.copies); n < 1000 {
			t.Errorf("%d copies published", n)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Each relay looks for itself, so that several overshoot by a window each at
// most.
func TestRelaysThatCompeteHoldTheirWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		relays := []*Relay{New(Config{Store: o, Queue: o}), New(Config{Store: o, Queue: o}), New(Config{Store: o, Queue: o})}
		o.add(20_000)
		for _, r := range relays {
			r.Start()
		}
		<-time.After(10 * time.Second)
		if n := o.get(&o.copies); n < 900 || n > 3*1000 {
			t.Errorf("%d copies wait with the broker", n)
		}
		for _, r := range relays {
			if err := r.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
