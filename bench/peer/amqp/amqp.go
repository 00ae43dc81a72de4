// Package amqp is the program that RabbitMQ's tutorials lead to, as a peer: the whole
// mail in a durable queue, and nothing else.
package amqp

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

const queue = "bench.amqp091"

// callers is how many publish at once; more wait for a channel.
const callers = 64

// System is the tutorial's program under test. It implements job.System. RabbitMQ tells
// how many messages are ready, but how many are not acknowledged only seconds later; so
// mails are counted here.
type System struct {
	*child.Crew
	where    job.Where
	conn     *amqp.Connection
	channels chan *amqp.Channel
}

// New returns a system that is not connected yet.
func New(name string, where job.Where) *System {
	return &System{Crew: child.NewCrew(name, where, job.RabbitMQ), where: where, channels: make(chan *amqp.Channel, callers)}
}

// Prepare implements job.System.
func (s *System) Prepare(context.Context) (err error) {
	if s.conn, err = amqp.Dial(s.where.Broker); err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	if err := s.declare(); err != nil {
		return fmt.Errorf("declare the queue: %w", err)
	}
	for range callers {
		ch, err := s.conn.Channel()
		if err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		if err := ch.Confirm(false); err != nil {
			return fmt.Errorf("ask for confirms: %w", err)
		}
		s.channels <- ch
	}
	return nil
}

func (s *System) declare() error {
	ch, err := s.conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		return err
	}
	_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	return err
}

// Accept implements job.System.
func (s *System) Accept(ctx context.Context, m job.Mail) error {
	ch := <-s.channels
	defer func() { s.channels <- ch }()
	s.Accepting()
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: post.Of(m).Encode(),
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	confirmed, err := confirm.WaitContext(ctx)
	if err == nil && !confirmed {
		err = errors.New("RabbitMQ did not take it")
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Open implements job.System.
func (s *System) Open(ctx context.Context) (int, error) { return s.CountOpen(ctx) }

// Close implements job.System.
func (s *System) Close(context.Context) error {
	s.Dismiss()
	if s.conn == nil {
		return nil
	}
	defer s.conn.Close()
	ch, err := s.conn.Channel()
	if err == nil {
		_, err = ch.QueueDelete(queue, false, false, false)
	}
	if err != nil {
		return fmt.Errorf("delete the queue: %w", err)
	}
	return nil
}
