// Package null is Postrider with a consumer that sends nothing: what remains of a drain
// when SMTP costs nothing.
package null

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/metrics"
	"github.com/postrider/postrider/internal/rabbitmq"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/worker"
)

// Command is the first argument with which the bench's main leads to Main.
const Command = "consumer-null"

// nobody takes every mail and does nothing with it.
type nobody struct{}

// Send implements worker.Sender.
func (nobody) Send(ctx context.Context, _ *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	if err := mark(ctx); err != nil {
		return message.Receipt{}, err
	}
	return message.Receipt{RelayHost: "nobody", Code: 250}, nil
}

// Probe implements worker.Sender.
func (nobody) Probe(context.Context) error { return nil }

// Main is the consumer: it takes the settings of Postrider's and works until ctx ends.
func Main(ctx context.Context) error {
	var cfg config.Consumer
	if err := config.Load(&cfg); err != nil {
		return err
	}
	c := &consumer{cfg: &cfg, log: slog.New(slog.NewJSONHandler(os.Stderr, nil)), id: uuid.New()}
	c.metrics = metrics.New("null", c.log)
	err := c.open(ctx)
	if err == nil {
		<-ctx.Done()
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownGrace)
	defer cancel()
	return errors.Join(err, c.stop(stopping))
}

// consumer is put together as internal/app does it, but for the watch.
type consumer struct {
	cfg     *config.Consumer
	log     *slog.Logger
	id      uuid.UUID
	metrics *metrics.Metrics
	stops   []func(context.Context) error // in the order of the starts
}

func (c *consumer) open(ctx context.Context) error {
	s, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	q, err := rabbitmq.New(rabbitmq.Config{
		URLs: c.cfg.RabbitMQ.URL.All(), Prefix: c.cfg.RabbitMQ.Prefix, QueueType: rabbitmq.QueueType(c.cfg.Queue.Type),
		Roles: []rabbitmq.Role{rabbitmq.Consumer}, Logger: c.log,
	})
	if err != nil {
		return err
	}
	if err := q.Start(ctx); err != nil {
		return err
	}
	c.stops = append(c.stops, q.Stop)
	batched := worker.NewBatched(c.metrics.WorkerStore(s))
	batched.Start()
	w := worker.New(worker.Config{
		ID: c.id, Channels: c.cfg.Consumers, Lease: c.cfg.Lease, Schedule: message.Schedule{Window: c.cfg.RetryWindow},
		Logger: c.log, Store: batched, DeadLetters: s, Queue: q, Sender: c.metrics.Sender(nobody{}),
	})
	w.Start()
	c.stops = append(c.stops, batched.Stop, w.Stop)
	return c.answer()
}

func (c *consumer) openStore(ctx context.Context) (*store.Store, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	s, err := store.Open(ctx, store.Config{
		URL: c.cfg.Database.URL.DSN(), MaxConns: c.cfg.Database.Conns, Lease: c.cfg.Lease, Marking: message.Marking(c.cfg.Mark), Logger: c.log,
		Worker: message.Process{ID: c.id, Program: "consumer", Host: host, PID: os.Getpid(), Version: "null", State: "running"},
	})
	if err != nil {
		return nil, err
	}
	c.stops = append(c.stops, func(context.Context) error { return s.Close() })
	return s, nil
}

// answer serves what the others of a stack are asked for: that it is ready.
func (c *consumer) answer() error {
	l, err := net.Listen("tcp", c.cfg.Metrics.Listen.String())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", c.metrics.Handler())
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"ok"}`) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	c.stops = append(c.stops, func(ctx context.Context) error { return errors.Join(server.Shutdown(ctx), ended(<-served)) })
	return nil
}

// ended is nil for the way in which a server ends that was told to.
func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (c *consumer) stop(ctx context.Context) error {
	var errs []error
	for i := range c.stops {
		errs = append(errs, c.stops[len(c.stops)-1-i](ctx))
	}
	return errors.Join(errs...)
}
