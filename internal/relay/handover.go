package relay

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// Whoever has just committed mail knows what its relay would read from the outbox. So
// where the lane has nothing else to do, its copies are handed over in memory and
// published without a transaction. Their rows stand until the broker has confirmed the
// copies, and are deleted in batches, which nobody waits for: most have been claimed by
// then, and nothing is to be written on their deliveries. The rows are due only after a
// grace, so that no other relay publishes them as well; where this process dies, or the
// broker refuses, they are published as any row is.
//
// That no row is locked meanwhile is safe: a twin has the same number, the first claim
// wins, and the other copy is acked, as after the death of a relay.

// Grace is how much later the rows of mail for the lane shall be due, if its copies are
// then handed over; 0: they are not wanted, since older ones wait, or the broker has
// refused some. Safe for concurrent use.
func (r *Relay) Grace(lane message.Lane) time.Duration {
	if l := r.lanes[lane]; l != nil && l.open.Load() {
		return r.cfg.Grace
	}
	return 0
}

// HandOver has copies published whose rows were committed with the lane's grace. It never
// blocks: where it has too many it forgets some, and their rows come due. Safe for
// concurrent use.
func (r *Relay) HandOver(lane message.Lane, refs []message.Ref) {
	if l := r.lanes[lane]; l != nil {
		l.handed.add(refs, handedMost*r.cfg.Batch)
	}
}

// handedMost is how many batches may wait to be published, or settled.
const handedMost = 8

// settle deletes the rows of what was published, a while after the first of it.
func (r *Relay) settle(ctx context.Context) {
	for {
		select {
		case <-r.published.some:
		case <-ctx.Done():
			return
		}
		if pause.For(ctx, r.cfg.Settle) != nil {
			return // Stop settles what is left
		}
		r.settleAll(context.WithoutCancel(ctx))
	}
}

// settleAll settles what was published so far. What fails is left to the rows: they come
// due and are published again, and these copies find nothing to claim.
func (r *Relay) settleAll(ctx context.Context) {
	for refs := r.published.take(r.cfg.Batch); len(refs) > 0; refs = r.published.take(r.cfg.Batch) {
		if err := r.cfg.Store.Settle(ctx, refs); err != nil {
			r.cfg.Logger.Warn("the rows of published mail could not be deleted; it is published again, which sends nothing twice",
				"copies", len(refs), "error", err)
		}
	}
}

// pass publishes copies that were handed over.
func (l *lane) pass(ctx context.Context) round {
	o := round{began: time.Now(), handed: true}
	refs := l.handed.take(l.window.room())
	if len(refs) == 0 {
		return o // they were forgotten
	}
	l.window.give(len(refs))
	errs := l.cfg.Queue.Publish(ctx, l.name, refs)
	o.taken, o.limit, o.refused = len(refs), l.cfg.Window+1, cmp.Or(errs...) // never full: nothing else is known to wait
	var confirmed []message.Ref
	for i, err := range errs {
		if err == nil {
			confirmed = append(confirmed, refs[i])
		}
	}
	o.confirmed = len(confirmed)
	l.published.add(confirmed, handedMost*l.cfg.Batch*len(l.lanes))
	return o
}

// shut wants no more copies, and forgets those that wait: until they could be published,
// their rows have come due.
func (l *lane) shut() {
	l.open.Store(false)
	l.handed.forget()
}

// reopen wants copies again once some were published with nothing left over.
func (l *lane) reopen(o round) {
	if o.taken > 0 && l.cfg.Grace > 0 {
		l.open.Store(true)
	}
}

// handed are copies on their way from one goroutine to another.
type handed struct {
	some chan struct{} // holds a token while there may be some

	mu   sync.Mutex
	refs []message.Ref
}

func newHanded() handed { return handed{some: make(chan struct{}, 1)} }

// add keeps the copies, unless there would be more than most.
func (h *handed) add(refs []message.Ref, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(refs) == 0 || len(h.refs)+len(refs) > most {
		return
	}
	h.refs = append(h.refs, refs...)
	h.signal()
}

func (h *handed) signal() {
	select {
	case h.some <- struct{}{}:
	default:
	}
}

func (h *handed) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs = nil
}

// take removes up to limit copies, the oldest first.
func (h *handed) take(limit int) []message.Ref {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(limit, len(h.refs))
	refs := h.refs[:n:n]
	if h.refs = h.refs[n:]; len(h.refs) == 0 {
		h.refs = nil // what was taken must not be kept by what comes
	} else {
		h.signal()
	}
	return refs
}
