package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
)

// Ready is the number of copies of the lane that wait for a consumer, exact for
// what was confirmed before. It returns within 5 s; an error wraps
// message.ErrUnavailable.
func (q *Queue) Ready(ctx context.Context, lane message.Lane) (int, error) {
	state, err := q.look(ctx, lane)
	return state.Messages, err
}

// Consumers is the number of consumers that the lane's queue has, of all
// processes. It returns within 5 s; an error wraps message.ErrUnavailable.
func (q *Queue) Consumers(ctx context.Context, lane message.Lane) (int, error) {
	state, err := q.look(ctx, lane)
	return state.Consumers, err
}

func (q *Queue) look(ctx context.Context, lane message.Lane) (state amqp.Queue, err error) {
	if !lane.Valid() {
		return state, fmt.Errorf("rabbitmq: look at a queue: no lane %q: %w", lane, message.ErrUnroutable)
	}
	if err := q.join(); err != nil {
		return state, fmt.Errorf("rabbitmq: look at a queue: %w", err)
	}
	defer q.busy.Done()
	state, err = q.inspect(ctx, q.topology.queue(lane))
	if err != nil && !errors.Is(err, message.ErrUnavailable) {
		err = unavailable(err)
	}
	if err != nil {
		return amqp.Queue{}, fmt.Errorf("rabbitmq: look at a queue: %w", err)
	}
	return state, nil
}

func (q *Queue) inspect(ctx context.Context, queue string) (state amqp.Queue, err error) {
	l := q.publisher
	if l == nil {
		l = q.consumer
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	s, err := l.soon(ctx)
	if err != nil {
		return state, err
	}
	if err := acquire(ctx, s.counter.turn); err != nil {
		return state, err
	}
	defer func() { <-s.counter.turn }()
	state, err = s.counter.count(s, queue)
	if err != nil {
		s.wish() // the queue may be missing
	}
	return state, err
}

// counter asks for the state of queues on a channel of its own, because a
// queue that is missing closes the channel. It belongs to whoever has the turn.
type counter struct {
	turn chan struct{} // holds one
	ch   *amqp.Channel
}

func newCounter() *counter { return &counter{turn: make(chan struct{}, 1)} }

// count declares the queue passively, which costs the broker 0.1 ms; the
// management API lags by seconds.
func (c *counter) count(s *session, queue string) (state amqp.Queue, err error) {
	if reason, _ := s.alarm.state(); reason != "" {
		return state, errors.New(reason)
	}
	err = s.ask(countTimeout, func() error {
		if c.ch == nil || c.ch.IsClosed() {
			if c.ch, err = s.conn.Channel(); err != nil {
				return err
			}
		}
		state, err = c.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
	return state, err
}
