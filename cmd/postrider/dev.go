package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/postrider/postrider/internal/app"
	"github.com/postrider/postrider/internal/config"
)

// devCmd is serve with an inbox and defaults that need nothing.
type devCmd struct{}

// Help is the long help text.
func (devCmd) Help() string {
	return `Runs everything in one process, with an inbox page that shows what would have been sent. It needs nothing installed and listens on this machine only; what you post is kept in data/postrider.db. Every setting of serve applies: with POSTRIDER_SMTP_URL mail goes to that relay host instead of the inbox.

Another port for the API, as an example:

    POSTRIDER_LISTEN=127.0.0.1:8081 postrider dev`
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
	page, next := "http://"+reachable(a.Addr("inbox")), "Then look at the inbox."
	if cfg.SMTP.URL.Set() {
		page = "unused: mail goes to " + cfg.SMTP.URL.String()
		next = "It goes to the relay host, not to the inbox."
	}
	key := "YOUR_KEY"
	if keys := cfg.APIKeys; len(keys) > 0 && keys[0].Key.Reveal() == config.DevKey {
		key = config.DevKey
	}
	_, _ = fmt.Fprintf(out, `
  Postrider is ready.

  API      http://%[1]s
  Docs     http://%[1]s/docs
  Inbox    %[2]s
  Metrics  http://%[5]s/metrics
  Data     %[4]s

  Send an email:

  curl http://%[1]s/v1/emails \
    -H 'Authorization: Bearer %[3]s' \
    -H 'Content-Type: application/json' \
    -d '{"from": "Shop <shop@example.com>", "to": ["ann@example.com"],
         "subject": "Hello", "text": "It works."}'

  %[6]s Ctrl-C stops.

`, reachable(a.Addr("http")), page, key, cfg.Database.URL, reachable(a.Addr("metrics")), next)
}

// reachable is an address to paste where a server listens on all of them.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip, bad := netip.ParseAddr(host); err == nil && bad == nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
