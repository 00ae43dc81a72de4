package asynq

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

// checkInterval is how long a worker that found the queue empty waits: Asynq asks and
// is never told. Its default of a second would be all that a latency shows; much less
// than this is load on Redis for no gain.
const checkInterval = 10 * time.Millisecond

// Work is the worker side, the same for either fsync.
func Work(ctx context.Context, where job.Where, p *child.Parent) error {
	keeper, err := post.NewKeeper(where.Sink, where.Workers)
	if err != nil {
		return err
	}
	defer keeper.Close()
	options, err := redis.ParseURL(where.Redis)
	if err != nil {
		return fmt.Errorf("the URL of Redis: %w", err)
	}
	options.PoolSize = where.Workers + 8 // those beside the workers: heartbeats, schedulers
	client := redis.NewClient(options)
	defer client.Close()
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: where.Workers, TaskCheckInterval: checkInterval, LogLevel: asynq.WarnLevel,
	})
	if err := server.Start(handler(keeper)); err != nil {
		return err
	}
	p.Ready()
	<-ctx.Done()
	server.Shutdown()
	return nil
}

func handler(keeper *post.Keeper) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		l, err := post.Decode(t.Payload())
		if err != nil {
			return err
		}
		return keeper.Send(ctx, l)
	})
}
