package main

import (
	"context"

	"github.com/postrider/postrider/internal/app"
	"github.com/postrider/postrider/internal/config"
)

// serveCmd is producer and consumers in one process.
type serveCmd struct{}

// Help is the long help text.
func (serveCmd) Help() string {
	return `Runs the HTTP API, the relay, the sweep and the workers in one process, for a small server. It needs a database (a file is enough), a relay host and a key; RabbitMQ is optional:

    export POSTRIDER_DATABASE_URL=sqlite:/var/lib/postrider/postrider.db
    export POSTRIDER_SMTP_URL=smtp://user:password@smtp.example.com:587
    export POSTRIDER_API_KEYS=$(openssl rand -hex 24)
    postrider serve

For many hosts run the programs producer and consumer instead.`
}

// Run serves until it is told to stop.
func (serveCmd) Run(ctx context.Context) error {
	var cfg config.Serve
	if err := config.Load(&cfg); err != nil {
		return err
	}
	a, err := app.Serve(ctx, &cfg, app.Build{Program: "postrider", Version: version})
	if err != nil {
		return err
	}
	return app.Run(ctx, a, cfg.ShutdownGrace, nil)
}
