// Package inproc is the queue of a single process: bounded buffers in memory,
// one per lane. It forgets everything when the process ends, which loses
// nothing, because the database knows what was queued and has it published
// again.
package inproc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/postrider/postrider/internal/message"
)

// DefaultCapacity is how many copies a lane holds unless configured: about
// 100 kB of memory for all lanes together.
const DefaultCapacity = 1000

// Config is what a Queue is made of. The zero value is ready to use.
type Config struct {
	Capacity int // copies per lane, those in hand included; 0: DefaultCapacity
	Logger   *slog.Logger
}

// Queue hands copies from publishers to consumers of the same process. Safe for
// concurrent use.
type Queue struct {
	log   *slog.Logger
	lanes map[message.Lane]*buffer

	mu        sync.Mutex
	stopped   bool
	stopping  chan struct{} // closed by the first Stop
	consumers sync.WaitGroup
}

var errStopped = errors.New("the queue is stopped")

// New returns a queue that is open at once.
func New(cfg Config) *Queue {
	if cfg.Capacity <= 0 {
		cfg.Capacity = DefaultCapacity
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	q := &Queue{log: cfg.Logger, lanes: map[message.Lane]*buffer{}, stopping: make(chan struct{})}
	for _, lane := range message.Lanes() {
		q.lanes[lane] = newBuffer(cfg.Capacity)
	}
	return q
}

// Publish takes each ref that still fits into its lane and never blocks. The
// others get message.ErrQueueFull; after Stop all get message.ErrUnavailable.
func (q *Queue) Publish(_ context.Context, lane message.Lane, refs []message.Ref) []error {
	errs := make([]error, len(refs))
	b, err := q.lane(lane)
	if err == nil && q.isStopped() {
		err = unavailable()
	}
	for i, ref := range refs {
		switch {
		case err != nil:
			errs[i] = fmt.Errorf("inproc: publish: %w", err)
		case !b.put(entry{ref: ref}):
			errs[i] = fmt.Errorf("inproc: publish to lane %s: %w", lane, message.ErrQueueFull)
		}
	}
	return errs
}

// Ready is the number of copies of the lane that wait for a consumer.
func (q *Queue) Ready(_ context.Context, lane message.Lane) (int, error) {
	b, err := q.lane(lane)
	if err != nil {
		return 0, fmt.Errorf("inproc: ready: %w", err)
	}
	return b.ready(), nil
}

// Stop ends all consumers and waits for the copies in their hands until ctx
// ends. It may be called more than once. An error means that a handler was
// still at work.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	if !q.stopped {
		q.stopped = true
		close(q.stopping)
	}
	q.mu.Unlock()

	idle := make(chan struct{})
	go func() {
		q.consumers.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("inproc: stopped while a copy was in hand: %w", context.Cause(ctx))
	}
}

func (q *Queue) isStopped() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopped
}

func (q *Queue) lane(lane message.Lane) (*buffer, error) {
	if b, ok := q.lanes[lane]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("no lane %q: %w", lane, message.ErrUnroutable)
}

// unavailable is what every call but Stop and Ready answers after Stop.
func unavailable() error { return fmt.Errorf("%w: %w", message.ErrUnavailable, errStopped) }
