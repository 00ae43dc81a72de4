// Consumer takes references from RabbitMQ, claims their deliveries in Postgres,
// sends them by SMTP and records what became of each. Run as many as you like,
// on as many hosts. Its settings are POSTRIDER_* environment variables; see
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
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var cfg config.Consumer
	if err := config.Load(&cfg); err != nil {
		return err
	}
	a, err := app.Consumer(ctx, &cfg, app.Build{Program: "consumer", Version: version})
	if err != nil {
		return err
	}
	return app.Run(ctx, a, cfg.ShutdownGrace, nil)
}
