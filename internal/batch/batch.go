// Package batch joins calls that wait at the same moment into one. An idle
// batcher runs a single call at once, a busy one takes all that has gathered
// meanwhile, so batches grow with the load and cost no latency without it. One
// that lingers waits a little for more, but only in company: see Linger.
package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// ErrStopped answers calls that come after Stop. Nothing was done for them.
var ErrStopped = errors.New("batcher stopped")

// PanicError answers every call of a batch whose function panicked, or did not
// answer each of its requests. What was asked may or may not have happened.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("batch: panic: %v", e.Value) }

// Batcher joins calls of Do. Safe for concurrent use.
type Batcher[Req, Res any] struct {
	do    func(context.Context, []Req) []Res
	bound bound[Req]
	wake  chan struct{} // holds one token when something may be waiting
	hurry chan struct{} // holds one when there is no more reason to linger
	last  struct {      // the batch before; only run uses it
		began time.Time
		size  int
	}

	ctx    context.Context // of every batch; ends when Stop runs out of time
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing runs any more

	mu      sync.Mutex
	waiting []*call[Req, Res]
	started bool
	stopped bool
}

type call[Req, Res any] struct {
	req  Req
	res  Res
	err  error
	done chan struct{}
}

// bound is how much goes into one batch.
type bound[Req any] struct {
	count  int
	weight int
	weigh  func(Req) int
	linger time.Duration
}

// Option changes a batcher.
type Option[Req any] func(*bound[Req])

// Weight bounds a batch by the sum of what its requests weigh, such as their
// bytes. A request that is heavier than that goes alone.
func Weight[Req any](limit int, weigh func(Req) int) Option[Req] {
	return func(b *bound[Req]) { b.weight, b.weigh = limit, weigh }
}

// New returns a batcher of at most limit requests at a time (at least 1). Do is
// called from one goroutine, answers every request in order, must return when
// its context ends, and must not keep the slice.
func New[Req, Res any](limit int, do func(context.Context, []Req) []Res, options ...Option[Req]) *Batcher[Req, Res] {
	ctx, cancel := context.WithCancel(context.Background())
	b := &Batcher[Req, Res]{
		do: do, bound: bound[Req]{count: max(limit, 1)}, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		ctx: ctx, cancel: cancel, done: make(chan struct{}),
	}
	for _, option := range options {
		option(&b.bound)
	}
	return b
}

// Do waits until a batch has answered req. An error is ErrStopped, a
// *PanicError, or that of ctx: a call that ends with its context was left out
// if no batch had taken it yet, else its outcome is not known.
func (b *Batcher[Req, Res]) Do(ctx context.Context, req Req) (Res, error) {
	c := &call[Req, Res]{req: req, done: make(chan struct{})}
	if err := b.join(c); err != nil {
		return c.res, err
	}
	select {
	case <-c.done:
		return c.res, c.err
	case <-ctx.Done():
		b.leave(c)
		var none Res // the batch may be writing c.res now
		return none, ctx.Err()
	}
}

func (b *Batcher[Req, Res]) join(c *call[Req, Res]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return ErrStopped
	}
	b.waiting = append(b.waiting, c)
	signal(b.wake)
	if len(b.waiting) == b.bound.count {
		signal(b.hurry)
	}
	return nil
}

// leave forgets a call that no batch has taken, so that requests do not pile up
// in memory behind a slow batch when nobody waits for them any more.
func (b *Batcher[Req, Res]) leave(c *call[Req, Res]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(w *call[Req, Res]) bool { return w == c })
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// Start begins to run batches. Calls made before wait for it. A second Start,
// or one after Stop, does nothing.
func (b *Batcher[Req, Res]) Start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started || b.stopped {
		return
	}
	b.started = true
	go b.run()
}

// Stop refuses new calls, runs those that wait, and returns when nothing runs
// any more. When ctx ends first it ends the context of the running batch and
// returns the error of ctx. It may be repeated, and called before Start.
func (b *Batcher[Req, Res]) Stop(ctx context.Context) error {
	b.refuse()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		b.cancel()
		return fmt.Errorf("batch: stop: %w", ctx.Err())
	}
}

// refuse ends the intake. A batcher that never ran answers here what waits, as
// no goroutine will.
func (b *Batcher[Req, Res]) refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	b.stopped = true
	if b.started {
		signal(b.wake)
		signal(b.hurry)
		return
	}
	answer(b.waiting, nil, ErrStopped)
	b.waiting = nil
	b.cancel()
	close(b.done)
}

func (b *Batcher[Req, Res]) run() {
	defer close(b.done)
	defer b.cancel()
	for range b.wake {
		for batch := b.next(); len(batch) > 0; batch = b.next() {
			b.runOne(batch)
		}
		if b.ended() {
			return
		}
	}
}

func (b *Batcher[Req, Res]) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopped && len(b.waiting) == 0
}

// take cuts the longest prefix within the bounds off what waits.
func (b *Batcher[Req, Res]) take() []*call[Req, Res] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.bound.prefix(len(b.waiting), func(i int) Req { return b.waiting[i].req })
	batch := slices.Clone(b.waiting[:n])
	b.waiting = slices.Delete(b.waiting, 0, n)
	return batch
}

func (b *bound[Req]) prefix(waiting int, at func(int) Req) int {
	n := min(waiting, b.count)
	if b.weigh == nil {
		return n
	}
	sum := 0
	for i := range n {
		if sum += b.weigh(at(i)); sum > b.weight {
			return max(i, 1)
		}
	}
	return n
}

func (b *Batcher[Req, Res]) runOne(batch []*call[Req, Res]) {
	b.last.began, b.last.size = time.Now(), len(batch)
	reqs := make([]Req, len(batch))
	for i, c := range batch {
		reqs[i] = c.req
	}
	results, err := b.guarded(reqs)
	answer(batch, results, err)
}

// guarded turns a panic into the error of this one batch: the next may be fine.
func (b *Batcher[Req, Res]) guarded(reqs []Req) (results []Res, err error) {
	defer func() {
		if v := recover(); v != nil {
			results, err = nil, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	results = b.do(b.ctx, reqs)
	if len(results) != len(reqs) {
		return nil, &PanicError{Value: fmt.Sprintf("%d answers to %d requests", len(results), len(reqs))}
	}
	return results, nil
}

func answer[Req, Res any](batch []*call[Req, Res], results []Res, err error) {
	for i, c := range batch {
		if c.err = err; err == nil {
			c.res = results[i]
		}
		close(c.done)
	}
}
