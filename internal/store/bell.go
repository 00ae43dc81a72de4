package store

import (
	"context"
	"sync"
)

// bells tell relays that rows of the outbox became due, within this process and
// beyond it. They are hints: ring never blocks and may be lost.
type bells interface {
	ring()
	wait(ctx context.Context) error
	stop() error
}

// Wait blocks until a row of some lane may have become due, or ctx ends. It may
// return early, and it may miss one.
func (s *Store) Wait(ctx context.Context) error {
	if err := s.bells.wait(ctx); err != nil {
		return s.fail("wait for due mail", err)
	}
	return nil
}

// bell is one that rings in this process alone. A ring while nobody waits is
// kept for whoever waits next; all who wait hear it.
type bell struct {
	mu   sync.Mutex
	rang chan struct{}
	kept bool
	over chan struct{}
	once sync.Once
}

func newBell() *bell { return &bell{over: make(chan struct{})} }

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rang == nil {
		b.kept = true
		return
	}
	close(b.rang)
	b.rang = nil
}

func (b *bell) wait(ctx context.Context) error {
	b.mu.Lock()
	if b.kept {
		b.kept = false
		b.mu.Unlock()
		return ctx.Err()
	}
	if b.rang == nil {
		b.rang = make(chan struct{})
	}
	rang := b.rang
	b.mu.Unlock()
	select {
	case <-rang:
		return nil
	case <-b.over:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *bell) stop() error {
	b.once.Do(func() { close(b.over) })
	return nil
}
