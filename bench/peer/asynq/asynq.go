// Package asynq is Asynq, a job queue in Redis, as a peer.
package asynq

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

const (
	taskType = "mail"
	queue    = "default" // Asynq's own name for it
)

// callers is how many enqueue at once; more wait for a connection.
const callers = 64

// Fsync is when Redis brings its log to the disk.
type Fsync string

// The values of Redis's appendfsync that are compared.
const (
	Always      Fsync = "always"   // before it answers
	EverySecond Fsync = "everysec" // up to a second of accepted mails may be lost
)

// System is Asynq under test. It implements job.System. It empties the database of the
// Redis that it is given, and changes that server's appendfsync until Close.
type System struct {
	*child.Crew
	where     job.Where
	fsync     Fsync
	redis     *redis.Client
	client    *asynq.Client
	inspector *asynq.Inspector
}

// New returns an Asynq that is not connected yet.
func New(name string, fsync Fsync, where job.Where) *System {
	return &System{Crew: child.NewCrew(name, where, job.Redis), where: where, fsync: fsync}
}

// Prepare implements job.System.
func (s *System) Prepare(ctx context.Context) error {
	if s.where.Redis == "" {
		return errors.New("there is no Redis; scripts/services.sh redis-up starts one")
	}
	options, err := redis.ParseURL(s.where.Redis)
	if err != nil {
		return fmt.Errorf("the URL of Redis: %w", err)
	}
	options.PoolSize = callers
	s.redis = redis.NewClient(options)
	s.client = asynq.NewClientFromRedisClient(s.redis)
	s.inspector = asynq.NewInspectorFromRedisClient(s.redis)
	return s.clear(ctx, s.fsync)
}

func (s *System) clear(ctx context.Context, fsync Fsync) error {
	if err := s.redis.ConfigSet(ctx, "appendfsync", string(fsync)).Err(); err != nil {
		return fmt.Errorf("set Redis's appendfsync: %w", err)
	}
	if err := s.redis.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	return nil
}

// Accept implements job.System.
func (s *System) Accept(ctx context.Context, m job.Mail) error {
	_, err := s.client.EnqueueContext(ctx, asynq.NewTask(taskType, post.Of(m).Encode()))
	return err
}

// Open implements job.System. Tasks that are done are deleted, so that all that there
// are, archived ones too, are open.
func (s *System) Open(ctx context.Context) (int, error) {
	if _, err := s.Delivered(ctx); err != nil { // the worker has fallen
		return 0, err
	}
	info, err := s.inspector.GetQueueInfo(queue)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return 0, nil // nothing was ever enqueued
	}
	if err != nil {
		return 0, fmt.Errorf("count open tasks: %w", err)
	}
	return info.Size, nil
}

// Close implements job.System. The server goes back to the safe setting.
func (s *System) Close(ctx context.Context) error {
	s.Dismiss()
	if s.redis == nil {
		return nil
	}
	return errors.Join(s.clear(ctx, Always), s.redis.Close())
}
