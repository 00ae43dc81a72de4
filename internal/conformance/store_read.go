package conformance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func readCases() []storeCase {
	return []storeCase{
		{"pages go by id, both ways", casePages},
		{"a list by status finds every shown state", caseListByStatus},
		{"a list shows no other tenant's messages", caseListTenants},
		{"the backlog tells rows and the oldest due one", caseBacklog},
		{"the backlog tells what no worker has claimed", caseBacklogUnclaimed},
		{"the clock is the database's", caseClock},
		{"processes and dead letters are kept", caseHeartbeat},
		{"an ended context and a closed store are unavailable", caseUnavailable},
	}
}

func (b *storeBench) list(f message.Filter) ([]uuid.UUID, bool) {
	b.Helper()
	f.TenantID = message.DefaultTenant
	page, err := b.store.Emails(b.Context(), f)
	b.check(err)
	var ids []uuid.UUID
	for _, v := range page.Views {
		equal(b, "recipients", len(v.Deliveries), len(v.Message.Recipients()))
		ids = append(ids, v.Message.ID)
	}
	return ids, page.HasMore
}

func casePages(b *storeBench) {
	var ids []uuid.UUID
	for range 7 {
		ids = append(ids, b.post().MessageID)
	}
	slices.Reverse(ids)
	first, more := b.list(message.Filter{Limit: 3})
	equal(b, "first page", first, ids[:3])
	equal(b, "more", more, true)
	second, more := b.list(message.Filter{Limit: 3, After: first[2]})
	equal(b, "second page", second, ids[3:6])
	equal(b, "more", more, true)
	last, more := b.list(message.Filter{Limit: 3, After: second[2]})
	equal(b, "last page", last, ids[6:])
	equal(b, "more", more, false)
	back, more := b.list(message.Filter{Limit: 3, Before: last[0]})
	equal(b, "back", back, ids[3:6])
	equal(b, "more", more, true)
	exact, more := b.list(message.Filter{Limit: 7})
	equal(b, "all", exact, ids)
	equal(b, "more", more, false)
}

func caseListByStatus(b *storeBench) {
	want := map[message.Status]uuid.UUID{}
	add := func(s message.Status, k message.Key) { want[s] = k.MessageID }
	sent, failed, unknown, delayed := b.marked(), b.claimed(), b.marked(onHold), b.claimed()
	b.record(outcome(sent, message.OutcomeSent), outcome(failed, message.OutcomeFailed),
		outcome(unknown, message.OutcomeUnknown), outcome(delayed, message.OutcomeRetry, after(time.Hour)))
	add(message.StatusSent, sent.Key)
	add(message.StatusFailed, failed.Key)
	add(message.StatusUnknown, unknown.Key)
	add(message.StatusDelayed, delayed.Key)
	add(message.StatusSending, b.claimed().Key)
	canceled := b.post()
	_, err := b.store.Cancel(b.Context(), message.DefaultTenant, canceled.MessageID)
	b.check(err)
	add(message.StatusCanceled, canceled)
	add(message.StatusScheduled, b.post(b.scheduled(time.Hour)))
	add(message.StatusQueued, b.post())
	for status, id := range want {
		got, more := b.list(message.Filter{Limit: 10, Status: status})
		equal(b, "found "+string(status), got, []uuid.UUID{id})
		equal(b, "more", more, false)
	}
	got, _ := b.list(message.Filter{Limit: 10, Status: message.StatusSuppressed})
	equal(b, "suppressed", len(got), 0)
	none, _ := b.list(message.Filter{Limit: 10, Status: message.StatusFailed, After: want[message.StatusFailed]})
	equal(b, "beyond the cursor", len(none), 0)
}

func caseListTenants(b *storeBench) {
	tenants, err := b.store.EnsureTenants(b.Context(), []string{"acme"})
	b.check(err)
	b.check(b.store.Accept(b.Context(), []message.Submission{
		draft(1, func(s *message.Submission) { s.Message.TenantID = tenants["acme"] }),
	})[0].Err)
	mine := b.post().MessageID
	for _, status := range []message.Status{"", message.StatusQueued} {
		ids, _ := b.list(message.Filter{Limit: 10, Status: status})
		equal(b, "mine", ids, []uuid.UUID{mine})
	}
}

