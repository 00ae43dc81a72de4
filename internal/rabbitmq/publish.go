package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
)

const (
	publishTimeout = 4500 * time.Millisecond // the port promises 5 s
	sessionWait    = time.Second             // a reconnect is shorter; an outage should not hold the caller's transaction
)

var errChannelClosed = errors.New("the channel was closed before the confirm")

// Publish sends a copy for each ref, or a parcel of them where Config.Parcel and
// their number say so, persistent and mandatory, and waits until the
// broker has confirmed them, for 5 s at most. The errors are in order:
//
//   - nil: the broker has the copy durably, in the lane's queue.
//   - message.ErrUnroutable: the queue is missing. It is being declared again.
//   - message.ErrNotConfirmed: refused, or nobody knows.
//   - message.ErrUnavailable: not sent: no connection, the connection is
//     blocked, or (a *TopologyError inside) the queue cannot be used.
//
// Calls for one lane take turns, lanes do not wait for each other.
func (q *Queue) Publish(ctx context.Context, lane message.Lane, refs []message.Ref) []error {
	b := newBatch(q.topology.queue(lane), refs, q.parcel(lane))
	switch err := q.join(); {
	case err != nil:
		b.cause = err
	case !lane.Valid():
		b.unroutable = true
		q.busy.Done()
	default:
		b.cause = q.publish(ctx, lane, b)
		q.busy.Done()
	}
	return b.errors()
}

func (q *Queue) publish(ctx context.Context, lane message.Lane, b *batch) error {
	if len(b.refs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	s, err := q.publisher.soon(ctx)
	if err != nil {
		return err
	}
	if err := s.fault(q.topology, lane); err != nil {
		return err
	}
	o := s.outlets[lane]
	if err := acquire(ctx, o.turn); err != nil {
		return fmt.Errorf("waiting for a turn: %w", err)
	}
	defer func() { <-o.turn }()
	return o.send(ctx, s, b)
}

// parcel is the most that a copy of the lane carries. Urgent mail waits behind no
// other.
func (q *Queue) parcel(lane message.Lane) int {
	if lane == message.LaneCritical || lane == message.LaneHigh {
		return 1
	}
	return q.cfg.Parcel
}

// soon returns the session there is, or one that comes within sessionWait.
func (l *link) soon(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, sessionWait)
	defer cancel()
	return l.session(ctx)
}

// outlet is the way to one lane: a channel in confirm mode, opened when first
// needed. It belongs to whoever has the turn.
type outlet struct {
	exchange string
	key      string
	window   int
	turn     chan struct{} // holds one

	ch      *amqp.Channel
	returns chan amqp.Return
}

func newOutlet(exchange, key string, window int) *outlet {
	return &outlet{exchange: exchange, key: key, window: window, turn: make(chan struct{}, 1)}
}

// send publishes the batch and waits for its confirms. An error is why some of
// them are missing.
//
// A channel on which anything was not confirmed is not used again. What comes
// late for this batch then cannot be taken for an answer to the next; and a
// channel that has seen a quorum queue refuse goes on refusing after the limit
// was lifted (3.10.8).
func (o *outlet) send(ctx context.Context, s *session, b *batch) error {
	var stuck atomic.Bool // in a call that knows no context
	deadline, _ := ctx.Deadline()
	guard := time.AfterFunc(time.Until(deadline), func() {
		if stuck.Load() {
			s.kill()
		}
	})
	defer guard.Stop()

	stuck.Store(true)
	err := o.open(s)
	stuck.Store(false)
	if err == nil {
		err = o.publish(ctx, s, b, &stuck)
	}
	if o.ch != nil && !b.conclude(o.returns) {
		s.discard(o.ch)
		o.ch = nil
	}
	if err != nil || len(b.returned) > 0 {
		s.wish() // the queue may be missing, or the exchange: that closes the channel
	}
	return err
}

func (o *outlet) open(s *session) error {
	if reason, _ := s.alarm.state(); reason != "" {
		return errors.New(reason)
	}
	if o.ch != nil && !o.ch.IsClosed() {
		return nil
	}
	ch, err := s.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("confirm mode: %w", err)
	}
	// No more than a window can be on its way back, so that the library's
	// reader never waits for us.
	o.ch, o.returns = ch, ch.NotifyReturn(make(chan amqp.Return, o.window))
	return nil
}

func (o *outlet) publish(ctx context.Context, s *session, b *batch, stuck *atomic.Bool) error {
	for i, parcel := range b.parcels {
		if i >= o.window {
			if err := o.await(ctx, s, b.confirms[i-o.window]); err != nil {
				return err
			}
			b.collect(o.returns)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		stuck.Store(true)
		confirm, err := o.ch.PublishWithDeferredConfirm(o.exchange, o.key, true, false, amqp.Publishing{
			ContentType:  amqp.MimeApplicationJSON,
			DeliveryMode: amqp.Persistent,
			Body:         encodeBody(parcel),
		})
		stuck.Store(false)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b.confirms[i] = confirm
	}
	for _, confirm := range b.confirms[max(0, len(b.confirms)-o.window):] {
		if err := o.await(ctx, s, confirm); err != nil {
			return err
		}
	}
	if o.ch.IsClosed() {
		return errChannelClosed
	}
	return nil
}

// await waits until the broker has decided about one copy, or the channel is
// closed.
func (o *outlet) await(ctx context.Context, s *session, confirm *amqp.DeferredConfirmation) error {
	reason, raised := s.alarm.state()
	if reason != "" {
		return errors.New(reason)
	}
	select {
	case <-confirm.Done():
		return nil
	case <-raised:
		reason, _ = s.alarm.state()
		return errors.New(reason)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
