package limit

import (
	"context"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"
)

// channels is how many workers consume: as many as Postrider has by default.
const channels = 128

// consume takes what waits in the queue until the time is over or the queue is empty, and
// returns how many a second. Each channel has its first message before the clock runs.
func (p Parts) consume(ctx context.Context, waiting int) (float64, error) {
	conn, err := amqp.Dial(p.Where.Broker)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	workers := make([]<-chan amqp.Delivery, channels)
	for i := range workers {
		if workers[i], err = worker(conn); err != nil {
			return 0, err
		}
	}
	ctx, stop := context.WithTimeout(ctx, p.For)
	defer stop()
	var (
		acked atomic.Int64
		all   errgroup.Group
		begun = time.Now()
	)
	for _, deliveries := range workers {
		all.Go(func() error {
			return acknowledge(ctx, deliveries, func() {
				if acked.Add(1) == int64(waiting) {
					stop()
				}
			})
		})
	}
	err = all.Wait()
	return float64(acked.Load()) / time.Since(begun).Seconds(), err
}

// worker consumes one message at a time on a channel of its own.
func worker(conn *amqp.Connection) (<-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Qos(1, 0, false); err != nil {
		return nil, err
	}
	return ch.Consume(limitQueue, "", false, false, false, false, nil)
}

func acknowledge(ctx context.Context, deliveries <-chan amqp.Delivery, acked func()) error {
	for {
		select {
		case d, open := <-deliveries:
			if !open {
				return amqp.ErrClosed
			}
			if err := d.Ack(false); err != nil {
				return err
			}
			acked()
		case <-ctx.Done():
			return nil
		}
	}
}
