package store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/postrider/postrider/internal/message"
)

// bells tell relays which lanes of the outbox have rows that became due, within
// this process and beyond it. They are hints: ring never blocks and may be lost.
type bells interface {
	ring(of lanes)
	wait(ctx context.Context) (lanes, error)
	enqueued(ctx context.Context) error // until an email may have come into the intake
	stop() error
}

// Wait blocks until a row of some lane may have become due, or ctx ends, and
// returns such lanes. It may return early, and it may miss one.
func (s *Store) Wait(ctx context.Context) ([]message.Lane, error) {
	of, err := s.bells.wait(ctx)
	if err != nil {
		return nil, s.fail("wait for due mail", err)
	}
	return of, nil
}

// lanes is a small set.
type lanes []message.Lane

func (l lanes) with(more ...message.Lane) lanes {
	for _, lane := range more {
		if !slices.Contains(l, lane) {
			l = append(l, lane)
		}
	}
	return l
}

// rings notes that rows which go to the outbox are due: their lanes are rung
// for once the transaction is committed.
func (t *txn) rings(o outboxRows) {
	at := slices.IndexFunc(outboxValues, func(c column) bool { return c.name == "vlane" })
	for _, row := range o.rows {
		t.due = t.due.with(message.Lane(fmt.Sprint(row[at])))
	}
}

// bell is one that rings in this process alone. A ring while nobody waits is
// kept for whoever waits next; all who wait hear it.
type bell struct {
	mu   sync.Mutex
	ears []chan lanes // of those who wait; each hears once
	kept lanes
	over chan struct{}
	once sync.Once
}

func newBell() *bell { return &bell{over: make(chan struct{})} }

func (b *bell) ring(of lanes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ears) == 0 {
		b.kept = b.kept.with(of...)
		return
	}
	for _, ear := range b.ears {
		ear <- of
	}
	b.ears = nil
}

func (b *bell) wait(ctx context.Context) (lanes, error) {
	ear, kept := b.listen()
	if kept != nil {
		return kept, ctx.Err()
	}
	defer b.leave(ear)
	select {
	case of := <-ear:
		return of, nil
	case <-b.over:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen returns what was kept, else an ear.
func (b *bell) listen() (ear chan lanes, kept lanes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if kept, b.kept = b.kept, nil; kept != nil {
		return nil, kept
	}
	ear = make(chan lanes, 1)
	b.ears = append(b.ears, ear)
	return ear, nil
}

// leave takes an ear away: a ring for nobody is to be kept.
func (b *bell) leave(ear chan lanes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ears = slices.DeleteFunc(b.ears, func(other chan lanes) bool { return other == ear })
}

// enqueued hears of nothing: without a server nobody else has a transaction.
func (b *bell) enqueued(ctx context.Context) error {
	select {
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
