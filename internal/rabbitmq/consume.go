package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// idleRenewal is how long a consumer waits for a copy before it subscribes
// afresh, on a new channel. When a quorum queue is deleted and made again at
// once, RabbitMQ (3.10.8) carries its consumers over instead of cancelling them,
// but drops what it delivers to them: such a consumer looks well and waits for
// ever, holding a copy that it never got. Nothing it can ask tells it so.
const idleRenewal = 30 * time.Second

var errIdle = errors.New("no copy for a while")

// Consume opens a channel with prefetch 1 on the lane and hands its copies to
// handle, one at a time, until ctx ends. It then cancels the consumer, waits
// for handle, settles, gives back what arrived meanwhile, and returns nil. Lost
// sessions and deleted queues are waited out without end. Any number of calls
// share one connection.
//
// A handler that panics, or returns no verdict, gets the copy once more; the
// second time the copy is rejected.
//
// It returns a *TopologyError when the lane's queue cannot be used, and an error
// that wraps message.ErrUnavailable after Stop.
func (q *Queue) Consume(ctx context.Context, lane message.Lane, handle func(message.Copy) message.Verdict) error {
	if !lane.Valid() {
		return fmt.Errorf("rabbitmq: consume: no lane %q: %w", lane, message.ErrUnroutable)
	}
	if err := q.join(); err != nil {
		return fmt.Errorf("rabbitmq: consume: %w", err)
	}
	defer q.busy.Done()
	if q.consumer == nil {
		return fmt.Errorf("rabbitmq: consume: this process has no consumer link: %w", message.ErrUnavailable)
	}
	active, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.life, cancel)()
	if err := q.consumeAll(active, lane, handle); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return fmt.Errorf("rabbitmq: consume: %w", unavailable(errStopped))
	}
	return nil
}

// consumeAll goes from session to session until ctx ends.
func (q *Queue) consumeAll(ctx context.Context, lane message.Lane, handle func(message.Copy) message.Verdict) error {
	steps := pause.Backoff{First: firstPause, Most: longestPause}
	level := slog.LevelWarn
	for {
		s, err := q.consumer.session(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		if err := s.fault(q.topology, lane); err != nil {
			return err
		}
		sub := subscription{session: s, queue: q.topology.queue(lane), tag: q.nextTag(lane), handle: handle, renewAfter: q.renewAfter}
		sub.log = q.consumer.log.With("queue", sub.queue, "session", s.number)
		served, err := sub.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errIdle) {
			continue
		}
		if served {
			steps.Reset()
			level = slog.LevelWarn
		}
		sub.log.Log(ctx, level, "consumer lost, subscribing again", "error", err)
		level = slog.LevelDebug // once is enough until it works again
		s.wish()                // the queue may be gone
		_ = steps.Wait(ctx)
	}
}

// nextTag names a consumer in the broker's lists. Tags are unique per channel
// only, but people search for them everywhere.
func (q *Queue) nextTag(lane message.Lane) string {
	return fmt.Sprintf("postrider/%s/%s/%d", q.identity, lane, q.tags.Add(1))
}

// subscription is one consumer of one session.
type subscription struct {
	session *session
	queue   string
	tag     string
	handle  func(message.Copy) message.Verdict
	log     *slog.Logger

	renewAfter time.Duration

	ch         *amqp.Channel
	closed     chan *amqp.Error
	deliveries <-chan amqp.Delivery
	cancelled  bool
}

// run serves until ctx ends (nil), nothing came for long (errIdle) or the
// consumer is lost. Served tells whether any copy was handled.
func (c *subscription) run(ctx context.Context) (served bool, err error) {
	if err := c.subscribe(); err != nil {
		return false, err
	}
	defer func() { _ = c.session.ask(c.ch.Close) }()
	idle := time.NewTimer(pause.Jitter(c.renewAfter))
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			c.leave()
			return served, nil
		case <-idle.C:
			c.cancel() // what is on its way is still handled
		case d, open := <-c.deliveries:
			if !open && c.cancelled {
				return served, errIdle
			}
			if !open {
				return served, c.reason()
			}
			if ctx.Err() != nil { // select chooses freely; the end goes first
				c.settle(d, message.VerdictRequeue)
				continue
			}
			verdict := c.verdict(d)
			served = true
			idle.Reset(c.renewAfter)
			if ctx.Err() != nil {
				c.cancel() // before the settlement invites the next copy
			}
			c.settle(d, verdict)
		}
	}
}

func (c *subscription) subscribe() error {
	return c.session.ask(func() (err error) {
		if c.ch, err = c.session.conn.Channel(); err != nil {
			return err
		}
		c.closed = c.ch.NotifyClose(make(chan *amqp.Error, 1))
		// Per consumer, not global: quorum queues refuse the latter.
		if err = c.ch.Qos(1, 0, false); err == nil {
			c.deliveries, err = c.ch.Consume(c.queue, c.tag, false, false, false, false, nil)
		}
		if err != nil {
			_ = c.ch.Close()
		}
		return err
	})
}

// cancel ends the deliveries; those on their way still come, then the Go
// channel is closed.
func (c *subscription) cancel() {
	if !c.cancelled {
		c.cancelled = true
		_ = c.session.ask(func() error { return c.ch.Cancel(c.tag, false) })
	}
}

// leave gives back what arrived and was not handled.
func (c *subscription) leave() {
	c.cancel()
	for d := range c.deliveries {
		c.settle(d, message.VerdictRequeue)
	}
}

// reason is why the deliveries ended.
func (c *subscription) reason() error {
	select {
	case e := <-c.closed:
		if e != nil {
			return e
		}
	default:
	}
	return errors.New("the broker cancelled the consumer")
}

// settle answers the broker. The answer goes to the channel the copy came
// through and to no other; if that is gone, so is the copy, and the broker has
// given it to somebody else or will.
func (c *subscription) settle(d amqp.Delivery, v message.Verdict) {
	var err error
	switch v {
	case message.VerdictAck:
		err = d.Ack(false)
	case message.VerdictRequeue:
		err = d.Nack(false, true)
	default:
		err = d.Nack(false, false)
	}
	if err != nil {
		c.log.Debug("verdict dropped with its session", "verdict", v, "error", err)
	}
}

// verdict has the copy handled. A panic must not end the process nor the
// consumer, and the copy must not stand before all others for ever.
func (c *subscription) verdict(d amqp.Delivery) (verdict message.Verdict) {
	defer func() {
		fault := recover()
		if fault == nil && verdict >= message.VerdictAck && verdict <= message.VerdictReject {
			return
		}
		log := c.log.With("redelivered", d.Redelivered)
		if fault != nil {
			log.Error("handler panicked", "panic", fault, "stack", string(debug.Stack()))
		} else {
			log.Error("handler gave no verdict", "verdict", verdict)
		}
		verdict = message.VerdictRequeue
		if d.Redelivered {
			verdict = message.VerdictReject
		}
	}()
	return c.handle(c.copy(d))
}

func (c *subscription) copy(d amqp.Delivery) message.Copy {
	refs, unreadable := decodeBody(d.Body)
	return message.Copy{
		Refs:        refs,
		Redelivered: d.Redelivered,
		Queue:       c.queue,
		Body:        d.Body[:min(len(d.Body), maxBody)],
		Unreadable:  unreadable,
	}
}
