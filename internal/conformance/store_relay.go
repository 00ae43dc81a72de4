package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
)

func relayCases() []storeCase {
	return []storeCase{
		{"what is not due is not published", caseNotDue},
		{"the lanes that have due rows are known", caseDue},
		{"the oldest due row goes first, by lane and up to the limit", caseOldestFirst},
		{"only confirmed rows leave the outbox", caseOnlyConfirmed},
		{"a relay that fails leaves its rows", caseRelayFails},
		{"a copy of a delivery that went on notes nothing", caseRelayStale},
		{"rescheduled beside a relay, a delivery keeps its new time", caseRescheduleBesideRelay},
		{"a copy claimed before the relay's commit notes nothing", caseClaimedBeforeCommit},
		{"concurrent relays take each row once", caseConcurrentRelays},
		{"cancel beside a relay waits for nobody", caseCancelBesideRelay},
		{"a relay whose context ended settles what was confirmed", caseSettleAfterStop},
		{"a waiting relay hears of rows that became due, in another process too", caseWait},
	}
}

func caseNotDue(b *storeBench) {
	b.post(b.scheduled(time.Minute))
	called := false
	taken, confirmed, err := b.store.Dispatch(b.Context(), message.LaneNormal, 10, func(context.Context, []message.Ref) []error {
		called = true
		return nil
	})
	b.check(err)
	equal(b, "taken", taken+confirmed, 0)
	equal(b, "publish called", called, false)
	b.clock.Advance(time.Minute + time.Second)
	equal(b, "published", len(b.publish()), 1)
}

func caseDue(b *storeBench) {
	due := func(what string, next bool, want ...message.Lane) {
		b.Helper()
		got, left, err := b.store.Due(b.Context())
		b.check(err)
		equal(b, what, fmt.Sprint(got), fmt.Sprint(want))
		equal(b, what+": within half a minute and a minute more is", left > 30*time.Second && left <= time.Minute, next)
		if !next {
			equal(b, what+": more is in", left, 0)
		}
	}
	due("at first", false)
	b.post(b.scheduled(time.Hour))
	b.post(b.scheduled(time.Minute))
	due("nothing yet", true)
	b.post(onLane(message.LaneLow))
	b.post(onLane(message.LaneLow))
	due("one lane", true, message.LaneLow)
	b.clock.Advance(time.Minute + time.Second)
	due("two lanes", false, message.LaneNormal, message.LaneLow)
	b.publish()
	b.clock.Advance(58*time.Minute + 5*time.Second)
	due("without the lane that was published", true, message.LaneLow)
}

func caseOldestFirst(b *storeBench) {
	second := b.post(b.scheduled(20 * time.Second))
	first := b.post(b.scheduled(10 * time.Second))
	b.post(onLane(message.LaneLow))
	b.clock.Advance(time.Minute)
	b.post()
	var got []message.Ref
	_, _, err := b.store.Dispatch(b.Context(), message.LaneNormal, 2, func(_ context.Context, refs []message.Ref) []error {
		got = refs
		return make([]error, len(refs))
	})
	b.check(err)
	equal(b, "published", got, []message.Ref{{Key: first, Dispatch: 1}, {Key: second, Dispatch: 1}})
	equal(b, "left", b.outbox(), 2)
}

func caseOnlyConfirmed(b *storeBench) {
	keys := []message.Key{b.post(), b.post(), b.post()}
	taken, confirmed, err := b.store.Dispatch(b.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
		errs := make([]error, len(refs))
		for i, ref := range refs {
			if ref.Key != keys[1] {
				errs[i] = message.ErrNotConfirmed
			}
		}
		return errs
	})
	b.check(err)
	equal(b, "taken", taken, 3)
	equal(b, "confirmed", confirmed, 1)
	equal(b, "left", b.outbox(), 2)
	for i, k := range keys {
		equal(b, "published", !b.row(k).PublishedAt.IsZero(), i == 1)
	}
}

func caseRelayFails(b *storeBench) {
	k := b.post()
	_, confirmed, err := b.store.Dispatch(b.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
		return nil // a queue that answers less than it was asked
	})
	b.check(err)
	equal(b, "confirmed", confirmed, 0)
	equal(b, "left", b.outbox(), 1)
	equal(b, "published", b.row(k).PublishedAt.IsZero(), true)
}

// during runs f on another connection, while a relay is inside publish.
func (b *storeBench) during(f func()) {
	b.Helper()
	_, _, err := b.store.Dispatch(b.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
		f()
		return make([]error, len(refs))
	})
	b.check(err)
}

