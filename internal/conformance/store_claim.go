package conformance

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func claimCases() []storeCase {
	return []storeCase{
		{"a claim takes the delivery and reads its content", caseClaim},
		{"two bids for one delivery in one call: one wins", caseTwinBids},
		{"two copies at two workers: one wins", caseTwinWorkers},
		{"a copy with an older or newer number takes nothing", caseStaleCopy},
		{"a number proves that it is due: no clock is asked again", caseClaimIgnoresDue},
		{"a live claim is not taken over", caseLiveClaim},
		{"a redelivered copy takes over before the mark, and only once", caseTakeOver},
		{"nothing takes over a marked claim", caseMarkedClaim},
		{"a claim whose lease is over is taken over before the mark", caseLeaseOver},
		{"expired mail is failed by the claim", caseExpiredAtClaim},
		{"an unknown delivery is told from one that is taken", caseMissing},
		{"ended deliveries are not claimed", caseEndedNotClaimed},
		{"many bids of many messages in one call", caseManyBids},
		{"renewing keeps a lease, and tells a claim that is gone", caseRenew},
		{"a mark is refused after cancel, expiry, a sweep or another's claim", caseMarkRefused},
		{"a mark may be repeated and prolongs the lease", caseMarkRepeated},
	}
}

func caseClaim(b *storeBench) {
	s := draft(2)
	b.check(b.store.Accept(b.Context(), []message.Submission{s})[0].Err)
	refs := b.publish()
	claims := b.bid(message.Bid{Ref: refs[0]}, message.Bid{Ref: refs[1]})
	for i, c := range claims {
		equal(b, "state", c.State, message.ClaimTaken)
		equal(b, "key", c.Work.Key, refs[i].Key)
		equal(b, "dispatch", c.Work.Dispatch, refs[i].Dispatch)
		equal(b, "claim", c.Work.Claim, 1)
		equal(b, "subject", c.Work.Message.Head.Subject, "Hello")
		equal(b, "lane", c.Work.Lane, message.LaneNormal)
		d := b.status(refs[i].Key, message.StatusSending)
		equal(b, "address", c.Work.Address, d.Address)
		equal(b, "lease", near(d.LeaseUntil, b.clock.Now().Add(StoreLease)), true)
		equal(b, "worker", d.WorkerID != uuid.Nil, true)
	}
	equal(b, "one message for both", claims[0].Work.Message == claims[1].Work.Message, true)
}

func caseTwinBids(b *storeBench) {
	ref := b.posted()
	claims := b.bid(message.Bid{Ref: ref}, message.Bid{Ref: ref}, message.Bid{Ref: ref, Redelivered: true})
	equal(b, "first", claims[0].State, message.ClaimTaken)
	equal(b, "second", claims[1], message.Claim{})
	equal(b, "third", claims[2], message.Claim{})
	equal(b, "claims", b.row(ref.Key).Claim, 1)
}

