package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/retention"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/worker"
)

// observations are what the program's own work tells about the parts it stands
// on: a table can be locked, or a queue refuse, while every question that a
// check could ask is answered well.
type observations struct {
	accepting, dispatching, publishing, working, sweeping, purging *streaks // work that only fails
	repairs, unknown, buried                                       *streaks // what heals by itself, and keeps happening
	takingIn                                                       *streaks
	sending                                                        progress
}

func newObservations() *observations {
	return &observations{
		accepting: newStreaks(failsFor), dispatching: newStreaks(failsFor), publishing: newStreaks(failsFor),
		working: newStreaks(failsFor), sweeping: newStreaks(failsFor), purging: newStreaks(failsFor),
		repairs: newStreaks(recursFor), unknown: newStreaks(recursFor), buried: newStreaks(recursFor),
		takingIn: newStreaks(failsFor),
		sending:  progress{inHand: map[*time.Time]bool{}},
	}
}

type observedAccept struct {
	accept.Store
	o *observations
}

// Accept implements accept.Store. A refusal is the caller's fault.
func (s observedAccept) Accept(ctx context.Context, subs []message.Submission) []message.Acceptance {
	begun := time.Now()
	answers := s.Store.Accept(ctx, subs)
	var failed error
	for _, a := range answers {
		if _, refused := errors.AsType[*message.Error](a.Err); !refused {
			failed = cmp.Or(failed, a.Err)
		}
	}
	s.o.accepting.of("commit").note(begun, failed)
	return answers
}

type observedBatches struct {
	accept.BatchStore
	o *observations
}

// AcceptBatch implements accept.BatchStore. A refusal is the caller's fault.
func (s observedBatches) AcceptBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
	begun := time.Now()
	answer, err := s.BatchStore.AcceptBatch(ctx, b)
	failed := err
	if _, refused := errors.AsType[*message.Error](err); refused {
		failed = nil
	}
	s.o.accepting.of("commit").note(begun, failed)
	return answer, err
}

type observedOutbox struct {
	relay.Store
	o *observations
}

// Dispatch implements relay.Store.
func (s observedOutbox) Dispatch(ctx context.Context, lane message.Lane, limit int, publish relay.Publish) (taken, confirmed int, err error) {
	begun := time.Now()
	taken, confirmed, err = s.Store.Dispatch(ctx, lane, limit, publish)
	s.o.dispatching.note(ctx, "take mail of the lane "+string(lane)+" from the outbox", begun, err)
	return taken, confirmed, err
}

// publishKind begins the kinds of work that the broker, not the database, does.
const publishKind = "publish to the lane "

type observedQueue struct {
	relay.Queue
	o *observations
}

// Publish implements relay.Queue. A queue whose window is full is no fault.
func (q observedQueue) Publish(ctx context.Context, lane message.Lane, refs []message.Ref) []error {
	begun := time.Now()
	answers := q.Queue.Publish(ctx, lane, refs)
	if ctx.Err() == nil && len(refs) > 0 {
		failed := cmp.Or(answers...)
		if errors.Is(failed, message.ErrQueueFull) {
			failed = nil
		}
		q.o.publishing.of(publishKind+string(lane)).note(begun, failed)
	}
	return answers
}

type observedWork struct {
	worker.Store
	o *observations
}

// Claim implements worker.Store.
func (s observedWork) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	begun := time.Now()
	claims, err := s.Store.Claim(ctx, bids)
	s.o.working.of("claim mail").note(begun, err)
	return claims, err
}

// Renew implements worker.Store. Without claims nothing is asked.
func (s observedWork) Renew(ctx context.Context, held []message.Held) ([]bool, error) {
	begun := time.Now()
	renewed, err := s.Store.Renew(ctx, held)
	if len(held) > 0 {
		s.o.working.of("renew leases").note(begun, err)
	}
	return renewed, err
}

// Mark implements worker.Store.
func (s observedWork) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	begun := time.Now()
	granted, err := s.Store.Mark(ctx, held)
	s.o.working.of("mark mail before the final dot").note(begun, err)
	return granted, err
}

