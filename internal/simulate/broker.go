package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// broker is the queue of a simulation: durable, at least once, in the order it
// likes. What it forgets it forgets by a fault, and remembers having done so.
type broker struct {
	w            *world
	lanes        map[message.Lane][]*parcel
	inHand       []*parcel
	lost         map[message.Ref]bool
	had          map[message.Ref]bool // every copy that ever arrived
	downUntil    time.Time
	missingUntil time.Time // the queues were deleted and are not declared again yet
}

// parcel is one copy.
type parcel struct {
	ref         message.Ref
	lane        message.Lane
	redelivered bool
	returns     int
	holder      *process // nil: it waits
	session     int      // of the holder
}

// deliveryLimit is how often a copy may come back before it is dead-lettered.
const deliveryLimit = 20

func newBroker(w *world) *broker {
	return &broker{w: w, lanes: map[message.Lane][]*parcel{}, lost: map[message.Ref]bool{}, had: map[message.Ref]bool{}}
}

func (b *broker) down(now time.Time) bool    { return b.downUntil.After(now) }
func (b *broker) missing(now time.Time) bool { return b.missingUntil.After(now) }

// holds reports whether any copy is left.
func (b *broker) holds() bool {
	return len(b.inHand) > 0 || len(b.lanes[message.LaneNormal])+len(b.lanes[message.LaneHigh]) > 0
}

// has reports whether some copy of ref is there, waiting or in hand.
func (b *broker) has(ref message.Ref) bool {
	is := func(c *parcel) bool { return c.ref == ref }
	return slices.ContainsFunc(b.inHand, is) || slices.ContainsFunc(b.lanes[message.LaneNormal], is) ||
		slices.ContainsFunc(b.lanes[message.LaneHigh], is)
}

func (b *broker) put(lane message.Lane, ref message.Ref) {
	b.had[ref] = true
	b.lanes[lane] = append(b.lanes[lane], &parcel{ref: ref, lane: lane})
}

// take gives a copy to a consumer.
func (b *broker) take(p *process, lane message.Lane, at int) *parcel {
	c := b.lanes[lane][at]
	b.lanes[lane] = slices.Delete(b.lanes[lane], at, at+1)
	c.holder, c.session = p, p.session
	b.inHand = append(b.inHand, c)
	return c
}

// drop ends the custody of a copy that is in hand.
func (b *broker) drop(c *parcel) {
	b.inHand = slices.DeleteFunc(b.inHand, func(other *parcel) bool { return other == c })
	c.holder = nil
}

// comeBack puts a copy that was in hand ahead of all others.
func (b *broker) comeBack(c *parcel) {
	b.drop(c)
	c.redelivered = true
	if c.returns++; c.returns > deliveryLimit {
		b.lost[c.ref] = true
		return
	}
	b.lanes[c.lane] = slices.Insert(b.lanes[c.lane], 0, c)
}

// cut ends the sessions of a process: what it held comes back.
func (b *broker) cut(p *process) {
	p.session++
	for _, c := range slices.Clone(b.inHand) {
		if c.holder == p {
			b.w.counts[Redelivered]++
			b.comeBack(c)
		}
	}
}

// gone is the end of a process. One that keeps its queue in memory takes that
// along.
func (b *broker) gone(p *process) {
	b.cut(p)
	if p.place.produces && p.place.consumes {
		b.purge()
	}
}

// purge forgets what waits, and returns how much that was.
func (b *broker) purge() int {
	n := 0
	for lane, list := range b.lanes {
		n += len(list)
		for _, c := range list {
			b.lost[c.ref] = true
		}
		b.lanes[lane] = nil
	}
	return n
}

// link is a process's way to the broker.
type link struct {
	w    *world
	p    *process
	role string // who asks, so that two parts of a process can be told apart
}

