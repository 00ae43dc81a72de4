package conformance

import (
	"time"

	"github.com/postrider/postrider/internal/message"
)

func markCases() []storeCase {
	return []storeCase{
		{"a claim says whether it is the mark", caseClaimSaysMarked},
		{"a claim that is the mark is taken over by nobody", caseByClaimKept},
		{"a claim that is the mark is not canceled", caseByClaimCancel},
		{"a claim that is the mark is marked again, and renewed", caseByClaimMarkedAgain},
		{"its holder gives it back uncharged if it wrote no dot", caseByClaimReleased},
		{"a holder that lost the claim gives nothing back", caseByClaimReleasedLate},
		{"retries and failures end it as they end any", caseByClaimEnds},
	}
}

// markedByClaim is a message whose claim is its mark. Where the store does not
// mark so, its first mark comes at once: all that follows is the same.
func (b *storeBench) markedByClaim() message.Held {
	b.Helper()
	h := b.claimed()
	if b.fixture.marking != message.MarkHold {
		equal(b, "mark", b.mark(h), true)
	}
	equal(b, "phase", b.row(h.Key).Phase, message.PhaseData)
	return h
}

func caseClaimSaysMarked(b *storeBench) {
	byClaim := b.fixture.marking == message.MarkHold
	resent, held := b.posted(), b.posted(onHold)
	claims := b.bid(message.Bid{Ref: held}, message.Bid{Ref: resent})
	equal(b, "on hold", claims[0].Work.Marked, false)
	equal(b, "on hold, phase", b.row(held.Key).Phase, message.PhaseClaimed)
	equal(b, "resent", claims[1].Work.Marked, byClaim)
	equal(b, "resent, marked", b.row(resent.Key).Phase == message.PhaseData, byClaim)
}

func caseByClaimKept(b *storeBench) {
	h := b.markedByClaim()
	bid := message.Bid{Ref: message.Ref{Key: h.Key, Dispatch: 1}, Redelivered: true}
	equal(b, "at once", b.bid(bid)[0], message.Claim{})
	b.clock.Advance(StoreLease + slack)
	equal(b, "after the lease", b.bid(bid)[0], message.Claim{})
	equal(b, "swept", b.sweepLeases(), message.Swept{Requeued: 1})
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "unknown outcomes", d.UnknownOutcomes, 1)
	equal(b, "interrupted", d.Interrupted, 0)
	equal(b, "possibly sent", d.PossiblySent(), true)
	equal(b, "outcome", b.view(h.Key).Attempts[0].Outcome, message.OutcomeUnknown)
}

func caseByClaimCancel(b *storeBench) {
	h := b.markedByClaim()
	n, err := b.store.Cancel(b.Context(), message.DefaultTenant, h.MessageID)
	b.check(err)
	equal(b, "canceled", n, 0)
	b.status(h.Key, message.StatusSending)
}

func caseByClaimMarkedAgain(b *storeBench) {
	h, swept := b.markedByClaim(), b.markedByClaim()
	b.clock.Advance(StoreLease - slack)
	equal(b, "again", b.mark(h), true)
	equal(b, "lease", near(b.row(h.Key).LeaseUntil, b.clock.Now().Add(StoreLease)), true)
	b.clock.Advance(2 * slack)
	b.sweepLeases()
	equal(b, "after a sweep", b.mark(swept), false)
	equal(b, "of the one that was renewed", b.mark(h), true)
}

func noDot(o *message.Outcome) { o.NoDot = true }

func caseByClaimReleased(b *storeBench) {
	h := b.markedByClaim()
	b.record(outcome(h, message.OutcomeReleased))
	b.status(h.Key, message.StatusSending) // it did not say so
	b.record(outcome(h, message.OutcomeReleased, noDot, after(5*time.Second)))
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "charged", d.Attempts+d.Interrupted+d.UnknownOutcomes+len(b.view(h.Key).Attempts), 0)
	equal(b, "next", near(d.NextAttemptAt, b.clock.Now().Add(5*time.Second)), true)
	equal(b, "outbox", b.outbox(), 1)
	b.record(outcome(h, message.OutcomeReleased, noDot)) // the first answer was lost
	equal(b, "row after the second", b.row(h.Key), d)
	equal(b, "outbox after the second", b.outbox(), 1)
}

func caseByClaimReleasedLate(b *storeBench) {
	h := b.markedByClaim()
	refuse := func(what string) {
		b.Helper()
		before := b.row(h.Key)
		b.record(outcome(h, message.OutcomeReleased, noDot))
		equal(b, "row after "+what, b.row(h.Key), before)
	}
	b.clock.Advance(StoreLease + slack)
	b.sweepLeases()
	refuse("a sweep")
	b.clock.Advance(time.Minute)
	second := b.claim(b.publish()[0])
	refuse("another's claim")
	b.record(outcome(second, message.OutcomeSent))
	refuse("another's 250")
}

func caseByClaimEnds(b *storeBench) {
	retried, failed, sent := b.markedByClaim(), b.markedByClaim(), b.markedByClaim()
	b.record(outcome(retried, message.OutcomeRetry), outcome(failed, message.OutcomeFailed), outcome(sent, message.OutcomeSent))
	d := b.status(retried.Key, message.StatusQueued)
	equal(b, "charged", []int{d.Attempts, d.UnknownOutcomes}, []int{1, 0})
	b.status(failed.Key, message.StatusFailed)
	b.status(sent.Key, message.StatusSent)
}
