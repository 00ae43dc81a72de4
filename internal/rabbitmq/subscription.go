package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// subscription is one consumer of one session.
type subscription struct {
	session *session
	queue   string
	tag     string
	handle  func(message.Copy) message.Verdict
	log     *slog.Logger

	subscribed func(error) // told what came of the subscription
	renewAfter time.Duration

	ch         *amqp.Channel
	closed     chan *amqp.Error
	deliveries <-chan amqp.Delivery
	cancelled  bool
}

// run serves until ctx ends (nil), nothing came for long (errIdle) or the
// consumer is lost. Served tells whether any copy was handled.
func (c *subscription) run(ctx context.Context) (served bool, err error) {
	err = c.subscribe()
	c.subscribed(err)
	if err != nil {
		return false, err
	}
	defer func() { _ = c.session.ask(askTimeout, c.ch.Close) }()
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
	return c.session.ask(askTimeout, func() (err error) {
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
		_ = c.session.ask(askTimeout, func() error { return c.ch.Cancel(c.tag, false) })
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
