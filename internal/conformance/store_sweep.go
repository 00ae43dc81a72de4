package conformance

import (
	"time"

	"github.com/postrider/postrider/internal/message"
)

func sweepCases() []storeCase {
	return []storeCase{
		{"a live lease is not swept", caseSweepLive},
		{"a lease that is over before the mark goes to the outbox", caseSweepClaimed},
		{"workers that die 20 times are the mail's fault", caseSweepPoison},
		{"a lease that is over after the mark is resent", caseSweepMarked},
		{"a lease that is over after the mark is held", caseSweepHold},
		{"a lease from a time that did not come is over", caseSweepFuture},
		{"a lease is judged by the clock that was looked at", caseSweepAsOf},
		{"a third unknown outcome is not resent by the sweep", caseSweepCap},
		{"a lost copy is published again when its lane was empty", caseLostEmpty},
		{"a lost copy is published again when it was overtaken", caseLostOvertaken},
		{"age alone is no evidence", caseLostNever},
		{"a clock that was set back is no evidence", caseLostClockBack},
		{"a copy published after the lane was seen empty is not lost", caseLostAfterEmpty},
		{"what is not with the broker is not lost", caseLostNotPublished},
		{"expired mail is failed by the sweep", caseSweepExpired},
		{"a sweep takes no more than its limit", caseSweepLimit},
		{"a queue that forgets is rebuilt", caseRepair},
		{"a sole owner takes back every claim at once", caseRepairSoleOwner},
	}
}

func (b *storeBench) sweepLeases() message.Swept {
	b.Helper()
	swept, err := b.store.SweepLeases(b.Context(), b.clock.Now(), 1000, 5*time.Second)
	b.check(err)
	return swept
}

func (b *storeBench) sweepLost(emptySince time.Time) int {
	b.Helper()
	n, err := b.store.SweepLost(b.Context(), message.LaneNormal, emptySince, 1000)
	b.check(err)
	return n
}

func caseSweepLive(b *storeBench) {
	h := b.claimed()
	b.clock.Advance(StoreLease - slack)
	equal(b, "swept", b.sweepLeases(), message.Swept{})
	b.status(h.Key, message.StatusSending)
}

func caseSweepClaimed(b *storeBench) {
	h := b.claimed(b.markedLater)
	b.clock.Advance(StoreLease + slack)
	equal(b, "swept", b.sweepLeases(), message.Swept{Requeued: 1})
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "interrupted", d.Interrupted, 1)
	equal(b, "unknown outcomes", d.UnknownOutcomes, 0)
	wait := d.NextAttemptAt.Sub(b.clock.Now())
	equal(b, "spread", wait > -time.Second && wait < 5*time.Second+slack, true)
	equal(b, "outbox", b.outbox(), 1)
	attempts := b.view(h.Key).Attempts
	equal(b, "attempts", len(attempts), 1)
	equal(b, "outcome", attempts[0].Outcome, message.OutcomeInterrupted)
	equal(b, "worker", attempts[0].WorkerID, d.WorkerID)
}

// caseSweepFuture: workers died while the database's clock was a day ahead. Had
// their leases to run out first, their mails would wait for that day.
func caseSweepFuture(b *storeBench) {
	claimed, marked := b.claimed(b.markedLater), b.marked(onHold)
	b.clock.Advance(-2 * time.Minute) // the lease of a living worker, until it renews
	equal(b, "swept after a small step", b.sweepLeases(), message.Swept{})
	b.clock.Advance(-24 * time.Hour)
	equal(b, "swept after a large one", b.sweepLeases(), message.Swept{Requeued: 1, Unknown: 1})
	b.status(claimed.Key, message.StatusQueued)
	b.status(marked.Key, message.StatusUnknown)
	for _, a := range b.view(marked.Key).Attempts {
		equal(b, "the attempt began in the future", a.StartedAt.After(b.clock.Now().Add(time.Second)), false)
	}
}

