package simulate

import (
	"context"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/worker"
)

// turnstile lets the workers of a process join a batch, and hear of its answer,
// one after the other. All else that one step wakes goes its own ways; these
// would meet, in the next batch or at the source of jitter, in an order that
// the runtime chooses.
type turnstile struct {
	worker.Store
	w *world
	p *process
}

// pass waits for the turn of a goroutine. It is a step, not a call that could
// fail.
func (t turnstile) pass(k kind, what string) {
	t.w.park(context.Background(), &call{proc: t.p, kind: k, content: what})
}

// Claim implements worker.Store.
func (t turnstile) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	t.w.meet()
	what := "claim " + t.w.truth.ref(bids[0].Ref)
	t.pass(kAsk, what)
	defer t.pass(kHear, what)
	return t.Store.Claim(ctx, bids)
}

// Mark implements worker.Store.
func (t turnstile) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	t.w.meet()
	what := "mark " + t.w.truth.held(held[0])
	t.pass(kAsk, what)
	defer t.pass(kHear, what)
	return t.Store.Mark(ctx, held)
}

// Record implements worker.Store.
func (t turnstile) Record(ctx context.Context, outcomes []message.Outcome) []error {
	t.w.meet()
	what := "record " + t.w.truth.held(outcomes[0].Held)
	t.pass(kAsk, what)
	defer t.pass(kHear, what)
	return t.Store.Record(ctx, outcomes)
}
