package conformance

import (
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/message"
)

func modelCases() []storeCase {
	return []storeCase{{"random steps do to the rows what they do to the pure functions", caseModel}}
}

// Rounds and steps are bounded by hand: each step is a transaction or more.
const (
	modelRounds = 25
	modelSteps  = 25
)

// model drives one delivery in the database and its double in memory through
// the same steps.
type model struct {
	*storeBench
	t    *rapid.T
	d    message.Delivery
	held []message.Held
}

func caseModel(b *storeBench) {
	rounds, failed := 0, false
	rapid.Check(b.T, func(t *rapid.T) {
		if rounds++; rounds > modelRounds && !failed {
			return
		}
		passed := false
		defer func() { failed = failed || !passed }() // then it is repeated to find the shortest way there
		m := &model{storeBench: b, t: t}
		m.accept()
		for range rapid.IntRange(1, modelSteps).Draw(t, "steps") {
			names := []string{
				"relay", "claim", "claim", "mark", "mark", "record", "record", "renew", "sweep", "lost", "expire",
				"cancel", "reschedule", "retry", "time", "time",
			}
			m.step(rapid.SampledFrom(names).Draw(t, "step"))
		}
		passed = true
	})
}

func (m *model) accept() {
	var change []func(*message.Submission)
	if rapid.Bool().Draw(m.t, "hold") {
		change = append(change, onHold)
	}
	if rapid.IntRange(0, 3).Draw(m.t, "expires") == 0 {
		change = append(change, m.expiring(61*time.Second))
	}
	if rapid.IntRange(0, 3).Draw(m.t, "later") == 0 {
		change = append(change, m.scheduled(30*time.Second))
	}
	m.ticked = time.Now() // what the round before took is none of this one's time
	m.d = m.row(m.post(change...))
	if m.d.Status != message.StatusQueued || m.d.Dispatch != 1 {
		m.t.Fatalf("accepted as %+v", m.d)
	}
}

// step does one step to both and compares them.
func (m *model) step(name string) {
	next, ok := m.steps()[name](m.clock.Now())
	if !ok && next != m.d {
		m.t.Fatalf("%s: refused, and the double changed", name)
	}
	m.compare(name, next)
}

// double is a step done to both; it returns what the double says.
type double func(now time.Time) (message.Delivery, bool)

func (m *model) steps() map[string]double {
	return map[string]double{
		"relay": m.relay, "claim": m.claimBoth, "mark": m.markBoth, "renew": m.renewBoth, "record": m.recordBoth,
		"sweep": m.sweepBoth, "lost": m.lostBoth, "expire": m.expireBoth, "time": m.pass,
		"cancel": func(now time.Time) (message.Delivery, bool) {
			next, ok := m.d.Cancel(now)
			n, err := m.store.Cancel(m.Context(), message.DefaultTenant, m.d.MessageID)
			m.answer("cancel", err == nil && n == 1, ok)
			return next, ok
		},
		"reschedule": func(now time.Time) (message.Delivery, bool) {
			at := now.Add(30 * time.Second)
			next, ok := m.d.Reschedule(at)
			n, err := m.store.Reschedule(m.Context(), message.DefaultTenant, m.d.MessageID, at)
			m.answer("reschedule", err == nil && n == 1, ok)
			return next, ok
		},
		"retry": func(now time.Time) (message.Delivery, bool) {
			next, ok := m.d.ManualRetry(now)
			n, err := m.store.Retry(m.Context(), message.DefaultTenant, m.d.MessageID)
			m.answer("retry", err == nil && n == 1, ok)
			return next, ok
		},
	}
}

// pass lets time go by, never to near a boundary: calls take time of their own.
func (m *model) pass(time.Time) (message.Delivery, bool) {
	m.clock.Advance(time.Duration(rapid.SampledFrom([]int{8, 16, 24, 64}).Draw(m.t, "seconds")) * time.Second)
	return m.d, true
}

func (m *model) markBoth(now time.Time) (message.Delivery, bool) {
	h, there := m.anyHolder()
	if !there {
		return m.d, false
	}
	next, ok := m.d.Mark(h, now, StoreLease)
	m.answer("mark", m.mark(h), ok)
	return next, ok
}

func (m *model) renewBoth(now time.Time) (message.Delivery, bool) {
	h, there := m.anyHolder()
	if !there {
		return m.d, false
	}
	next, ok := m.d.Renew(h, now, StoreLease)
	got, err := m.store.Renew(m.Context(), []message.Held{h})
	m.answer("renew", err == nil && got[0], ok)
	return next, ok
}

// The sweeps see deliveries of earlier rounds too, so that only the row itself
// tells what became of this one.

