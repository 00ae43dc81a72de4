package conformance

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func recordCases() []storeCase {
	return []storeCase{
		{"sent is recorded with its attempt", caseSent},
		{"a 250 is recorded over whatever the row says", caseSentUnfenced},
		{"a retry goes to the outbox with a new number", caseRetry},
		{"only the holder may record a retry or a failure", caseFenced},
		{"a late refusal settles an unknown outcome", caseLateRefusal},
		{"the last retry fails", caseExhausted},
		{"a failure keeps its reason", caseFailed},
		{"an unknown outcome is resent, three times at most", caseUnknownCap},
		{"under hold an unknown outcome is kept", caseUnknownHold},
		{"a release charges nothing and leaves no attempt", caseRelease},
		{"a release after the mark is refused", caseReleaseMarked},
		{"unprintable replies are recorded all the same", caseUnprintable},
		{"outcomes of all kinds in one call", caseMixedOutcomes},
		{"two holders of one delivery in one call", caseTwoHolders},
	}
}

func caseSent(b *storeBench) {
	h := b.marked()
	o := outcome(h, message.OutcomeSent)
	o.Attempt.WorkerID = uuid.New()
	o.Attempt.StartedAt, o.Attempt.FinishedAt = b.clock.Now(), b.clock.Now().Add(time.Second)
	o.Attempt.Enhanced, o.Attempt.RemoteID = "2.0.0", "4ABC"
	b.record(o)
	d := b.status(h.Key, message.StatusSent)
	equal(b, "remote id", d.RemoteID, "4ABC")
	equal(b, "finished", near(d.FinishedAt, b.clock.Now()), true)
	want := o.Attempt
	want.Claim, want.Outcome, want.RemoteID = h.Claim, message.OutcomeSent, ""
	got := b.view(h.Key).Attempts
	equal(b, "attempts", len(got), 1)
	got[0].RemoteID = ""
	equal(b, "attempt", got[0], want)
}

func caseSentUnfenced(b *storeBench) {
	slow := b.marked()
	b.clock.Advance(StoreLease + slack)
	b.sweepLeases()
	b.clock.Advance(time.Minute)
	second := b.claim(b.publish()[0])
	b.record(outcome(slow, message.OutcomeSent))
	b.status(slow.Key, message.StatusSent)
	equal(b, "the second holder's mark", b.mark(second), false)
	b.record(outcome(second, message.OutcomeFailed))
	b.status(slow.Key, message.StatusSent)
	equal(b, "first attempt", b.attempt(slow).Outcome, message.OutcomeSent)
	equal(b, "second attempt", b.attempt(second).Outcome, message.OutcomeFailed)
}

func (b *storeBench) attempt(h message.Held) message.Attempt {
	b.Helper()
	for _, a := range b.view(h.Key).Attempts {
		if a.N == h.N && a.Claim == h.Claim {
			return a
		}
	}
	b.Fatalf("claim %d left no attempt", h.Claim)
	return message.Attempt{}
}

func caseRetry(b *storeBench) {
	ref := b.posted(b.markedLater)
	b.claim(ref)
	h := b.bid(message.Bid{Ref: ref, Redelivered: true})[0].Work.Held
	equal(b, "mark", b.mark(h), true)
	b.record(outcome(h, message.OutcomeRetry, after(10*time.Second)))
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "dispatch", d.Dispatch, 2)
	equal(b, "attempts", d.Attempts, 1)
	equal(b, "interrupted", d.Interrupted, 0)
	equal(b, "next", near(d.NextAttemptAt, b.clock.Now().Add(10*time.Second)), true)
	equal(b, "at the broker", d.PublishedAt.IsZero(), true)
	old := message.Bid{Ref: message.Ref{Key: h.Key, Dispatch: 1}, Redelivered: true}
	equal(b, "the nacked copy", b.bid(old)[0], message.Claim{})
	equal(b, "published early", len(b.publish()), 0)
	b.clock.Advance(11 * time.Second)
	equal(b, "published", b.publish(), []message.Ref{{Key: h.Key, Dispatch: 2}})
}

func caseFenced(b *storeBench) {
	ref := b.posted(b.markedLater)
	first := b.claim(ref)
	second := b.bid(message.Bid{Ref: ref, Redelivered: true})[0].Work.Held
	for _, kind := range []message.OutcomeKind{
		message.OutcomeRetry, message.OutcomeFailed, message.OutcomeUnknown, message.OutcomeReleased,
	} {
		before := b.row(ref.Key)
		b.record(outcome(first, kind))
		equal(b, "row after "+string(kind), b.row(ref.Key), before)
	}
	equal(b, "the holder's mark", b.mark(second), true)
}

