package river

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

// mailArgs are a job's arguments: the whole mail.
type mailArgs struct {
	Letter post.Letter `json:"letter"`
}

// Kind implements river.JobArgs.
func (mailArgs) Kind() string { return "mail" }

// sender is what a job needs of package post.
type sender interface {
	Send(ctx context.Context, l post.Letter) error
}

type worker struct {
	river.WorkerDefaults[mailArgs]
	sender sender
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, j *river.Job[mailArgs]) error {
	return w.sender.Send(ctx, j.Args.Letter)
}

// Tuned is the worker side with River's settings for throughput and connections to the
// SMTP server that stay open.
func Tuned(ctx context.Context, where job.Where, p *child.Parent) error {
	keeper, err := post.NewKeeper(where.Sink, where.Workers)
	if err != nil {
		return err
	}
	defer keeper.Close()
	// Fetches, the writing of results, leadership and notices: more would wait idle.
	pool, err := connect(ctx, where.Database, 16)
	if err != nil {
		return err
	}
	defer pool.Close()
	return run(ctx, pool, &worker{sender: keeper}, p, &river.Config{
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 50 * time.Millisecond,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: where.Workers}},
	})
}

// Default is the worker side as River's documentation shows it, with a connection for
// each mail as go-mail's does.
func Default(ctx context.Context, where job.Where, p *child.Parent) error {
	dialler, err := post.NewDialler(where.Sink)
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, where.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	return run(ctx, pool, &worker{sender: dialler}, p, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
	})
}

// run works until ctx is over. Finished jobs stay, so that no cleaning falls into a
// measurement.
func run(ctx context.Context, pool *pgxpool.Pool, w *worker, p *child.Parent, config *river.Config) error {
	config.Schema = schema
	config.CompletedJobRetentionPeriod = -1
	config.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	config.Workers = river.NewWorkers()
	river.AddWorker(config.Workers, w)
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return err
	}
	// A start whose context ends would break off the sends under way.
	background := context.WithoutCancel(ctx)
	if err := client.Start(background); err != nil {
		return err
	}
	p.Ready()
	<-ctx.Done()
	return client.Stop(background)
}
