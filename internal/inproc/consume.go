package inproc

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/postrider/postrider/internal/message"
)

// queueName is what a copy says about where it came from.
func queueName(lane message.Lane) string { return "inproc." + string(lane) }

// Consume hands the lane's copies to handle, one at a time, until ctx ends, and
// then returns nil once the copy in hand is settled. Any number of calls may
// share a lane. After Stop it returns an error that wraps
// message.ErrUnavailable.
//
// VerdictRequeue brings the copy back ahead of all others, VerdictReject drops
// it with a line in the log: there is no dead-letter queue in memory.
func (q *Queue) Consume(ctx context.Context, lane message.Lane, handle func(message.Copy) message.Verdict) error {
	b, err := q.lane(lane)
	if err != nil {
		return fmt.Errorf("inproc: consume: %w", err)
	}
	if !q.join() {
		return fmt.Errorf("inproc: consume: %w", unavailable())
	}
	defer q.consumers.Done()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-q.stopping:
			return fmt.Errorf("inproc: consume: %w", unavailable())
		case <-b.waiting:
			if q.ended(ctx) {
				b.waiting <- struct{}{} // select chooses freely; the end goes first
				continue
			}
			q.serve(b, lane, handle)
		}
	}
}

// join counts a consumer, unless the queue is stopped.
func (q *Queue) join() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return false
	}
	q.consumers.Add(1)
	return true
}

// ended reports whether a consumer with this context is to take no more.
func (q *Queue) ended(ctx context.Context) bool { return ctx.Err() != nil || q.isStopped() }

// serve takes one copy, has it handled and settles it.
func (q *Queue) serve(b *buffer, lane message.Lane, handle func(message.Copy) message.Verdict) {
	e := b.take()
	c := message.Copy{Refs: []message.Ref{e.ref}, Redelivered: e.redelivered, Queue: queueName(lane)}
	switch q.verdict(c, handle) {
	case message.VerdictAck:
		b.drop()
	case message.VerdictRequeue:
		e.redelivered = true
		b.putBack(e)
	default:
		b.drop()
		q.log.Warn("copy rejected", "queue", c.Queue, "message", e.ref.MessageID, "recipient", e.ref.N, "dispatch", e.ref.Dispatch)
	}
}

// verdict calls handle. A panic, or no verdict at all, must not end the process
// nor the consumer: the copy comes back once, and is rejected the second time,
// so that it cannot stand before all others for ever.
func (q *Queue) verdict(c message.Copy, handle func(message.Copy) message.Verdict) (verdict message.Verdict) {
	defer func() {
		fault := recover()
		if fault == nil && verdict >= message.VerdictAck && verdict <= message.VerdictReject {
			return
		}
		log := q.log.With("queue", c.Queue, "redelivered", c.Redelivered)
		if fault != nil {
			log.Error("handler panicked", "panic", fault, "stack", string(debug.Stack()))
		} else {
			log.Error("handler gave no verdict", "verdict", verdict)
		}
		verdict = message.VerdictRequeue
		if c.Redelivered {
			verdict = message.VerdictReject
		}
	}()
	return handle(c)
}