func caseTwinWorkers(b *storeBench) {
	ref := b.posted()
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			claims, err := b.store.Claim(b.Context(), []message.Bid{{Ref: ref}})
			if err != nil {
				b.Error(err)
			} else if claims[0].State == message.ClaimTaken {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	equal(b, "winners", wins.Load(), 1)
}

func caseStaleCopy(b *storeBench) {
	ref := b.posted()
	_, err := b.store.Reschedule(b.Context(), message.DefaultTenant, ref.MessageID, b.clock.Now())
	b.check(err)
	newer := ref
	newer.Dispatch = 3
	for _, c := range b.bid(message.Bid{Ref: ref, Redelivered: true}, message.Bid{Ref: newer}) {
		equal(b, "claim", c, message.Claim{})
	}
	b.status(ref.Key, message.StatusQueued)
}

func caseClaimIgnoresDue(b *storeBench) {
	ref := b.posted(b.scheduled(time.Second * 0))
	b.clock.Advance(-time.Hour) // the database's clock was set back
	b.claim(ref)
}

func caseLiveClaim(b *storeBench) {
	ref := b.posted()
	b.claim(ref)
	equal(b, "second claim", b.bid(message.Bid{Ref: ref})[0], message.Claim{})
	equal(b, "interrupted", b.row(ref.Key).Interrupted, 0)
}

func caseTakeOver(b *storeBench) {
	ref := b.posted(b.markedLater)
	first := b.claim(ref)
	again := message.Bid{Ref: ref, Redelivered: true}
	second := b.bid(again)[0]
	equal(b, "take-over", second.State, message.ClaimTaken)
	d := b.status(ref.Key, message.StatusSending)
	equal(b, "interrupted", d.Interrupted, 1)
	equal(b, "claim", d.Claim, 2)
	equal(b, "the first holder's mark", b.mark(first), false)
	equal(b, "a second take-over at once", b.bid(again)[0], message.Claim{})
	equal(b, "the second holder's mark", b.mark(second.Work.Held), true)
}

func caseMarkedClaim(b *storeBench) {
	h := b.marked()
	bid := message.Bid{Ref: message.Ref{Key: h.Key, Dispatch: 1}, Redelivered: true}
	equal(b, "at once", b.bid(bid)[0], message.Claim{})
	b.clock.Advance(StoreLease + slack)
	equal(b, "after the lease", b.bid(bid)[0], message.Claim{})
	b.status(h.Key, message.StatusSending)
}

func caseLeaseOver(b *storeBench) {
	ref := b.posted(b.markedLater)
	b.claim(ref)
	b.bid(message.Bid{Ref: ref, Redelivered: true})
	b.clock.Advance(StoreLease + slack)
	equal(b, "claim", b.claim(ref).Claim, 3)
	equal(b, "interrupted", b.row(ref.Key).Interrupted, 2)
}

func caseExpiredAtClaim(b *storeBench) {
	queued := b.posted(b.expiring(time.Minute))
	holding := b.posted(b.expiring(time.Minute), b.markedLater)
	b.claim(holding)
	live := b.posted()
	b.clock.Advance(2 * time.Minute)
	claims := b.bid(message.Bid{Ref: queued}, message.Bid{Ref: live}, message.Bid{Ref: holding}, message.Bid{Ref: queued})
	equal(b, "queued", claims[0].State, message.ClaimExpired)
	equal(b, "live", claims[1].State, message.ClaimTaken)
	equal(b, "taken over", claims[2].State, message.ClaimExpired)
	equal(b, "twin", claims[3].State, message.ClaimNothing)
	for _, ref := range []message.Ref{queued, holding} {
		equal(b, "reason", b.status(ref.Key, message.StatusFailed).Reason, message.ReasonExpired)
	}
}

func caseMissing(b *storeBench) {
	ref := b.posted()
	other := ref
	other.N = 7
	claims := b.bid(message.Bid{Ref: message.Ref{Key: message.Key{MessageID: uuid.New()}, Dispatch: 1}},
		message.Bid{Ref: other}, message.Bid{Ref: ref})
	equal(b, "no message", claims[0].State, message.ClaimMissing)
	equal(b, "no recipient", claims[1].State, message.ClaimMissing)
	equal(b, "there", claims[2].State, message.ClaimTaken)
}

func caseEndedNotClaimed(b *storeBench) {
	for _, kind := range []message.OutcomeKind{message.OutcomeSent, message.OutcomeFailed} {
		h := b.marked()
		b.record(outcome(h, kind))
		ref := message.Ref{Key: h.Key, Dispatch: 1}
		equal(b, string(kind), b.bid(message.Bid{Ref: ref, Redelivered: true})[0], message.Claim{})
	}
}

func caseManyBids(b *storeBench) {
	const messages, recipients = 30, 5
	var list []message.Submission
	for range messages {
		list = append(list, draft(recipients))
	}
	for _, a := range b.store.Accept(b.Context(), list) {
		b.check(a.Err)
	}
	b.clock.Advance(10 * time.Second) // what a slow machine takes to accept them
	var bids []message.Bid
	for refs := b.publish(); len(refs) > 0; refs = b.publish() {
		for _, ref := range refs {
			bids = append(bids, message.Bid{Ref: ref})
		}
	}
	equal(b, "bids", len(bids), messages*recipients)
	var held []message.Held
	for i, c := range b.bid(bids...) {
		equal(b, "state", c.State, message.ClaimTaken)
		equal(b, "key", c.Work.Key, bids[i].Key)
		equal(b, "message", c.Work.Message.ID, bids[i].MessageID)
		held = append(held, c.Work.Held)
	}
	marks, err := b.store.Mark(b.Context(), held)
	b.check(err)
	var outcomes []message.Outcome
	for i, h := range held {
		equal(b, "mark", marks[i], true)
		outcomes = append(outcomes, outcome(h, message.OutcomeSent))
	}
	b.record(outcomes...)
	b.status(held[messages*recipients-1].Key, message.StatusSent)
}

func caseRenew(b *storeBench) {
	h, gone := b.claimed(), b.claimed(b.markedLater)
	_, err := b.store.Cancel(b.Context(), message.DefaultTenant, gone.MessageID)
	b.check(err)
	b.clock.Advance(StoreLease - slack)
	renewed, err := b.store.Renew(b.Context(), []message.Held{h, gone})
	b.check(err)
	equal(b, "renewed", renewed, []bool{true, false})
	equal(b, "lease", near(b.row(h.Key).LeaseUntil, b.clock.Now().Add(StoreLease)), true)
	_, err = b.store.Renew(b.Context(), nil)
	b.check(err)
}

func caseMarkRefused(b *storeBench) {
	canceled := b.claimed(b.markedLater)
	_, err := b.store.Cancel(b.Context(), message.DefaultTenant, canceled.MessageID)
	b.check(err)
	equal(b, "after cancel", b.mark(canceled), false)

	swept := b.claimed()
	expired := b.claimed(b.expiring(10 * time.Second))
	b.clock.Advance(15 * time.Second)
	equal(b, "after expiry", b.mark(expired), false)
	b.clock.Advance(10 * time.Second)
	b.sweepLeases()
	equal(b, "after a sweep", b.mark(swept), false)
	b.clock.Advance(10 * time.Second)
	b.publish()
	b.claim(message.Ref{Key: swept.Key, Dispatch: 2})
	equal(b, "after another's claim", b.mark(swept), false)
}

func caseMarkRepeated(b *storeBench) {
	h := b.marked()
	b.clock.Advance(StoreLease - slack)
	equal(b, "again", b.mark(h), true)
	d := b.status(h.Key, message.StatusSending)
	equal(b, "phase", d.Phase, message.PhaseData)
	equal(b, "lease", near(d.LeaseUntil, b.clock.Now().Add(StoreLease)), true)
}