func (l *link) Ready(ctx context.Context, lane message.Lane) (int, error) {
	given := l.w.park(ctx, &call{proc: l.p, kind: kReady, content: l.role + " " + string(lane), deadline: time.Now().Add(5 * time.Second)})
	if err := given.err(); err != nil {
		return 0, err
	}
	if now := time.Now(); l.w.broker.down(now) || l.w.broker.missing(now) {
		return 0, unavailable("broker")
	}
	return len(l.w.broker.lanes[lane]), nil
}

func unavailable(what string) error {
	return fmt.Errorf("simulated %s: %w", what, message.ErrUnavailable)
}

// Publish has two steps, with the copies at the broker in between.
func (l *link) Publish(ctx context.Context, lane message.Lane, refs []message.Ref) []error {
	begun := time.Now()
	refs, names, at := sorted(l.w, refs, l.w.truth.ref)
	given := l.w.park(ctx, &call{proc: l.p, kind: kPublish, content: names, deadline: begun.Add(5 * time.Second)})
	if given.end != proceed || l.w.broker.down(time.Now()) {
		return each(len(refs), unavailable("publish"))
	}
	session := l.p.session
	errs := l.send(lane, refs, given)
	given = l.w.park(ctx, &call{proc: l.p, kind: kConfirm, content: names, deadline: begun.Add(5 * time.Second)})
	switch {
	case given.end != proceed || session != l.p.session:
		errs = each(len(refs), fmt.Errorf("simulated: %w", message.ErrNotConfirmed))
	case given.fault == ConfirmLost:
		errs[int(given.roll%uint64(len(errs)))] = fmt.Errorf("simulated: %w", message.ErrNotConfirmed)
	}
	return restore(errs, at)
}

// send queues the copies, but those of a fault.
func (l *link) send(lane message.Lane, refs []message.Ref, given leave) []error {
	b := l.w.broker
	errs := make([]error, len(refs))
	from := int(given.roll % uint64(len(refs)))
	for i, ref := range refs {
		switch {
		case b.missing(time.Now()), given.fault == Returned:
			errs[i] = message.ErrUnroutable
		case given.fault == Nacked && i == from:
			errs[i] = message.ErrNotConfirmed
		case given.fault == QueueFull && i >= from:
			errs[i] = message.ErrQueueFull
		default:
			b.put(lane, ref)
		}
	}
	return errs
}

// Consume is one channel with prefetch 1. A lost session is replaced at once
// when the broker is there.
func (l *link) Consume(ctx context.Context, lane message.Lane, handle func(message.Copy) message.Verdict) error {
	b := l.w.broker
	for {
		given := l.w.park(ctx, &call{proc: l.p, kind: kDeliver, content: string(lane), ready: func() bool {
			now := time.Now()
			return len(b.lanes[lane]) > 0 && !b.down(now) && !b.missing(now)
		}})
		if given.end != proceed {
			return nil
		}
		at := 0
		if given.fault == Reordered {
			at = int(given.roll % uint64(len(b.lanes[lane])))
		}
		c := b.take(l.p, lane, at)
		session := l.p.session
		l.w.trace.result(l.w.truth.ref(c.ref) + flag(c.redelivered, " redelivered"))
		verdict := handle(message.Copy{Refs: []message.Ref{c.ref}, Redelivered: c.redelivered, Queue: "simulated"})
		l.answer(c, session, verdict)
	}
}

// answer settles a copy, unless the broker has taken it back meanwhile.
func (l *link) answer(c *parcel, session int, v message.Verdict) {
	given := l.w.park(context.Background(), &call{proc: l.p, kind: kVerdict, content: l.w.truth.ref(c.ref) + " " + verdictName(v)})
	if given.end == crashed {
		return
	}
	b := l.w.broker
	if c.holder != l.p || c.session != session || l.p.session != session {
		l.w.fired(VerdictStale)
		return
	}
	switch v {
	case message.VerdictRequeue:
		b.comeBack(c)
	default:
		b.drop(c)
	}
}

func verdictName(v message.Verdict) string {
	switch v {
	case message.VerdictAck:
		return "ack"
	case message.VerdictRequeue:
		return "nack(requeue)"
	default:
		return "nack(dead)"
	}
}
