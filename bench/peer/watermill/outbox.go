// Package watermill is an outbox by Watermill, as a peer: mails lie in Postgres, a
// forwarder brings them to RabbitMQ, and handlers send them.
package watermill

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	lib "github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postrider/postrider/bench/job"
)

const (
	schema = "bench_watermill"
	queue  = "bench.watermill"
)

// outboxes is how many outboxes the mails are spread over. The forwarder of one takes a
// message only when RabbitMQ has confirmed the one before; Watermill's answer to that is
// more topics.
const outboxes = 8

// outbox is the topic of mail n, and by it the table.
func outbox(n int) string { return fmt.Sprintf("outbox_%d", n%outboxes) }

// tables are Watermill's defaults, but that what lies in them is bytes to Postgres.
func tables() sql.DefaultPostgreSQLSchema {
	return sql.DefaultPostgreSQLSchema{
		GeneratePayloadType: func(string) string { return "BYTEA" },
		SubscribeBatchSize:  batch,
	}
}

// What a forwarder reads at once, and how soon it looks again: Watermill's defaults are
// 100 and a second.
const (
	batch = 500
	poll  = 10 * time.Millisecond
)

func subscriber(pool *pgxpool.Pool) (*sql.Subscriber, error) {
	return sql.NewSubscriber(sql.BeginnerFromPgx(pool), sql.SubscriberConfig{
		ConsumerGroup: "bench", PollInterval: poll,
		SchemaAdapter: tables(), OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{},
	}, logger())
}

func connect(ctx context.Context, where job.Where, most int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(where.Database)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	config.ConnConfig.RuntimeParams["search_path"] = schema
	config.MaxConns = most
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	return pool, nil
}

// broker is Watermill's durable queue, with confirms, since mails are gone from the
// outbox once they are published.
func broker(url string) amqp.Config {
	config := amqp.NewDurableQueueConfig(url)
	config.Publish.ConfirmDelivery = true
	config.Publish.ChannelPoolSize = outboxes
	return config
}

func logger() lib.LoggerAdapter {
	return lib.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
}
