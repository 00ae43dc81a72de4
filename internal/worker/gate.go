package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/pause"
)

const (
	probeFirst = 250 * time.Millisecond
	probeMost  = 15 * time.Second
	probeLimit = 30 * time.Second
)

// gate is shut while the relay host takes no mail. Its own fault is nobody's
// mail: nothing is charged, nothing is claimed, and it is asked with EHLO,
// never with a mail.
type gate struct {
	probe  func(context.Context) error
	log    *slog.Logger
	random pause.Random // set before run

	mu      sync.Mutex
	fault   error           // nil: open
	next    time.Time       // of the next probe, while shut
	opened  chan struct{}   // closed when the gate opens
	open    context.Context // ends when the gate shuts
	shut    context.CancelFunc
	tripped chan struct{} // wakes run
}

func newGate(probe func(context.Context) error, log *slog.Logger) *gate {
	g := &gate{probe: probe, log: log, tripped: make(chan struct{}, 1)}
	g.open, g.shut = context.WithCancel(context.Background())
	return g
}

// reason is nil while the gate is open.
func (g *gate) reason() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

// trip shuts the gate and returns how long until the next probe: the time for
// which released mail waits.
func (g *gate) trip(fault error) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault == nil {
		g.fault, g.opened, g.next = fault, make(chan struct{}), time.Now().Add(probeFirst)
		g.shut()
		select {
		case g.tripped <- struct{}{}:
		default:
		}
		g.log.Error("relay host takes no mail: pausing", "error", fault,
			"remedy", "check POSTRIDER_SMTP_URL and the relay host; sending goes on by itself once it answers EHLO")
	}
	return max(time.Until(g.next), probeFirst)
}

// wait blocks while the gate is shut. The context it returns ends when the gate
// shuts or parent ends; leave releases it.
func (g *gate) wait(parent context.Context) (ctx context.Context, leave func(), err error) {
	for {
		g.mu.Lock()
		fault, opened, open := g.fault, g.opened, g.open
		g.mu.Unlock()
		if parent.Err() != nil {
			return nil, nil, parent.Err()
		}
		if fault == nil {
			ctx, cancel := context.WithCancel(parent)
			forget := context.AfterFunc(open, cancel)
			return ctx, func() { forget(); cancel() }, nil
		}
		select {
		case <-opened:
		case <-parent.Done():
		}
	}
}

// run probes a shut gate, ever more slowly, until the relay host answers.
func (g *gate) run(ctx context.Context) {
	for {
		select {
		case <-g.tripped:
			g.probeUntilOpen(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (g *gate) probeUntilOpen(ctx context.Context) {
	backoff := pause.Backoff{First: probeFirst, Most: probeMost, Random: g.random}
	for {
		wait := backoff.Step()
		g.mu.Lock()
		g.next = time.Now().Add(wait)
		g.mu.Unlock()
		if pause.For(ctx, wait) != nil || g.ask(ctx) {
			return
		}
	}
}

func (g *gate) ask(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	err := g.probe(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.fault = err
		return false
	}
	g.fault = nil
	g.open, g.shut = context.WithCancel(context.Background())
	close(g.opened)
	g.log.Info("relay host takes mail again")
	return true
}