func caseBacklog(b *storeBench) {
	before := b.clock.Now()
	b.post(onLane(message.LaneLow))
	due := b.clock.Now() // at the latest: the clock has moved on by more than the call took
	b.clock.Advance(time.Minute)
	b.post(onLane(message.LaneLow))
	b.post(onLane(message.LaneHigh), b.scheduled(time.Hour))
	backlog, err := b.store.Backlog(b.Context())
	b.check(err)
	byLane := map[message.Lane]message.Backlog{}
	for _, l := range backlog {
		byLane[l.Lane] = l
	}
	equal(b, "lanes", len(byLane), len(message.Lanes()))
	equal(b, "low", byLane[message.LaneLow].Rows, 2)
	oldest, now := byLane[message.LaneLow].OldestDue, b.clock.Now()
	equal(b, "oldest", oldest >= now.Sub(due) && oldest < now.Sub(before)+slack, true)
	equal(b, "scheduled", byLane[message.LaneHigh], message.Backlog{Lane: message.LaneHigh, Rows: 1})
}

func caseBacklogUnclaimed(b *storeBench) {
	waits := func() time.Duration {
		backlog, err := b.store.Backlog(b.Context())
		b.check(err)
		var most time.Duration
		for _, l := range backlog {
			most = max(most, l.OldestUnclaimed)
		}
		return most
	}
	b.post()
	b.clock.Advance(time.Minute)
	equal(b, "before publication", waits(), 0)
	older, published := b.publish()[0], b.clock.Now()
	b.clock.Advance(time.Minute)
	newer := b.posted()
	equal(b, "published", (waits()-b.clock.Now().Sub(published)).Abs() < slack, true)
	b.claim(older)
	equal(b, "after the older was claimed", waits() < slack, true)
	b.claim(newer)
	equal(b, "after both were", waits(), 0)
}

func caseClock(b *storeBench) {
	first, err := b.store.Clock(b.Context())
	b.check(err)
	equal(b, "now", near(first.Now, b.clock.Now()), true)
	b.clock.Advance(time.Hour)
	second, err := b.store.Clock(b.Context())
	b.check(err)
	equal(b, "an hour later", near(second.Now, b.clock.Now()), true)
	equal(b, "epoch", second.Epoch == first.Epoch && first.Epoch != "", true)
}

func caseHeartbeat(b *storeBench) {
	p := process()
	b.check(b.store.Heartbeat(b.Context(), p))
	p.State = "draining"
	b.check(b.store.Heartbeat(b.Context(), p))
	b.check(b.store.Bury(b.Context(), []message.DeadLetter{
		{Queue: "postrider.email.normal", Reason: "not JSON\x00", Body: []byte("\xff\x00")}, {Queue: "q", Reason: "empty"},
	}))
}

func caseUnavailable(b *storeBench) {
	ref := b.posted()
	ended, cancel := context.WithCancel(b.Context())
	cancel()
	_, err := b.store.Claim(ended, []message.Bid{{Ref: ref}})
	equal(b, "ended context", errors.Is(err, message.ErrUnavailable), true)
	b.check(b.store.Close())
	b.check(b.store.Close())
	_, claim := b.store.Claim(b.Context(), []message.Bid{{Ref: ref}})
	record := b.store.Record(b.Context(), []message.Outcome{{Kind: message.OutcomeSent}})[0]
	accept := b.store.Accept(b.Context(), []message.Submission{draft(1)})[0].Err
	_, _, dispatch := b.store.Dispatch(b.Context(), message.LaneNormal, 1, nil)
	_, wait := b.store.Wait(b.Context())
	_, _, due := b.store.Due(b.Context())
	for _, err := range []error{claim, record, accept, dispatch, due, wait, b.store.Ping(b.Context())} {
		equal(b, "closed", errors.Is(err, message.ErrUnavailable), true)
	}
}
