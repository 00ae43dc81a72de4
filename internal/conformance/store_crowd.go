package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
)

func crowdCases() []storeCase {
	return []storeCase{{"everyone at once: no deadlock, no error, nothing forgotten", caseCrowd}}
}

// caseCrowd lets relays, workers, sweeps and callers loose on the same mails in
// batches whose orders differ, until every mail has ended.
func caseCrowd(b *storeBench) {
	const mails, recipients = 40, 3
	var list []message.Submission
	for range mails {
		list = append(list, draft(recipients))
	}
	for _, a := range b.store.Accept(b.Context(), list) {
		b.check(a.Err)
	}
	b.tick()
	ctx, stop := context.WithTimeout(b.Context(), 3*time.Minute)
	defer stop()
	copies := make(chan message.Ref, 10*mails*recipients)
	var wg sync.WaitGroup
	loop := func(step func() error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := step(); err != nil && ctx.Err() == nil {
					b.Error(err)
					stop()
				}
				select { // leave the others some of the machine
				case <-time.After(5 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	for range 2 {
		loop(func() error { return b.crowdRelay(ctx, copies) })
		loop(func() error { return b.crowdWork(ctx, copies) })
	}
	loop(func() error { return b.crowdSweep(ctx) })
	loop(func() error {
		_, err := b.store.Cancel(ctx, message.DefaultTenant, list[rand.IntN(mails/4)].Message.ID)
		return err
	})
	loop(func() error { return b.crowdSettled(ctx, list, stop) })
	wg.Wait()
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		b.Fatal("some mail never ended")
	}
	for _, s := range list {
		for _, d := range b.view(message.Key{MessageID: s.Message.ID}).Deliveries {
			equal(b, "open", d.Status.Open(), false)
		}
	}
}

func (b *storeBench) crowdRelay(ctx context.Context, copies chan<- message.Ref) error {
	_, _, err := b.store.Dispatch(ctx, message.LaneNormal, 20, func(_ context.Context, refs []message.Ref) []error {
		errs := make([]error, len(refs))
		for i, ref := range refs {
			select {
			case copies <- ref:
			default:
				errs[i] = message.ErrQueueFull
			}
		}
		return errs
	})
	return err
}

// crowdWork takes a handful of copies in any order, and loses some of them.
func (b *storeBench) crowdWork(ctx context.Context, copies <-chan message.Ref) error {
	var bids []message.Bid
	for range 10 {
		select {
		case ref := <-copies:
			bids = append(bids, message.Bid{Ref: ref, Redelivered: rand.IntN(4) == 0})
		default:
		}
	}
	rand.Shuffle(len(bids), func(i, j int) { bids[i], bids[j] = bids[j], bids[i] })
	claims, err := b.store.Claim(ctx, bids)
	if err != nil {
		return err
	}
	var held []message.Held
	for _, c := range claims {
		if c.State == message.ClaimTaken && rand.IntN(8) > 0 {
			held = append(held, c.Work.Held)
		}
	}
	if _, err := b.store.Renew(ctx, held); err != nil {
		return err
	}
	marks, err := b.store.Mark(ctx, held)
	if err != nil {
		return err
	}
	kinds := []message.OutcomeKind{message.OutcomeSent, message.OutcomeSent, message.OutcomeRetry, message.OutcomeFailed, message.OutcomeUnknown}
	var outcomes []message.Outcome
	for i, h := range held {
		if marks[i] {
			outcomes = append(outcomes, outcome(h, kinds[rand.IntN(len(kinds))]))
		}
	}
	return errors.Join(b.store.Record(ctx, outcomes)...)
}

func (b *storeBench) crowdSweep(ctx context.Context) error {
	b.clock.Advance(time.Second)
	if _, err := b.store.SweepLeases(ctx, b.clock.Now(), 50, 0); err != nil {
		return err
	}
	if _, err := b.store.SweepExpired(ctx, 50); err != nil {
		return err
	}
	_, err := b.store.SweepLost(ctx, message.LaneNormal, b.clock.Now().Add(-30*time.Second), 50)
	return err
}

// crowdSettled stops the crowd when nothing is open any more.
func (b *storeBench) crowdSettled(ctx context.Context, list []message.Submission, stop func()) error {
	for _, s := range list {
		view, err := b.store.Email(ctx, message.DefaultTenant, s.Message.ID)
		if err != nil {
			return err
		}
		for _, d := range view.Deliveries {
			if d.Status.Open() {
				return nil
			}
		}
	}
	stop()
	return nil
}
