package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/lmittmann/tint"

	"github.com/postrider/postrider/internal/config"
)

// Build says what the program was built as.
type Build struct {
	Program string // producer, consumer or postrider
	Version string
}

// startLimit bounds a start; nothing in it waits for another process.
const startLimit = time.Minute

// Run starts the app, waits until ctx ends, and stops it within grace and the
// few seconds that writing down what was broken off may take. Ready, if not
// nil, is called once everything runs.
func Run(ctx context.Context, a *App, grace time.Duration, ready func()) error {
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := a.Start(starting); err != nil {
		return err
	}
	if ready != nil {
		ready()
	}
	<-ctx.Done()
	a.log.Info("stopping", "grace", grace)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	start := time.Now()
	if err := a.Stop(stopping); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	a.log.Info("stopped", "after", time.Since(start).Round(time.Millisecond))
	return nil
}

// Logger writes to standard error as the settings say: text for people, JSON
// for machines.
func Logger(cfg config.Log) *slog.Logger {
	tty := isatty.IsTerminal(os.Stderr.Fd())
	if cfg.Format == "text" || cfg.Format == "auto" && tty {
		return slog.New(tint.NewTextHandler(os.Stderr, &tint.Options{Level: cfg.Minimum(), TimeFormat: time.TimeOnly, NoColor: !tty}))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Minimum(), ReplaceAttr: readableDurations}))
}

// readableDurations writes 21.8ms where JSON would have a bare number whose
// unit nobody could know.
func readableDurations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// announce prints the effective configuration, without secrets.
func announce(log *slog.Logger, b Build, settings []config.Setting) {
	values := make([]any, 0, len(settings))
	for _, s := range settings {
		values = append(values, slog.String(s.Name, s.Value))
	}
	log.Info("starting", "program", b.Program, "version", b.Version, slog.Group("config", values...))
}
