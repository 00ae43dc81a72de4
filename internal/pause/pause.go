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

// Random is where jitter comes from: numbers in [0,1). Nil is the source that
// all of the process shares; a simulation gives one of its own, so that the same
// seed comes to the same times again. It is as safe for concurrent use as its
// function is.
type Random func() float64

// Draw returns the next number.
func (r Random) Draw() float64 {
	if r == nil {
		return rand.Float64()
	}
	return r()
}

// Jitter spreads d by 20 % to either side.
func (r Random) Jitter(d time.Duration) time.Duration { return message.Jitter(d, r.Draw()) }

// Jittered is For with d spread by 20 % to either side, so that processes that
// stumbled together do not return together.
func (r Random) Jittered(ctx context.Context, d time.Duration) error { return For(ctx, r.Jitter(d)) }

// Jittered is Random.Jittered from the shared source.
func Jittered(ctx context.Context, d time.Duration) error { return Random(nil).Jittered(ctx, d) }

// Jitter is Random.Jitter from the shared source.
func Jitter(d time.Duration) time.Duration { return Random(nil).Jitter(d) }

// Backoff doubles its pauses from First to Most. The zero pause count starts at
// First. Not safe for concurrent use.
type Backoff struct {
	First, Most time.Duration
	Random      Random
	next        time.Duration
}

// Step returns the next pause, jittered.
func (b *Backoff) Step() time.Duration {
	step := max(b.next, b.First)
	b.next = min(2*step, b.Most)
	return b.Random.Jitter(step)
}

// Wait pauses for the next step.
func (b *Backoff) Wait(ctx context.Context) error { return For(ctx, b.Step()) }

// Reset starts again at First.
func (b *Backoff) Reset() { b.next = 0 }
