// Package loop runs what goes on until it is stopped.
package loop

import (
	"context"
	"sync"
)

// Group is loops that are started together and end together. Safe for concurrent use.
type Group struct {
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex // keeps a start from beginning within a stop
	started bool
	running sync.WaitGroup
}

// NewGroup returns a group in which nothing runs.
func NewGroup() *Group {
	g := &Group{}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// Start runs each loop on a goroutine of its own and returns at once. A loop must return
// when its context ends. Only the first call starts anything, and none does after Stop.
func (g *Group) Start(loops ...func(context.Context)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.started || g.ctx.Err() != nil {
		return
	}
	g.started = true
	for _, loop := range loops {
		g.running.Go(func() { loop(g.ctx) })
	}
}

// Stop ends the context of the loops and returns nil when none runs any more, or, when
// ctx ends first, its error; the loops end all the same. It may be called at any time and
// more than once.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	g.stop()
	g.mu.Unlock()
	idle := make(chan struct{})
	go func() { g.running.Wait(); close(idle) }()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