func (m *model) sweepBoth(now time.Time) (message.Delivery, bool) {
	_, err := m.store.SweepLeases(m.Context(), m.clock.Now(), 1000, 0)
	m.check(err)
	return m.d.SweepLease(now, 0)
}

func (m *model) lostBoth(now time.Time) (message.Delivery, bool) {
	_, err := m.store.SweepLost(m.Context(), m.d.Lane, now, 1000)
	m.check(err)
	if m.d.PublishedAt.After(now.Add(-20 * time.Second)) {
		return m.d, false
	}
	return m.d.SweepLost(now)
}

func (m *model) expireBoth(now time.Time) (message.Delivery, bool) {
	_, err := m.store.SweepExpired(m.Context(), 1000)
	m.check(err)
	return m.d.Expire(now)
}

func (m *model) answer(step string, got, want bool) {
	if got != want {
		m.t.Fatalf("%s: the store says %v, the double %v; row %+v", step, got, want, m.d)
	}
}

func (m *model) anyHolder() (message.Held, bool) {
	if len(m.held) == 0 {
		return message.Held{}, false
	}
	return rapid.SampledFrom(m.held).Draw(m.t, "holder"), true
}

// relay publishes what is due, and in the double the delivery if it is.
func (m *model) relay(now time.Time) (message.Delivery, bool) {
	refs := m.publishDue()
	current := message.Ref{Key: m.d.Key, Dispatch: m.d.Dispatch}
	for _, ref := range refs {
		if ref == current {
			if m.d.NextAttemptAt.After(now.Add(slack)) {
				m.t.Fatalf("published before its time: %+v", m.d)
			}
			return m.d.Published(ref, now)
		}
	}
	if m.d.Status == message.StatusQueued && m.d.PublishedAt.IsZero() && m.d.NextAttemptAt.Before(now.Add(-time.Second)) {
		m.t.Fatalf("due, queued and not in the outbox: %+v", m.d)
	}
	return m.d, false
}

func (m *model) claimBoth(now time.Time) (message.Delivery, bool) {
	bid := message.Bid{
		Ref:         message.Ref{Key: m.d.Key, Dispatch: m.d.Dispatch - int32(rapid.IntRange(0, 3).Draw(m.t, "older")/3)},
		Redelivered: rapid.Bool().Draw(m.t, "redelivered"),
	}
	claims, err := m.store.Claim(m.Context(), []message.Bid{bid})
	m.check(err)
	got := claims[0]
	row := m.row(m.d.Key)
	next, want := m.d.ClaimFor(bid, message.Claimant{Worker: row.WorkerID, Lease: StoreLease, Marking: m.fixture.marking}, now)
	m.answer(fmt.Sprintf("claim %v for %v", got.State, want), got.State == want, true)
	if want == message.ClaimTaken {
		m.answer("claim number", got.Work.Held == message.Held{Key: m.d.Key, Claim: next.Claim}, true)
		m.answer("marked", got.Work.Marked, next.Phase == message.PhaseData)
		m.held = append(m.held, got.Work.Held)
	}
	return next, want != message.ClaimNothing
}

func (m *model) recordBoth(now time.Time) (message.Delivery, bool) {
	h, there := m.anyHolder()
	if !there {
		return m.d, false
	}
	o := outcome(h, rapid.SampledFrom([]message.OutcomeKind{
		message.OutcomeSent, message.OutcomeRetry, message.OutcomeRetry, message.OutcomeFailed,
		message.OutcomeUnknown, message.OutcomeUnknown, message.OutcomeReleased,
	}).Draw(m.t, "outcome"))
	o.Reason = message.ReasonPolicy
	o.Attempt.RemoteID = "id"
	o.After = time.Duration(rapid.SampledFrom([]int{0, 10, 30}).Draw(m.t, "after")) * time.Second
	o.Exhausted = rapid.IntRange(0, 5).Draw(m.t, "exhausted") == 0
	o.NoDot = o.Kind == message.OutcomeReleased && rapid.Bool().Draw(m.t, "no dot")
	m.check(errors.Join(m.store.Record(m.Context(), []message.Outcome{o})...))
	return m.d.Record(o, now)
}

// compare reads the row and holds it against the double, times to the second.
func (m *model) compare(step string, want message.Delivery) {
	got := m.row(m.d.Key)
	times := func(d *message.Delivery) []*time.Time {
		return []*time.Time{&d.LeaseUntil, &d.PublishedAt, &d.NextAttemptAt, &d.FinishedAt, &d.ExpiresAt}
	}
	exact, a, b := got, times(&got), times(&want)
	for i := range a {
		if near(*a[i], *b[i]) {
			*b[i] = *a[i]
		}
	}
	if got != want {
		m.t.Fatalf("%s:\n was %+v\n got %+v\nwant %+v", step, m.d, got, want)
	}
	m.d = exact
}
