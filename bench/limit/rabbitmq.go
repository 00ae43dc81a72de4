package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/bench/result"
)

const (
	limitQueue = "bench-limit"
	window     = 1000 // confirms that may be outstanding
	bodySize   = 100
)

var errReturned = errors.New("the broker returned a message")

// Broker notes messages a second on a durable quorum queue that is there for as long:
// publish-each.rate with one confirm awaited at a time, publish.rate with a window of
// 1000, and consume-128.rate, which takes what these two have published, at prefetch 1
// over 128 channels of one connection. What is published is persistent and mandatory.
func (p Parts) Broker(ctx context.Context, run *result.Run, round int) (err error) {
	conn, err := amqp.Dial(p.Where.Broker)
	if err != nil {
		return failed(err, "the broker")
	}
	defer conn.Close()
	q, err := newQueue(conn)
	if err != nil {
		return failed(err, "the broker")
	}
	defer func() { err = errors.Join(err, q.drop()) }()
	each, err := q.publish(ctx, p.For, 1)
	if err != nil {
		return failed(err, "publish-each")
	}
	many, err := q.publish(ctx, p.For, window)
	if err != nil {
		return failed(err, "publish")
	}
	perSecond, err := p.consume(ctx, q.published)
	if err != nil {
		return failed(err, "consume-%d", channels)
	}
	note(run, round, "publish-each", each)
	note(run, round, "publish", many)
	note(run, round, fmt.Sprintf("consume-%d", channels), perSecond)
	return nil
}

// queue is the queue under test and the channel that publishes to it.
type queue struct {
	channel   *amqp.Channel
	returned  chan amqp.Return
	published int // confirmed
}

func newQueue(conn *amqp.Connection) (*queue, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if _, err := ch.QueueDelete(limitQueue, false, false, false); err != nil {
		return nil, err
	}
	quorum := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}
	if _, err := ch.QueueDeclare(limitQueue, true, false, false, false, quorum); err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	return &queue{channel: ch, returned: ch.NotifyReturn(make(chan amqp.Return, window+1))}, nil
}

func (q *queue) drop() error {
	_, err := q.channel.QueueDelete(limitQueue, false, false, false)
	return err
}

// publish keeps at most so many confirms outstanding until the time is over, and returns
// how many came in a second.
func (q *queue) publish(ctx context.Context, during time.Duration, outstanding int) (float64, error) {
	var (
		waiting = make(chan *amqp.DeferredConfirmation, outstanding)
		body    = make([]byte, bodySize)
		begun   = time.Now()
		before  = q.published
	)
	for time.Since(begun) < during {
		confirm, err := q.channel.PublishWithDeferredConfirmWithContext(ctx, "", limitQueue, true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
		if err != nil {
			return 0, err
		}
		waiting <- confirm
		if len(waiting) == outstanding {
			if err := q.confirmed(ctx, <-waiting); err != nil {
				return 0, err
			}
		}
	}
	for len(waiting) > 0 {
		if err := q.confirmed(ctx, <-waiting); err != nil {
			return 0, err
		}
	}
	return float64(q.published-before) / time.Since(begun).Seconds(), nil
}

func (q *queue) confirmed(ctx context.Context, confirm *amqp.DeferredConfirmation) error {
	ok, err := confirm.WaitContext(ctx)
	if err != nil {
		return err
	}
	select {
	case r := <-q.returned:
		return fmt.Errorf("%w: %s", errReturned, r.ReplyText)
	default:
	}
	if !ok {
		return errors.New("the broker refused a message")
	}
	q.published++
	return nil
}