// caseSweepAsOf: between the look at the clock and the sweep the clock stepped, or
// the database gave no answers, and the holders could not renew either.
func caseSweepAsOf(b *storeBench) {
	held := b.claimed()
	sweep := func(what string, asOf time.Time, want message.Swept) {
		swept, err := b.store.SweepLeases(b.Context(), asOf, 10, 0)
		b.check(err)
		equal(b, what, swept, want)
	}
	looked := b.clock.Now()
	b.clock.Advance(2 * StoreLease)
	sweep("over since the look", looked, message.Swept{})
	looked = b.clock.Now().Add(2 * time.Hour)
	_, err := b.store.Renew(b.Context(), []message.Held{held})
	b.check(err)
	sweep("renewed after a step back", looked, message.Swept{})
	b.clock.Advance(2 * StoreLease)
	sweep("over before the look", b.clock.Now(), message.Swept{Requeued: 1})
}

func caseSweepPoison(b *storeBench) {
	ref := b.posted(b.markedLater)
	for n := 1; n <= message.MaxInterrupted; n++ {
		b.claim(ref)
		b.clock.Advance(StoreLease + slack)
		swept := b.sweepLeases()
		if n == message.MaxInterrupted {
			equal(b, "swept", swept, message.Swept{Poison: 1})
			break
		}
		equal(b, "swept", swept, message.Swept{Requeued: 1})
		b.clock.Advance(10 * time.Second)
		ref = b.publish()[0]
	}
	equal(b, "reason", b.status(ref.Key, message.StatusFailed).Reason, message.ReasonPoison)
	equal(b, "outbox", b.outbox(), 0)
}

func caseSweepMarked(b *storeBench) {
	h := b.marked()
	b.clock.Advance(StoreLease + slack)
	equal(b, "swept", b.sweepLeases(), message.Swept{Requeued: 1})
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "unknown outcomes", d.UnknownOutcomes, 1)
	equal(b, "interrupted", d.Interrupted, 0)
	equal(b, "outcome", b.view(h.Key).Attempts[0].Outcome, message.OutcomeUnknown)
	b.record(outcome(h, message.OutcomeUnknown)) // the holder comes back without a reply: counted already
	equal(b, "row", b.row(h.Key), d)
}

func caseSweepHold(b *storeBench) {
	h := b.marked(onHold)
	b.clock.Advance(StoreLease + slack)
	equal(b, "swept", b.sweepLeases(), message.Swept{Unknown: 1})
	d := b.status(h.Key, message.StatusUnknown)
	equal(b, "possibly sent", d.PossiblySent(), true)
	b.record(outcome(h, message.OutcomeUnknown))
	equal(b, "counted once", b.row(h.Key).UnknownOutcomes, 1)
	equal(b, "outbox", b.outbox(), 0)
}

func caseSweepCap(b *storeBench) {
	ref := b.posted()
	for n := 1; n <= message.MaxUnknownOutcomes; n++ {
		equal(b, "mark", b.mark(b.claim(ref)), true)
		b.clock.Advance(StoreLease + slack)
		b.sweepLeases()
		if n < message.MaxUnknownOutcomes {
			b.clock.Advance(10 * time.Second)
			ref = b.publish()[0]
		}
	}
	b.status(ref.Key, message.StatusUnknown)
}

func caseLostEmpty(b *storeBench) {
	ref := b.posted()
	b.clock.Advance(25 * time.Second)
	equal(b, "lost", b.sweepLost(b.clock.Now().Add(-6*time.Second)), 1)
	d := b.status(ref.Key, message.StatusQueued)
	equal(b, "dispatch", d.Dispatch, 2)
	equal(b, "published", b.publish(), []message.Ref{{Key: ref.Key, Dispatch: 2}})
	equal(b, "the copy turns up", b.bid(message.Bid{Ref: ref})[0], message.Claim{})
}

func caseLostOvertaken(b *storeBench) {
	ref := b.posted()
	b.clock.Advance(25 * time.Second)
	b.claimed() // published 25 s later
	equal(b, "before it is known", b.sweepLost(time.Time{}), 0)
	_, err := b.store.Renew(b.Context(), nil)
	b.check(err)
	b.clock.Advance(slack) // the mark may be that late, and one of the future counts for nothing
	equal(b, "another lane", b.lostOn(message.LaneHigh), 0)
	equal(b, "lost", b.sweepLost(time.Time{}), 1)
	equal(b, "dispatch", b.row(ref.Key).Dispatch, 2)
}

