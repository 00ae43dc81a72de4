// Package app puts programs together: it picks constructors by the settings and
// starts and stops what they made. It is the only place that knows which
// adapter is behind which port; below it nothing asks in what mode it runs.
package app

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/config"
)

// plan is what a program consists of. A nil section is a part it does not have.
type plan struct {
	build    Build
	settings []config.Setting

	database config.Database
	migrate  bool // bring the tables up to date at start
	rabbitmq config.RabbitMQ
	queue    config.Queue
	blob     config.Blob
	metrics  config.Metrics
	grace    time.Duration

	serving *config.Serving // takes messages in, relays and repairs
	fetch   config.Fetching
	repair  config.Repair
	keeping config.Keeping
	sending *config.Sending // sends
	smtp    config.SMTP
	inbox   *config.Inbox // shows what was sent
}

// Producer takes messages in over HTTP, relays and repairs.
func Producer(ctx context.Context, c *config.Producer, b Build) (*App, error) {
	return assemble(ctx, Logger(c.Log), plan{
		build: b, settings: c.Effective(), database: c.Database, rabbitmq: c.RabbitMQ, queue: c.Queue, blob: c.Blob,
		metrics: c.Metrics, grace: c.ShutdownGrace, serving: &c.Serving, fetch: c.Fetching, repair: c.Repair, keeping: c.Keeping,
	})
}

// Consumer sends.
func Consumer(ctx context.Context, c *config.Consumer, b Build) (*App, error) {
	return assemble(ctx, Logger(c.Log), plan{
		build: b, settings: c.Effective(), database: c.Database, rabbitmq: c.RabbitMQ, queue: c.Queue, blob: c.Blob,
		metrics: c.Metrics, grace: c.ShutdownGrace, sending: &c.Sending, smtp: c.SMTP,
	})
}

// Serve is producer and consumer in one process.
func Serve(ctx context.Context, c *config.Serve, b Build) (*App, error) {
	return assemble(ctx, Logger(c.Log), servePlan(c, b))
}

func servePlan(c *config.Serve, b Build) plan {
	return plan{
		build: b, settings: c.Effective(), database: c.Database, migrate: c.Migrate == "auto",
		rabbitmq: c.RabbitMQ, queue: c.Queue, blob: c.Blob, metrics: c.Metrics, grace: c.ShutdownGrace,
		serving: &c.Serving, fetch: c.Fetching, repair: c.Repair, keeping: c.Keeping, sending: &c.Sending, smtp: c.SMTP,
	}
}

// Dev is Serve with an inbox. Without a relay host, mail goes to the inbox.
func Dev(ctx context.Context, c *config.Dev, b Build) (*App, error) {
	return assemble(ctx, Logger(c.Log), plan{
		build: b, settings: c.Effective(), database: c.Database, migrate: c.Migrate == "auto",
		rabbitmq: c.RabbitMQ, queue: c.Queue, blob: c.Blob, metrics: c.Metrics, grace: c.ShutdownGrace,
		serving: &c.Serving, fetch: c.Fetching, repair: c.Repair, keeping: c.Keeping, sending: &c.Sending, smtp: c.SMTP, inbox: &c.Inbox,
	})
}
