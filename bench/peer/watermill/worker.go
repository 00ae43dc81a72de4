package watermill

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

// part is a forwarder, or the router of the handlers.
type part interface {
	Run(ctx context.Context) error
	Close() error
}

// Work is the worker side: the forwarders and the handlers, in one process.
func Work(ctx context.Context, where job.Where, p *child.Parent) error {
	keeper, err := post.NewKeeper(where.Sink, where.Workers)
	if err != nil {
		return err
	}
	defer keeper.Close()
	pool, err := connect(ctx, where, 2*outboxes) // each forwarder holds one
	if err != nil {
		return err
	}
	defer pool.Close()
	publisher, err1 := amqp.NewPublisher(broker(where.Broker), logger())
	in, err2 := subscriber(pool)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("set up the forwarders: %w", err)
	}
	defer publisher.Close()
	handlers, err := handlers(where, keeper, p)
	if err != nil {
		return fmt.Errorf("set up the handlers: %w", err)
	}
	all := group{}
	all.add(ctx, handlers)
	<-handlers.Running()
	for n := range outboxes {
		f, err := forwarder.NewForwarder(in, publisher, logger(), forwarder.Config{ForwarderTopic: outbox(n)})
		if err != nil {
			return fmt.Errorf("set up the forwarders: %w", err)
		}
		all.add(ctx, f)
	}
	p.Ready()
	<-ctx.Done()
	return all.end()
}

// handlers are as many as workers: a subscription of Watermill's takes one message at a
// time.
func handlers(where job.Where, keeper *post.Keeper, p *child.Parent) (*message.Router, error) {
	router, err := message.NewRouter(message.RouterConfig{}, logger())
	if err != nil {
		return nil, err
	}
	in, err := amqp.NewSubscriber(broker(where.Broker), logger())
	if err != nil {
		return nil, err
	}
	for n := range where.Workers {
		router.AddConsumerHandler(fmt.Sprintf("send-%d", n), queue, in, func(m *message.Message) error {
			l, err := post.Decode(m.Payload)
			if err != nil {
				return err
			}
			if err := keeper.Send(m.Context(), l); err != nil {
				return err
			}
			p.Delivered()
			return nil
		})
	}
	return router, nil
}

// group runs parts until they are closed, the last that was added first.
type group struct {
	parts []part
	runs  errgroup.Group
}

func (g *group) add(ctx context.Context, p part) {
	g.parts = append([]part{p}, g.parts...)
	// Closed, and not cancelled, a part finishes what it has in hand.
	g.runs.Go(func() error { return p.Run(context.WithoutCancel(ctx)) })
}

func (g *group) end() error {
	var errs []error
	for _, p := range g.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, g.runs.Wait())...)
}