func (b *storeBench) lostOn(lane message.Lane) int {
	n, err := b.store.SweepLost(b.Context(), lane, time.Time{}, 100)
	b.check(err)
	return n
}

func caseLostNever(b *storeBench) {
	ref := b.posted()
	b.claimed()
	_, err := b.store.Renew(b.Context(), nil)
	b.check(err)
	b.clock.Advance(100 * time.Hour)
	equal(b, "lost", b.sweepLost(time.Time{}), 0)
	equal(b, "dispatch", b.row(ref.Key).Dispatch, 1)
}

// What was claimed in a future that then did not come overtakes nothing.
func caseLostClockBack(b *storeBench) {
	b.clock.Advance(time.Hour)
	b.claimed()
	_, err := b.store.Renew(b.Context(), nil)
	b.check(err)
	b.clock.Advance(-time.Hour)
	ref := b.posted()
	b.clock.Advance(25 * time.Second)
	equal(b, "lost", b.sweepLost(time.Time{}), 0)
	equal(b, "dispatch", b.row(ref.Key).Dispatch, 1)
}

func caseLostAfterEmpty(b *storeBench) {
	empty := b.clock.Now().Add(-time.Second)
	b.posted()
	b.clock.Advance(time.Hour)
	equal(b, "lost", b.sweepLost(empty), 0)
	b.posted()
	equal(b, "too young", b.sweepLost(b.clock.Now().Add(time.Hour)), 1)
}

func caseLostNotPublished(b *storeBench) {
	b.claimed()
	b.post()
	b.clock.Advance(time.Hour)
	equal(b, "lost", b.sweepLost(b.clock.Now()), 0)
}

func caseSweepExpired(b *storeBench) {
	waiting := b.post(b.expiring(time.Minute), b.scheduled(time.Hour))
	live := b.post(b.expiring(time.Hour), b.scheduled(30*time.Minute))
	holding := b.claimed(b.expiring(time.Minute))
	b.clock.Advance(2 * time.Minute)
	n, err := b.store.SweepExpired(b.Context(), 100)
	b.check(err)
	equal(b, "expired", n, 1)
	equal(b, "reason", b.status(waiting, message.StatusFailed).Reason, message.ReasonExpired)
	b.status(live, message.StatusQueued)
	b.status(holding.Key, message.StatusSending)
	equal(b, "outbox", b.outbox(), 1)
}

func caseSweepLimit(b *storeBench) {
	for range 5 {
		b.claimed()
	}
	b.clock.Advance(StoreLease + slack)
	swept, err := b.store.SweepLeases(b.Context(), b.clock.Now(), 3, 0)
	b.check(err)
	equal(b, "swept", swept.Total(), 3)
	equal(b, "the rest", b.sweepLeases().Total(), 2)
}

func caseRepair(b *storeBench) {
	published, holding := b.posted(), b.claimed()
	b.post()
	n, err := b.store.RepairAll(b.Context(), false)
	b.check(err)
	equal(b, "repaired", n, 1)
	equal(b, "dispatch", b.row(published.Key).Dispatch, 2)
	b.status(holding.Key, message.StatusSending)
	equal(b, "published", len(b.publish()), 2)
}

func caseRepairSoleOwner(b *storeBench) {
	held, marked, kept := b.claimed(b.markedLater), b.marked(), b.marked(onHold)
	n, err := b.store.RepairAll(b.Context(), true)
	b.check(err)
	equal(b, "repaired", n, 3)
	equal(b, "interrupted", b.status(held.Key, message.StatusQueued).Interrupted, 1)
	equal(b, "unknown outcomes", b.status(marked.Key, message.StatusQueued).UnknownOutcomes, 1)
	b.status(kept.Key, message.StatusUnknown)
	equal(b, "published at once", len(b.publish()), 2)
}
