package main

import (
	"context"
	"fmt"
	"io"

	"github.com/postrider/postrider/internal/app"
	"github.com/postrider/postrider/internal/config"
)

// devCmd is serve with an inbox and defaults that need nothing.
type devCmd struct{}

// Help is the long help text.
func (devCmd) Help() string {
	return `Runs everything in one process, with an inbox page that shows what would have been sent. It needs nothing installed and listens on this machine only; what you post is kept in data/postrider.db. Every setting of serve applies: with POSTRIDER_SMTP_URL mail goes to that relay host instead of the inbox.`
}

// Run serves until it is told to stop.
func (devCmd) Run(ctx context.Context, t *terminal) error {
	var cfg config.Dev
	if err := config.Load(&cfg); err != nil {
		return err
	}
	a, err := app.Dev(ctx, &cfg, app.Build{Program: "postrider", Version: version})
	if err != nil {
		return err
	}
	return app.Run(ctx, a, cfg.ShutdownGrace, func() { welcome(t.out, a, &cfg) })
}

// welcome tells what to do next, with lines that can be pasted.
func welcome(out io.Writer, a *app.App, cfg *config.Dev) {
	key := "YOUR_KEY"
	if keys := cfg.APIKeys; len(keys) > 0 && keys[0].Key.Reveal() == config.DevKey {
		key = config.DevKey
	}
	_, _ = fmt.Fprintf(out, `
  Postrider is ready.

  API     http://%[1]s
  Inbox   http://%[2]s
  Data    %[4]s

  Send an email:

  curl http://%[1]s/v1/emails \
    -H 'Authorization: Bearer %[3]s' \
    -H 'Content-Type: application/json' \
    -d '{"from": "Shop <shop@example.com>", "to": ["ann@example.com"], "subject": "Hello", "text": "It works."}'

  Then look at the inbox. Ctrl-C stops.

`, a.Addr("http"), a.Addr("inbox"), key, cfg.Database.URL)
}
