// Consumer takes references from RabbitMQ, claims their deliveries in Postgres,
// sends them by SMTP and records what became of each. Run as many as you like,
// on as many hosts. Its settings are POSTRIDER_* environment variables; see
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

const about = `Consumer takes references from RabbitMQ, claims their deliveries in Postgres,
sends them by SMTP and records what became of each. Run as many as you like, on
as many hosts.`

func main() {
	os.Exit(app.Main(app.Build{Program: "consumer", Version: version}, about, run))
}

func run(ctx context.Context, b app.Build) (*app.App, time.Duration, error) {
	var cfg config.Consumer
	if err := config.Load(&cfg); err != nil {
		return nil, 0, err
	}
	a, err := app.Consumer(ctx, &cfg, b)
	return a, cfg.ShutdownGrace, err
}