// Record implements worker.Store.
func (s observedWork) Record(ctx context.Context, outcomes []message.Outcome) []error {
	begun := time.Now()
	answers := s.Store.Record(ctx, outcomes)
	s.o.working.of("record what became of mail").note(begun, cmp.Or(answers...))
	for i, o := range outcomes {
		if o.Kind == message.OutcomeUnknown && answers[i] == nil {
			s.o.unknown.of("send").note(begun, errors.New(cmp.Or(o.Attempt.Detail, "no reply to the final dot")))
		}
	}
	return answers
}

type observedDeadLetters struct {
	worker.DeadLetters
	o *observations
}

// Bury implements worker.DeadLetters.
func (d observedDeadLetters) Bury(ctx context.Context, letters []message.DeadLetter) error {
	begun := time.Now()
	err := d.DeadLetters.Bury(ctx, letters)
	d.o.working.of("bury a dead letter").note(begun, err)
	for _, l := range letters {
		d.o.buried.of(l.Queue).note(begun, errors.New(l.Reason))
	}
	return err
}

type observedSweep struct {
	sweep.Store
	o *observations
}

// Clock implements sweep.Store.
func (s observedSweep) Clock(ctx context.Context) (message.Clock, error) {
	begun := time.Now()
	clock, err := s.Store.Clock(ctx)
	s.o.sweeping.note(ctx, "read the clock", begun, err)
	return clock, err
}

// SweepLeases implements sweep.Store.
func (s observedSweep) SweepLeases(ctx context.Context, asOf time.Time, limit int, spread time.Duration) (message.Swept, error) {
	begun := time.Now()
	swept, err := s.Store.SweepLeases(ctx, asOf, limit, spread)
	s.o.sweeping.note(ctx, "take back leases", begun, err)
	if n := swept.Total(); n > 0 {
		s.o.repairs.of(causeLeases).note(begun, fmt.Errorf("%d leases ended in the last sweep that found any, %d of them after the mark", n, swept.Unknown))
	}
	return swept, err
}

// SweepLost implements sweep.Store.
func (s observedSweep) SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (int, error) {
	begun := time.Now()
	n, err := s.Store.SweepLost(ctx, lane, emptySince, limit)
	s.o.sweeping.note(ctx, "look for lost copies", begun, err)
	if n > 0 {
		s.o.repairs.of(causeLostCopies).note(begun, fmt.Errorf("%d copies of the lane %s were gone in the last sweep that missed any", n, lane))
	}
	return n, err
}

// SweepExpired implements sweep.Store.
func (s observedSweep) SweepExpired(ctx context.Context, limit int) (int, error) {
	begun := time.Now()
	n, err := s.Store.SweepExpired(ctx, limit)
	s.o.sweeping.note(ctx, "expire mail", begun, err)
	return n, err
}

type observedRetention struct {
	retention.Store
	o *observations
}

// Purge implements retention.Store.
func (s observedRetention) Purge(ctx context.Context, after uuid.UUID, keep time.Duration, limit int) (message.Purged, error) {
	begun := time.Now()
	p, err := s.Store.Purge(ctx, after, keep, limit)
	s.o.purging.note(ctx, "delete messages that are over", begun, err)
	return p, err
}

// ForgetOld implements retention.Store.
func (s observedRetention) ForgetOld(ctx context.Context, keep time.Duration, limit int) (int, error) {
	begun := time.Now()
	n, err := s.Store.ForgetOld(ctx, keep, limit)
	s.o.purging.note(ctx, "delete old dead letters and processes", begun, err)
	return n, err
}

type observedSender struct {
	worker.Sender
	o *observations
}

// Send implements worker.Sender.
func (s observedSender) Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	defer s.o.sending.begin()()
	return s.Sender.Send(ctx, work, mark)
}

// progress is how sending gets on. Safe for concurrent use.
type progress struct {
	mu     sync.Mutex
	inHand map[*time.Time]bool // since when
	ended  time.Time           // when the last try ended, whatever it came to
}

// begin tells of a try, and the function returned of its end.
func (p *progress) begin() (end func()) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand[&now] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.inHand, &now)
		p.ended = time.Now()
	}
}

// stuck is for how long no try has ended although some were going on, and how
// many are.
func (p *progress) stuck() (since time.Duration, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inHand) == 0 {
		return 0, 0
	}
	oldest := time.Now()
	for begun := range p.inHand {
		if begun.Before(oldest) {
			oldest = *begun
		}
	}
	if p.ended.After(oldest) {
		oldest = p.ended
	}
	return time.Since(oldest), len(p.inHand)
}
