package worker

import (
	"context"
	"errors"
	"time"

	"github.com/postrider/postrider/internal/batch"
	"github.com/postrider/postrider/internal/message"
)

// largestBatch is the most that one statement carries; the store's largest
// bucket.
const largestBatch = 128

// linger is the least time from one batch of several to the next of its kind. It
// saves a stream of mail transactions, and costs each mail of it up to that much at
// each of three steps: too much where all of a few workers wait in batches.
const linger = 3 * time.Millisecond

// Batched is a Store that joins the calls many workers make at the same moment
// into one transaction each. An idle worker waits for nobody.
type Batched struct {
	renew  func(context.Context, []message.Held) ([]bool, error)
	claim  *batch.Batcher[message.Bid, answer[message.Claim]]
	mark   *batch.Batcher[message.Held, answer[bool]]
	record *batch.Batcher[message.Outcome, error]
}

type answer[T any] struct {
	value T
	err   error
}

// NewBatched returns a batched store over next. It works between Start and
// Stop; stop it after the workers.
func NewBatched(next Store) *Batched {
	return &Batched{
		renew:  next.Renew,
		claim:  batch.New(largestBatch, spread(next.Claim), batch.Linger[message.Bid](linger)),
		mark:   batch.New(largestBatch, spread(next.Mark), batch.Linger[message.Held](linger)),
		record: batch.New(largestBatch, next.Record, batch.Linger[message.Outcome](linger)),
	}
}

// spread gives each request of a call that answers as a whole its own answer.
// When one of a group is at fault, not the database's absence, each is asked
// for by itself: who gathered the group must not let one fail for another.
func spread[Req, Res any](call func(context.Context, []Req) ([]Res, error)) func(context.Context, []Req) []answer[Res] {
	return func(ctx context.Context, reqs []Req) []answer[Res] {
		answers := make([]answer[Res], len(reqs))
		values, err := call(ctx, reqs)
		if err != nil && len(reqs) > 1 && !errors.Is(err, message.ErrUnavailable) {
			for i := range reqs {
				answers[i] = first(call(ctx, reqs[i:i+1]))
			}
			return answers
		}
		for i := range answers {
			if answers[i].err = err; err == nil {
				answers[i].value = values[i]
			}
		}
		return answers
	}
}

func first[Res any](values []Res, err error) answer[Res] {
	if err != nil {
		return answer[Res]{err: err}
	}
	return answer[Res]{value: values[0]}
}

// Start begins to run batches.
func (b *Batched) Start() {
	b.claim.Start()
	b.mark.Start()
	b.record.Start()
}

// Stop runs what waits and ends.
func (b *Batched) Stop(ctx context.Context) error {
	return errors.Join(b.claim.Stop(ctx), b.mark.Stop(ctx), b.record.Stop(ctx))
}

// Claim implements Store.
func (b *Batched) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	return collect(ctx, b.claim, bids)
}

// Renew implements Store. A process renews all its leases in one call already.
func (b *Batched) Renew(ctx context.Context, held []message.Held) ([]bool, error) {
	return b.renew(ctx, held)
}

// Mark implements Store.
func (b *Batched) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	return collect(ctx, b.mark, held)
}

// Record implements Store.
func (b *Batched) Record(ctx context.Context, outcomes []message.Outcome) []error {
	errs := make([]error, len(outcomes))
	for i, o := range outcomes {
		err, failed := b.record.Do(ctx, o)
		errs[i] = errors.Join(err, failed)
	}
	return errs
}

// collect asks for each request by itself: a worker has one at a time.
func collect[Req, Res any](ctx context.Context, b *batch.Batcher[Req, answer[Res]], reqs []Req) ([]Res, error) {
	values := make([]Res, len(reqs))
	for i, req := range reqs {
		a, err := b.Do(ctx, req)
		if err := errors.Join(a.err, err); err != nil {
			return nil, err
		}
		values[i] = a.value
	}
	return values, nil
}
