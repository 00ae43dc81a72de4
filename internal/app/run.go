package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
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

// heapSlack is memory that is asked for and never touched, so that it is no part of
// what is resident. The collector takes it for data and lets as much more garbage
// gather before it runs: with the few MiB that a process has in hand it would else
// run several times a second under load. Unlike a larger GOGC it is soon nothing
// beside data that is large, such as attachments.
const heapSlack = 8 << 20

// Run starts the app, waits until ctx ends, and stops it within grace and the
// few seconds that writing down what was broken off may take. Ready, if not
// nil, is called once everything runs. To be stopped in the midst of the start
// is no failure.
func Run(ctx context.Context, a *App, grace time.Duration, ready func()) error {
	slack := make([]byte, heapSlack)
	defer runtime.KeepAlive(slack)
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	switch err := a.Start(starting); {
	case err != nil && ctx.Err() != nil:
		a.log.Info("stopped before everything ran", "reached", err)
		return nil
	case err != nil:
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
		return slog.New(newSparing(forPeople(os.Stderr, cfg.Minimum(), tty)))
	}
	return slog.New(newSparing(forMachines(os.Stderr, cfg.Minimum())))
}

func forPeople(w io.Writer, level slog.Level, color bool) slog.Handler {
	return tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !color, ReplaceAttr: calm})
}

func forMachines(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: complete})
}

// announce prints the effective configuration, without secrets.
func announce(log *slog.Logger, b Build, list []config.Setting) {
	log.Info("starting", "program", b.Program, "version", b.Version, "config", effective(list))
}

// effective settings are logged one by one for machines. People see first those
// that somebody gave, then the defaults in one go: they would hide the others.
type effective []config.Setting

func (list effective) whole() slog.Value {
	var all []slog.Attr
	for _, s := range list {
		all = append(all, slog.String(s.Name, s.Value))
	}
	return slog.GroupValue(all...)
}

func (list effective) given() slog.Value {
	var some []slog.Attr
	var defaults []string
	for _, s := range list {
		switch {
		case s.Unset():
		case s.Default():
			defaults = append(defaults, strings.TrimPrefix(s.Name, "POSTRIDER_")+"="+s.Value)
		default:
			some = append(some, slog.String(s.Name, s.Value))
		}
	}
	return slog.GroupValue(append(some, slog.String("defaults", strings.Join(defaults, " ")))...)
}

// complete writes 21.8ms where JSON would have a bare number whose unit nobody
// could know.
func complete(_ []string, a slog.Attr) slog.Attr {
	if list, ok := a.Value.Any().(effective); ok {
		a.Value = list.whole()
	} else if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// calm leaves out what a person does not read, and what would steer a terminal:
// paths and replies are written by strangers, and tint writes an escape out
// where it colors.
func calm(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case effective:
		return slog.Attr{Value: v.given()} // without a key, its members stand for themselves
	case time.Duration:
		a.Value = slog.StringValue(short(v).String())
	case string:
		a.Value = slog.StringValue(harmless(v))
	case error:
		a.Value = slog.StringValue(harmless(v.Error()))
	}
	return a
}

// short rounds to what a person reads of a duration: 893µs, 6.57ms, 21.8s.
func short(d time.Duration) time.Duration {
	for unit := time.Second; unit >= time.Microsecond; unit /= 1000 {
		if d.Abs() >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}

// harmless has no escape in it, neither the sign nor the four letters that tint
// turns into one.
func harmless(s string) string {
	return strings.NewReplacer("\x1b", `\x1B`, `\x1b`, `\x1B`).Replace(s)
}
