package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// part is something that runs: started in the order it was added, stopped in
// reverse.
type part struct {
	name  string
	start func(context.Context) error // nil: nothing to start
	drain func()                      // told when a stop begins, to take nothing new; must not block; nil: nobody is told
	stop  func(context.Context) error // nil: nothing to stop
}

// App is a whole program as a value: what cmd/ runs and tests build.
type App struct {
	log   *slog.Logger
	parts []part

	mu      sync.Mutex
	running int // parts started and not yet stopped
	addrs   map[string]func() string
}

func newApp(log *slog.Logger) *App {
	return &App{log: log, addrs: map[string]func() string{}}
}

func (a *App) add(p part) { a.parts = append(a.parts, p) }

// opened registers the teardown of something that New has acquired already: it
// is torn down by Stop even if Start was never called.
func (a *App) opened(name string, closer func() error) {
	a.add(part{name: name, stop: func(context.Context) error { return closer() }})
	a.running = len(a.parts)
}

// Addr is the address that the named part listens on, such as "http",
// "metrics", "inbox" or "smtp"; "" when there is none.
func (a *App) Addr(name string) string {
	if f := a.addrs[name]; f != nil {
		return f()
	}
	return ""
}

// Start starts every part. When one fails, those before it are stopped again,
// within ctx, and the error names the part.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	for i := a.running; i < len(a.parts); i++ {
		p := a.parts[i]
		if p.start != nil {
			if err := p.start(ctx); err != nil {
				a.mu.Unlock()
				return errors.Join(fmt.Errorf("start %s: %w", p.name, err), a.Stop(ctx))
			}
		}
		a.running = i + 1
	}
	a.mu.Unlock()
	return nil
}

// lastMinute is what each part gets to stop even when those before it have used
// up the time: writing down what a worker broke off needs the parts below it.
const lastMinute = 3 * time.Second

// Stop stops what was started, last first, each part within what is left of
// ctx, and 3 s at least, and joins their errors. Before that, parts that take
// things up by themselves are told to take nothing more: a slow caller of the
// API may use up the time, and what workers took up meanwhile would be broken
// off in the middle. It is safe before Start and more than once.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.parts[:a.running] {
		if p.drain != nil {
			p.drain()
		}
	}
	var all error
	for _, p := range slices.Backward(a.parts[:a.running]) {
		if p.stop == nil {
			continue
		}
		if err := stopWithin(ctx, p); err != nil {
			all = errors.Join(all, fmt.Errorf("stop %s: %w", p.name, err))
		}
	}
	a.running = 0
	return all
}

func stopWithin(ctx context.Context, p part) error {
	if end, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(end) < lastMinute {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lastMinute)
		defer cancel()
	}
	return p.stop(ctx)
}