func caseLateRefusal(b *storeBench) {
	h := b.marked(onHold)
	b.clock.Advance(StoreLease + slack)
	b.sweepLeases()
	b.status(h.Key, message.StatusUnknown)
	b.record(outcome(h, message.OutcomeFailed, func(o *message.Outcome) { o.Reason = message.ReasonRejected }))
	d := b.status(h.Key, message.StatusFailed)
	equal(b, "possibly sent", d.PossiblySent(), true)
}

func caseExhausted(b *storeBench) {
	h := b.claimed()
	b.record(outcome(h, message.OutcomeRetry, func(o *message.Outcome) { o.Exhausted = true }))
	equal(b, "reason", b.status(h.Key, message.StatusFailed).Reason, message.ReasonExhausted)
	equal(b, "outbox", b.outbox(), 0)
}

func caseFailed(b *storeBench) {
	h := b.claimed()
	b.record(outcome(h, message.OutcomeFailed, func(o *message.Outcome) { o.Reason, o.Attempt.Code = message.ReasonPolicy, 550 }))
	equal(b, "reason", b.status(h.Key, message.StatusFailed).Reason, message.ReasonPolicy)
	equal(b, "code", b.view(h.Key).Attempts[0].Code, 550)
}

func caseUnknownCap(b *storeBench) {
	ref := b.posted()
	for n := 1; n < message.MaxUnknownOutcomes; n++ {
		h := b.claim(ref)
		equal(b, "mark", b.mark(h), true)
		b.record(outcome(h, message.OutcomeUnknown))
		d := b.status(ref.Key, message.StatusQueued)
		equal(b, "unknown outcomes", d.UnknownOutcomes, n)
		ref = b.publish()[0]
	}
	h := b.claim(ref)
	equal(b, "mark", b.mark(h), true)
	b.record(outcome(h, message.OutcomeUnknown))
	d := b.status(ref.Key, message.StatusUnknown)
	equal(b, "unknown outcomes", d.UnknownOutcomes, message.MaxUnknownOutcomes)
	equal(b, "outbox", b.outbox(), 0)
}

func caseUnknownHold(b *storeBench) {
	h := b.marked(onHold)
	b.record(outcome(h, message.OutcomeUnknown))
	b.status(h.Key, message.StatusUnknown)
	equal(b, "outbox", b.outbox(), 0)
	b.record(outcome(h, message.OutcomeSent))
	b.status(h.Key, message.StatusSent)
}

func caseRelease(b *storeBench) {
	h := b.claimed(b.markedLater)
	b.record(outcome(h, message.OutcomeReleased, after(time.Second*5)))
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "attempts", d.Attempts+d.Interrupted+len(b.view(h.Key).Attempts), 0)
	equal(b, "next", near(d.NextAttemptAt, b.clock.Now().Add(5*time.Second)), true)
	equal(b, "outbox", b.outbox(), 1)
}

func caseReleaseMarked(b *storeBench) {
	h := b.marked()
	b.record(outcome(h, message.OutcomeReleased))
	b.status(h.Key, message.StatusSending)
	equal(b, "outbox", b.outbox(), 0)
}

func caseUnprintable(b *storeBench) {
	h := b.marked()
	b.record(outcome(h, message.OutcomeSent, func(o *message.Outcome) {
		o.Attempt.Detail = "ok\x00\xff" + strings.Repeat("ä", 5000)
		o.Attempt.RemoteID, o.Attempt.Enhanced = "\xfe\x00", strings.Repeat("2", 500)
	}))
	b.status(h.Key, message.StatusSent)
	equal(b, "detail", len(b.view(h.Key).Attempts[0].Detail) <= 1000, true)
}

func caseMixedOutcomes(b *storeBench) {
	kinds := []message.OutcomeKind{
		message.OutcomeSent, message.OutcomeRetry, message.OutcomeFailed, message.OutcomeUnknown, message.OutcomeSent,
	}
	want := []message.Status{
		message.StatusSent, message.StatusQueued, message.StatusFailed, message.StatusQueued, message.StatusSent,
	}
	var outcomes []message.Outcome
	for _, kind := range kinds {
		outcomes = append(outcomes, outcome(b.marked(), kind))
	}
	b.record(outcomes...)
	for i, o := range outcomes {
		b.status(o.Key, want[i])
		equal(b, "attempt", b.view(o.Key).Attempts[0].Outcome, kinds[i])
	}
	equal(b, "outbox", b.outbox(), 2)
}

func caseTwoHolders(b *storeBench) {
	slow := b.marked()
	b.clock.Advance(StoreLease + slack)
	b.sweepLeases()
	b.clock.Advance(time.Minute)
	second := b.claim(b.publish()[0])
	b.record(outcome(second, message.OutcomeRetry), outcome(slow, message.OutcomeSent))
	b.status(slow.Key, message.StatusSent)
	equal(b, "attempts", len(b.view(slow.Key).Attempts), 2)
}