func caseRelayStale(b *storeBench) {
	k := b.post() // claimed before the relay's commit and refused: the older row is still there
	h := b.claim(message.Ref{Key: k, Dispatch: 1})
	b.record(outcome(h, message.OutcomeRetry, after(time.Hour)))
	equal(b, "published", b.publish(), []message.Ref{{Key: k, Dispatch: 1}})
	d := b.status(k, message.StatusQueued)
	equal(b, "at the broker", !d.PublishedAt.IsZero(), false)
	equal(b, "outbox", b.outbox(), 1)
}

func caseRescheduleBesideRelay(b *storeBench) {
	if !b.fixture.Shared {
		return // there is one writer at a time
	}
	k := b.post()
	b.during(func() {
		_, err := b.store.Reschedule(b.Context(), message.DefaultTenant, k.MessageID, b.clock.Now().Add(time.Hour))
		b.check(err)
	})
	d := b.status(k, message.StatusQueued)
	equal(b, "published", d.PublishedAt.IsZero(), true)
	equal(b, "dispatch", d.Dispatch, 2)
	equal(b, "outbox", b.outbox(), 1)
}

func caseClaimedBeforeCommit(b *storeBench) {
	if !b.fixture.Shared {
		h := b.claim(message.Ref{Key: b.post(), Dispatch: 1})
		b.publish()
		equal(b, "published", b.row(h.Key).PublishedAt.IsZero(), true)
		return
	}
	k := b.post()
	b.during(func() { b.claim(message.Ref{Key: k, Dispatch: 1}) })
	d := b.status(k, message.StatusSending)
	equal(b, "published", d.PublishedAt.IsZero(), true)
	equal(b, "outbox", b.outbox(), 0)
}

func caseConcurrentRelays(b *storeBench) {
	const rows, relays = 200, 4
	var list []message.Submission
	for range rows {
		list = append(list, draft(1))
	}
	for _, a := range b.store.Accept(b.Context(), list) {
		b.check(a.Err)
	}
	b.clock.Advance(10 * time.Second) // what a slow machine takes to accept them
	var mu sync.Mutex
	seen := map[message.Ref]int{}
	var wg sync.WaitGroup
	for range relays {
		wg.Go(func() {
			for {
				taken, _, err := b.store.Dispatch(b.Context(), message.LaneNormal, 7, func(_ context.Context, refs []message.Ref) []error {
					mu.Lock()
					defer mu.Unlock()
					for _, r := range refs {
						seen[r]++
					}
					return make([]error, len(refs))
				})
				if err != nil {
					b.Error(err)
				}
				if err != nil || taken == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	for len(b.publish()) > 0 { // the last rows may have been in another's hands
	}
	equal(b, "left", b.outbox(), 0)
	for ref, n := range seen {
		equal(b, "times published "+ref.MessageID.String(), n, 1)
	}
}

func caseCancelBesideRelay(b *storeBench) {
	if !b.fixture.Shared {
		return // there is one writer at a time
	}
	k := b.post()
	b.during(func() {
		n, err := b.store.Cancel(b.Context(), message.DefaultTenant, k.MessageID)
		b.check(err)
		equal(b, "canceled", n, 1)
	})
	d := b.status(k, message.StatusCanceled)
	equal(b, "published", d.PublishedAt.IsZero(), true)
	equal(b, "outbox", b.outbox(), 0)
}

func caseSettleAfterStop(b *storeBench) {
	k := b.post()
	ctx, cancel := context.WithCancel(b.Context())
	_, confirmed, err := b.store.Dispatch(ctx, message.LaneNormal, 10, func(ctx context.Context, refs []message.Ref) []error {
		cancel()
		equal(b, "publish is told", ctx.Err(), context.Canceled)
		return make([]error, len(refs))
	})
	b.check(err)
	equal(b, "confirmed", confirmed, 1)
	equal(b, "published", b.row(k).PublishedAt.IsZero(), false)
	_, _, err = b.store.Dispatch(ctx, message.LaneNormal, 10, nil)
	equal(b, "after the stop", errors.Is(err, context.Canceled), true)
}

func caseWait(b *storeBench) {
	worker := b
	if b.fixture.Shared {
		worker = b.another()
	}
	h := worker.claimed()
	type ring struct {
		lanes []message.Lane
		err   error
	}
	heard := make(chan ring, 100)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for ctx.Err() == nil {
			lanes, err := b.store.Wait(ctx)
			heard <- ring{lanes, err}
		}
	})
	for {
		worker.record(outcome(h, message.OutcomeReleased, noDot))
		select {
		case r := <-heard:
			b.check(r.err)
			if slices.Contains(r.lanes, message.LaneNormal) { // those of other tests ring too
				return
			}
		case <-time.After(200 * time.Millisecond): // it may miss one: another
			h = worker.claim(b.publish()[0])
		case <-ctx.Done():
			b.Fatal(ctx.Err())
		}
	}
}
