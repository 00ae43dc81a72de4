// Producer takes messages over HTTP, commits them to Postgres, publishes their
// references to RabbitMQ, and repairs what crashes leave behind. Run as many as
// you like. Its settings are POSTRIDER_* environment variables; see
// docs/configuration.md.
package main

import (
	"context"
	"os"
	"time"

	"github.com/postrider/postrider/internal/app"
	"github.com/postrider/postrider/internal/config"
)

// version is set at build time by -ldflags "-X main.version=…".
var version = "dev"

const about = `Producer takes messages over HTTP, commits them to Postgres, publishes their
references to RabbitMQ, and repairs what crashes leave behind. Run as many as
you like.`

func main() {
	os.Exit(app.Main(app.Build{Program: "producer", Version: version}, about, run))
}

func run(ctx context.Context, b app.Build) (*app.App, time.Duration, error) {
	var cfg config.Producer
	if err := config.Load(&cfg); err != nil {
		return nil, 0, err
	}
	a, err := app.Producer(ctx, &cfg, b)
	return a, cfg.ShutdownGrace, err
}
