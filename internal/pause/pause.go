// Package pause waits: for a time, or with growing and jittered steps, and
// never past the end of a context.
package pause

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// For waits for d and returns nil, or returns context.Cause(ctx) when ctx ends
// first.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Jittered is For with d spread by 20 % to either side, so that processes that
// stumbled together do not return together.
func Jittered(ctx context.Context, d time.Duration) error {
	return For(ctx, Jitter(d))
}

// Jitter spreads d by 20 % to either side.
func Jitter(d time.Duration) time.Duration { return message.Jitter(d, rand.Float64()) }

// Backoff doubles its pauses from First to Most. The zero pause count starts at
// First. Not safe for concurrent use.
type Backoff struct {
	First, Most time.Duration
	next        time.Duration
}

// Step returns the next pause, jittered.
func (b *Backoff) Step() time.Duration {
	step := max(b.next, b.First)
	b.next = min(2*step, b.Most)
	return Jitter(step)
}

// Wait pauses for the next step.
func (b *Backoff) Wait(ctx context.Context) error { return For(ctx, b.Step()) }

// Reset starts again at First.
func (b *Backoff) Reset() { b.next = 0 }
