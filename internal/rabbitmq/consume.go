package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	defer q.consumer.bar(lane, "") // who does not wish to consume is not kept from it
	for {
		s, err := q.consumer.session(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		if err := s.fault(q.topology, lane); err != nil {
			return err
		}
		sub := subscription{session: s, queue: q.topology.queue(lane), tag: q.nextTag(lane), handle: handle, renewAfter: q.renewAfter}
		sub.subscribed = func(err error) { q.consumer.bar(lane, barred(sub.queue, err)) }
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

// barred is what the broker says who does not let us consume a queue that is as
// it should be. A queue that is missing is declared again, and a session that is
// lost has a word of its own.
func barred(queue string, err error) string {
	var e *amqp.Error
	if !errors.As(err, &e) || e.Code != amqp.AccessRefused {
		return ""
	}
	return fmt.Sprintf("rabbitmq: queue %q cannot be consumed: %s; remedy: give the user read permission on it", queue, e.Reason)
}

// nextTag names a consumer in the broker's lists. Tags are unique per channel
// only, but people search for them everywhere.
func (q *Queue) nextTag(lane message.Lane) string {
	return fmt.Sprintf("postrider/%s/%s/%d", q.identity, lane, q.tags.Add(1))
}
