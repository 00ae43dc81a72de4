package metrics

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/worker"
)

type workerStore struct {
	next worker.Store
	m    *Metrics
}

// WorkerStore counts claims, marks and outcomes. It belongs below what joins
// calls into batches, where every call is one transaction.
func (m *Metrics) WorkerStore(next worker.Store) worker.Store { return workerStore{next, m} }

// Claim implements worker.Store.
func (s workerStore) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	begun := time.Now()
	claims, err := s.next.Claim(ctx, bids)
	s.m.claimTook.Observe(time.Since(begun).Seconds())
	for _, c := range claims {
		s.m.claims.WithLabelValues(claimState(c.State)).Inc()
		if c.State == message.ClaimExpired {
			s.m.failed.WithLabelValues(string(message.ReasonExpired)).Inc()
		}
	}
	return claims, err
}

// Renew implements worker.Store. What it is called with is all that this
// process holds.
func (s workerStore) Renew(ctx context.Context, held []message.Held) ([]bool, error) {
	s.m.claimsHeld.Set(float64(len(held)))
	return s.next.Renew(ctx, held)
}

// Mark implements worker.Store.
func (s workerStore) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	granted, err := s.next.Mark(ctx, held)
	for _, ok := range granted {
		if !ok {
			s.m.marksRefused.Inc()
		}
	}
	return granted, err
}

// Record implements worker.Store. Outcomes that could not be written are
// counted when they are, as they are repeated until then.
func (s workerStore) Record(ctx context.Context, outcomes []message.Outcome) []error {
	answers := s.next.Record(ctx, outcomes)
	for i, err := range answers {
		if err == nil {
			s.m.ended(&outcomes[i])
		}
	}
	return answers
}

func (m *Metrics) ended(o *message.Outcome) {
	m.outcomes.WithLabelValues(string(o.Kind)).Inc()
	switch {
	case o.Kind == message.OutcomeSent:
		m.acceptToSent.Observe(o.Age.Seconds())
	case o.Kind == message.OutcomeFailed:
		m.failed.WithLabelValues(string(o.Reason)).Inc()
	case o.Exhausted:
		m.failed.WithLabelValues(string(message.ReasonExhausted)).Inc()
	}
}

type sender struct {
	worker.Sender
	m *Metrics
}

// Sender counts the deliveries that next is sending.
func (m *Metrics) Sender(next worker.Sender) worker.Sender { return sender{next, m} }

// Send implements worker.Sender.
func (s sender) Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	s.m.sending.Inc()
	defer s.m.sending.Dec()
	return s.Sender.Send(ctx, work, mark)
}

type deadLetters struct {
	next worker.DeadLetters
	m    *Metrics
}

// DeadLetters counts what next buries.
func (m *Metrics) DeadLetters(next worker.DeadLetters) worker.DeadLetters {
	return deadLetters{next, m}
}

// Bury implements worker.DeadLetters.
func (d deadLetters) Bury(ctx context.Context, letters []message.DeadLetter) error {
	err := d.next.Bury(ctx, letters)
	if err == nil {
		d.m.deadLetters.Add(float64(len(letters)))
	}
	return err
}

// claimStates are the labels of message.ClaimState, in its order.
func claimStates() []string { return []string{"nothing", "taken", "expired", "missing"} }

func claimState(s message.ClaimState) string {
	if names := claimStates(); int(s) >= 0 && int(s) < len(names) {
		return names[s]
	}
	return causeOther
}

func outcomeKinds() []string {
	return []string{
		string(message.OutcomeSent), string(message.OutcomeRetry), string(message.OutcomeFailed),
		string(message.OutcomeUnknown), string(message.OutcomeReleased),
	}
}

func reasons() []string {
	return []string{
		string(message.ReasonRejected), string(message.ReasonExhausted), string(message.ReasonExpired),
		string(message.ReasonRender), string(message.ReasonSMTPUTF8), string(message.ReasonInvalid),
		string(message.ReasonPolicy), string(message.ReasonPoison),
	}
}
