package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// stopTimeout bounds Stop where its context does not.
const stopTimeout = 30 * time.Second

var (
	errStopped    = errors.New("the queue is stopped")
	errNotStarted = errors.New("not connected yet")
)

// Queue publishes copies to RabbitMQ and consumes them. Safe for concurrent
// use.
type Queue struct {
	cfg       Config
	topology  topology
	identity  string
	publisher *link // nil without the role
	consumer  *link // nil without the role

	tags atomic.Uint64

	renewAfter time.Duration // idleRenewal but in tests

	life context.Context // ended by the first Stop
	end  context.CancelCauseFunc

	mu        sync.Mutex
	started   bool
	hangUp    context.CancelFunc // ends the supervisors; nil before Start
	busy      sync.WaitGroup     // calls of Publish, Ready and Consume
	attending sync.WaitGroup     // supervisors
}

// New checks the configuration. Nothing is connected before Start.
func New(cfg Config) (*Queue, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	servers, err := parseServers(cfg.URLs)
	if err != nil {
		return nil, err
	}
	q := &Queue{
		cfg:      cfg,
		topology: newTopology(cfg.Prefix, cfg.QueueType),
		identity: identity(),

		renewAfter: idleRenewal,
	}
	q.life, q.end = context.WithCancelCause(context.Background())
	q.publisher = q.newLink(Publisher, servers)
	q.consumer = q.newLink(Consumer, servers)
	return q, nil
}

func (q *Queue) newLink(role Role, servers []server) *link {
	if !slices.Contains(q.cfg.Roles, role) {
		return nil
	}
	return &link{
		role:     role,
		servers:  servers,
		dialer:   dialer{heartbeat: q.cfg.Heartbeat, name: "postrider " + string(role) + " " + q.identity},
		topology: q.topology,
		window:   q.cfg.Window,
		log:      q.cfg.Logger.With("link", string(role)),
		changed:  make(chan struct{}),
		barred:   map[message.Lane]string{},
		state:    LinkState{Enabled: true, LastError: errNotStarted.Error()},
	}
}

// Start begins to connect and returns at once: a broker that is away is no
// error but a State. The context gives its values to what runs; its end stops
// nothing. An error means that Start or Stop was called before.
func (q *Queue) Start(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.life.Err() != nil:
		return fmt.Errorf("rabbitmq: start: %w", errStopped)
	case q.started:
		return errors.New("rabbitmq: started already")
	}
	q.started = true
	ctx, q.hangUp = context.WithCancel(context.WithoutCancel(ctx))
	for _, l := range []*link{q.publisher, q.consumer} {
		if l != nil {
			q.attending.Go(func() { l.run(ctx) })
		}
	}
	return nil
}

// Stop refuses new calls, ends the consumers, waits until ctx ends (30 s at
// most) for what they and the publishers have in hand, and closes the
// connections. It may be called at any time and more than once. An error means
// that something was in hand still: the broker takes such copies back.
func (q *Queue) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	q.mu.Lock()
	q.end(errStopped)
	hangUp := q.hangUp
	q.mu.Unlock()

	err := q.drain(ctx)
	if hangUp != nil {
		hangUp()
	}
	q.attending.Wait() // bounded: closing a session takes closeTimeout at most
	return err
}

// drain waits for the calls in progress.
func (q *Queue) drain(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		q.busy.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("rabbitmq: stopped while copies were in hand: %w", context.Cause(ctx))
	}
}

// join counts a call, unless the queue is stopped. The caller ends it with
// q.busy.Done.
func (q *Queue) join() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.life.Err() != nil {
		return unavailable(errStopped)
	}
	q.busy.Add(1)
	return nil
}

// unavailable is an error of the port with its cause.
func unavailable(cause error) error { return fmt.Errorf("%w: %w", message.ErrUnavailable, cause) }
