package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/message"
)

func TestMailRightAfterAnotherGoesWithWhatFollows(t *testing.T) {
	run(t, func(t *testing.T, o *outbox, r *Relay) {
		expect := func(what string, attempts, copies int) {
			t.Helper()
			synctest.Wait()
			if a, c := o.get(&o.attempts), o.get(&o.copies); a != attempts || c != copies {
				t.Errorf("%s: %d transactions for %d copies, want %d for %d", what, a, c, attempts, copies)
			}
		}
		post := func() { o.add(1); r.Wake(message.LaneNormal) }
		post()
		expect("the first goes at once", 1, 1)
		for range 10 {
			<-time.After(100 * time.Microsecond)
			post()
		}
		expect("those right after it wait", 1, 1)
		<-time.After(time.Millisecond)
		expect("2 ms after the first", 2, 11)
		<-time.After(10 * time.Millisecond)
		post()
		expect("the first after a pause goes at once", 3, 12)
	})
}

func TestABacklogDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: eager{o}})
		o.add(5000)
		r.Start()
		synctest.Wait() // no time passes
		if n := o.get(&o.copies); n != 5000 {
			t.Errorf("%d copies published", n)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWithoutLingerEachMailGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		r := New(Config{Store: o, Queue: o, Linger: -1})
		r.Start()
		for n := range 10 {
			o.add(1)
			r.Wake(message.LaneNormal)
			synctest.Wait() // no time passes
			if copies := o.get(&o.copies); copies != n+1 {
				t.Errorf("%d copies published of %d", copies, n+1)
			}
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
