package amqp

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

// consumer is the name of the one consumer of each channel.
const consumer = "bench"

// Work is the worker side: as many consumers as workers, each with a channel of its own
// and one mail at a time.
func Work(ctx context.Context, where job.Where, p *child.Parent) error {
	keeper, err := post.NewKeeper(where.Sink, where.Workers)
	if err != nil {
		return err
	}
	defer keeper.Close()
	conn, err := amqp.Dial(where.Broker)
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	defer conn.Close()
	all, ctx := errgroup.WithContext(ctx)
	for range where.Workers {
		ch, mails, err := consume(conn)
		if err != nil {
			return fmt.Errorf("consume: %w", err)
		}
		all.Go(func() error { return deliver(ctx, mails, keeper, p) })
		all.Go(func() error {
			<-ctx.Done()
			return ch.Cancel(consumer, false) // mails end when those in hand are done with
		})
	}
	p.Ready()
	return all.Wait()
}

func consume(conn *amqp.Connection) (*amqp.Channel, <-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := ch.Qos(1, 0, false); err != nil {
		return nil, nil, err
	}
	mails, err := ch.Consume(queue, consumer, false, false, false, false, nil)
	return ch, mails, err
}

// deliver sends until there are no more mails. One that fails goes back to the queue at
// once, as in the tutorials.
func deliver(ctx context.Context, mails <-chan amqp.Delivery, keeper *post.Keeper, p *child.Parent) error {
	for d := range mails {
		l, err := post.Decode(d.Body)
		if err == nil {
			err = keeper.Send(context.WithoutCancel(ctx), l)
		}
		if err != nil {
			if err := d.Nack(false, true); err != nil {
				return fmt.Errorf("give back: %w", err)
			}
			continue
		}
		if err := d.Ack(false); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		p.Delivered()
	}
	if ctx.Err() == nil {
		return errors.New("RabbitMQ has ended the consumer")
	}
	return nil
}
