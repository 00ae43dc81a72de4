package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// connection is a process's way to the database: every call waits for the
// scheduler, and may be refused, or done without its answer coming through.
type connection struct {
	w     *world
	p     *process
	inner Store
}

// call runs one transaction when the scheduler lets it.
func (c *connection) call(ctx context.Context, k kind, what string, run func() error) error {
	begun := time.Now()
	l := c.w.park(ctx, &call{proc: c.p, kind: k, content: what, deadline: begun.Add(opLimit)})
	if l.end == expired || l.end == crashed || l.end == refuse {
		return l.err()
	}
	if err := run(); err != nil {
		c.w.trace.result(err.Error())
		return err
	}
	return c.answer(ctx, l, k, what, begun)
}

// answer is the way of a committed transaction's reply.
func (c *connection) answer(ctx context.Context, l leave, k kind, what string, begun time.Time) error {
	if l.late && l.end == proceed {
		l = c.w.park(ctx, &call{proc: c.p, kind: k, content: what, answered: true, deadline: begun.Add(opLimit)})
	}
	return l.err()
}

// each answers every request of a call alike where the call did not go through.
func each(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// sorted returns the items in the order of their names, the names, and where
// each item stood: which goroutine came first must not matter.
func sorted[T any](w *world, items []T, name func(T) string) (list []T, names string, at []int) {
	type named struct {
		name string
		at   int
	}
	w.meet()
	order := make([]named, len(items))
	for i, item := range items {
		order[i] = named{name(item), i}
	}
	slices.SortStableFunc(order, func(a, b named) int { return strings.Compare(a.name, b.name) })
	words := make([]string, len(items))
	for i, o := range order {
		list, at, words[i] = append(list, items[o.at]), append(at, o.at), o.name
	}
	return list, strings.Join(words, " "), at
}

// restore puts answers back into the order of their requests.
func restore[T any](answers []T, at []int) []T {
	list := make([]T, len(answers))
	for i, a := range answers {
		list[at[i]] = a
	}
	return list
}

func (c *connection) Accept(ctx context.Context, subs []message.Submission) []message.Acceptance {
	subs, names, at := sorted(c.w, subs, func(s message.Submission) string { return s.Message.Head.Subject + " " + s.IdempotencyKey })
	var answers []message.Acceptance
	err := c.call(ctx, kAccept, names, func() error {
		subs = c.w.truth.baptize(subs)
		answers = c.inner.Accept(context.WithoutCancel(ctx), subs)
		c.w.truth.accepted(subs, answers)
		return nil
	})
	if err != nil {
		answers = make([]message.Acceptance, len(subs))
		for i := range answers {
			answers[i].Err = err
		}
	}
	return restore(answers, at)
}

func (c *connection) Replay(ctx context.Context, tenant int64, key string, hash [32]byte) (a message.Acceptance, found bool, err error) {
	failed := c.call(ctx, kReplay, key, func() error {
		a, found, err = c.inner.Replay(context.WithoutCancel(ctx), tenant, key, hash)
		return err
	})
	if failed != nil {
		return message.Acceptance{}, false, failed
	}
	return a, found, nil
}

// Dispatch is a transaction with the broker in its midst. What it settles is
// decided at its commit: without one, nothing was confirmed.
func (c *connection) Dispatch(ctx context.Context, lane message.Lane, limit int, publish func(context.Context, []message.Ref) []error) (taken, confirmed int, err error) {
	if lane != message.LaneNormal && lane != message.LaneHigh {
		<-ctx.Done() // nothing is ever sent on the other lanes, and nobody waits for this answer
		return 0, 0, fmt.Errorf("%w: %w", message.ErrUnavailable, ctx.Err())
	}
	l := c.w.park(ctx, &call{proc: c.p, kind: kDispatch, content: string(lane), deadline: time.Now().Add(opLimit)})
	if l.end != proceed {
		return 0, 0, l.err()
	}
	if c.w.cfg.Alone {
		ctx = context.WithValue(ctx, scripted{}, &l.then)
	}
	var commit leave
	var late chan struct{}
	taken, confirmed, err = c.inner.Dispatch(context.WithoutCancel(ctx), lane, limit, func(_ context.Context, refs []message.Ref) []error {
		var errs []error
		errs, commit, late = c.within(ctx, refs, publish)
		return errs
	})
	if late != nil {
		<-late
	}
	if err == nil {
		err = commit.err()
	}
	if taken > 0 && !c.p.dead.Load() { // whose calls all end at once
		c.w.trace.result(fmt.Sprintf("took %d, settled %d", taken, confirmed))
	}
	return taken, confirmed, err
}

// publishLimit is when a database ends a transaction that hangs.
const publishLimit = 10 * time.Second

// within publishes and asks for the commit. A process that takes too long finds
// its transaction ended: then it settles nothing, and late is closed when it has
// found out.
func (c *connection) within(ctx context.Context, refs []message.Ref, publish func(context.Context, []message.Ref) []error) (errs []error, commit leave, late chan struct{}) {
	type answer struct {
		errs   []error
		commit leave
	}
	sent := append([]message.Ref{}, refs...)
	publishing := func() answer {
		a := answer{errs: publish(ctx, sent)}
		a.commit = c.w.park(context.WithoutCancel(ctx), &call{proc: c.p, kind: kCommit, content: c.w.truth.refs(sent)})
		return a
	}
	if c.w.cfg.Alone {
		a := publishing()
		return settled(a.errs, a.commit), a.commit, nil
	}
	done := make(chan answer, 1)
	foundOut := make(chan struct{})
	go func() { done <- publishing(); close(foundOut) }()
	timer := time.NewTimer(publishLimit)
	defer timer.Stop()
	select {
	case a := <-done:
		return settled(a.errs, a.commit), a.commit, nil
	case <-timer.C:
		rolledBack := leave{end: expired}
		return settled(make([]error, len(refs)), rolledBack), rolledBack, foundOut
	}
}

// settled is what the transaction settles: nothing, unless it commits.
func settled(errs []error, commit leave) []error {
	if commit.end == proceed || commit.end == lose {
		return errs
	}
	return each(len(errs), commit.err())
}

func (c *connection) Due(ctx context.Context) (lanes []message.Lane, next time.Duration, err error) {
	failed := c.call(ctx, kDue, "", func() error {
		lanes, next, err = c.inner.Due(context.WithoutCancel(ctx))
		c.w.trace.result(fmt.Sprint(lanes))
		return err
	})
	return lanes, next, failed
}

// Wait rings now and then: it is a hint. It names every lane, for it does not
// know which.
func (c *connection) Wait(ctx context.Context) ([]message.Lane, error) {
	l := c.w.park(ctx, &call{proc: c.p, kind: kBell, ready: func() bool { return c.p.bell }})
	c.p.bell = false
	return message.Lanes(), l.err()
}

func (c *connection) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	bids, names, at := sorted(c.w, bids, func(b message.Bid) string { return c.w.truth.ref(b.Ref) + flag(b.Redelivered, "r") })
	var claims []message.Claim
	err := c.call(ctx, kClaim, names, func() (err error) {
		before := c.w.truth.rowsOf(bids)
		claims, err = c.inner.Claim(context.WithoutCancel(ctx), bids)
		if err == nil {
			c.w.truth.claimed(c.p, bids, before, claims)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return restore(claims, at), nil
}

func flag(on bool, word string) string {
	if on {
		return word
	}
	return ""
}

func (c *connection) Renew(ctx context.Context, held []message.Held) ([]bool, error) {
	held, names, at := sorted(c.w, held, c.w.truth.held)
	var ok []bool
	err := c.call(ctx, kRenew, names, func() (err error) {
		ok, err = c.inner.Renew(context.WithoutCancel(ctx), held)
		c.w.trace.result(fmt.Sprint(ok))
		return err
	})
	if err != nil {
		return nil, err
	}
	return restore(ok, at), nil
}

func (c *connection) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	held, names, at := sorted(c.w, held, c.w.truth.held)
	var ok []bool
	err := c.call(ctx, kMark, names, func() (err error) {
		ok, err = c.inner.Mark(context.WithoutCancel(ctx), held)
		c.w.trace.result(fmt.Sprint(ok))
		c.w.truth.marked(c.p, held, ok)
		return err
	})
	if err != nil {
		return nil, err
	}
	return restore(ok, at), nil
}

func (c *connection) Record(ctx context.Context, outcomes []message.Outcome) []error {
	outcomes, names, at := sorted(c.w, outcomes, func(o message.Outcome) string { return c.w.truth.held(o.Held) + " " + string(o.Kind) })
	var errs []error
	err := c.call(ctx, kRecord, names, func() error {
		errs = c.inner.Record(context.WithoutCancel(ctx), outcomes)
		c.w.truth.recorded(c.p, outcomes, errs)
		return nil
	})
	if err != nil {
		errs = each(len(outcomes), err)
	}
	return restore(errs, at)
}

func (c *connection) Bury(ctx context.Context, letters []message.DeadLetter) error {
	return c.call(ctx, kBury, fmt.Sprint(len(letters)), func() error { return c.inner.Bury(context.WithoutCancel(ctx), letters) })
}

func (c *connection) Clock(ctx context.Context) (clock message.Clock, err error) {
	failed := c.call(ctx, kClock, "", func() error {
		clock, err = c.inner.Clock(context.WithoutCancel(ctx))
		clock.Epoch += fmt.Sprintf("/%d", c.w.database.life)
		return err
	})
	return clock, failed
}

// SweepLeases spreads nothing: a store draws the spread from a source of its
// own, and the same seed must come to the same times.
func (c *connection) SweepLeases(ctx context.Context, asOf time.Time, limit int, _ time.Duration) (swept message.Swept, err error) {
	failed := c.call(ctx, kLeases, "", func() error {
		swept, err = c.inner.SweepLeases(context.WithoutCancel(ctx), asOf, limit, time.Millisecond)
		if swept.Total() > 0 {
			c.w.trace.result(fmt.Sprintf("requeued %d, unknown %d, poison %d", swept.Requeued, swept.Unknown, swept.Poison))
			c.w.truth.swept()
			c.w.ring(c.p)
		}
		return err
	})
	return swept, failed
}

func (c *connection) SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (n int, err error) {
	failed := c.call(ctx, kLost, string(lane), func() error {
		n, err = c.inner.SweepLost(context.WithoutCancel(ctx), lane, emptySince, limit)
		c.moved(n)
		return err
	})
	return n, failed
}

func (c *connection) SweepExpired(ctx context.Context, limit int) (n int, err error) {
	failed := c.call(ctx, kExpired, "", func() error {
		n, err = c.inner.SweepExpired(context.WithoutCancel(ctx), limit)
		c.w.counts[Expiry] += n
		c.moved(n)
		return err
	})
	return n, failed
}

func (c *connection) RepairAll(ctx context.Context, sole bool) (n int, err error) {
	failed := c.call(ctx, kRepair, "", func() error {
		n, err = c.inner.RepairAll(context.WithoutCancel(ctx), sole)
		c.moved(n)
		return err
	})
	return n, failed
}

// moved notes how many deliveries a call moved, and tells the relays.
func (c *connection) moved(n int) {
	if n > 0 {
		c.w.trace.result(fmt.Sprintf("moved %d", n))
		c.w.ring(c.p)
	}
}

// steer changes a message for its caller.
func (c *connection) steer(ctx context.Context, k kind, id uuid.UUID, do func(context.Context) (int, error)) (n int, err error) {
	failed := c.call(ctx, k, c.w.truth.message(id), func() error {
		before := c.w.truth.statesOf(id)
		n, err = do(context.WithoutCancel(ctx))
		c.w.truth.steered(k, id, before)
		c.moved(n)
		return err
	})
	return n, failed
}

func (c *connection) Cancel(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return c.steer(ctx, kCancel, id, func(ctx context.Context) (int, error) { return c.inner.Cancel(ctx, tenant, id) })
}

func (c *connection) Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return c.steer(ctx, kRetry, id, func(ctx context.Context) (int, error) { return c.inner.Retry(ctx, tenant, id) })
}

func (c *connection) Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error) {
	return c.steer(ctx, kReschedule, id, func(ctx context.Context) (int, error) { return c.inner.Reschedule(ctx, tenant, id, at) })
}

// ring is the hint to the relays of other processes.
func (w *world) ring(from *process) {
	for _, p := range w.places {
		if p.proc != nil && p.proc != from {
			p.proc.bell = true
		}
	}
}
