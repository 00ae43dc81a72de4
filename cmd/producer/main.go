// Producer takes messages over HTTP, commits them to Postgres, publishes their
// references to RabbitMQ, and repairs what crashes leave behind. Run as many as
// you like. Its settings are POSTRIDER_* environment variables; see
// docs/configuration.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/postrider/postrider/internal/app"
	"github.com/postrider/postrider/internal/config"
)

var version = "dev"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "producer:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var cfg config.Producer
	if err := config.Load(&cfg); err != nil {
		return err
	}
	a, err := app.Producer(ctx, &cfg, app.Build{Program: "producer", Version: version})
	if err != nil {
		return err
	}
	return app.Run(ctx, a, cfg.ShutdownGrace, nil)
}
