package memory

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Claim takes each delivery whose copy may have it. Of two bids for one delivery
// the first takes it.
func (s *Store) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	if len(bids) == 0 {
		return nil, nil
	}
	if err := s.begin(ctx, "claim"); err != nil {
		return nil, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	claims := make([]message.Claim, len(bids))
	for i, bid := range bids {
		d := s.db.delivery(bid.Key)
		switch {
		case d == nil:
			claims[i].State = message.ClaimMissing
		case !answered(bids[:i], claims, bid.Key):
			bid.Redelivered = redelivered(bids[i:], bid.Ref)
			claims[i] = s.claim(d, bid, now)
		}
	}
	return claims, nil
}

// answered reports whether an earlier bid of the call got the delivery. The bids
// of one call are judged by the row as it was before all of them: a twin must not
// take over, as redelivered, what the first has only just taken.
func answered(earlier []message.Bid, claims []message.Claim, k message.Key) bool {
	for i, b := range earlier {
		if b.Key == k && claims[i].State != message.ClaimNothing {
			return true
		}
	}
	return false
}

// redelivered: twin copies of one call bid together, and the first of them
// speaks for all.
func redelivered(bids []message.Bid, ref message.Ref) bool {
	for _, b := range bids {
		if b.Ref == ref && b.Redelivered {
			return true
		}
	}
	return false
}

func (s *Store) claim(d *message.Delivery, bid message.Bid, now time.Time) message.Claim {
	by := message.Claimant{Worker: s.worker.ID, Lease: s.db.cfg.Lease, Marking: s.db.cfg.Marking}
	next, state := d.ClaimFor(bid, by, now)
	s.db.put(d, next, now)
	if state != message.ClaimTaken {
		return message.Claim{State: state}
	}
	s.see(d.Lane, d.PublishedAt)
	m := s.db.byID[d.MessageID].message
	due := m.CreatedAt
	if m.ScheduledAt.After(due) {
		due = m.ScheduledAt
	}
	return message.Claim{State: state, Work: &message.Work{
		Held: message.Held{Key: d.Key, Claim: d.Claim}, Dispatch: d.Dispatch, Lane: d.Lane, Channel: d.Channel,
		Address: d.Address, Attempts: d.Attempts, UnknownOutcomes: d.UnknownOutcomes,
		Marked: d.Phase == message.PhaseData, DueAt: due, ClaimedAt: now, Message: m,
	}}
}

// see keeps, by lane, the newest publication of which this process claimed a
// copy; zero where the worker was faster than the relay's commit.
func (s *Store) see(lane message.Lane, published time.Time) {
	if !published.After(s.seen[lane]) {
		return
	}
	if s.seen == nil {
		s.seen = map[message.Lane]time.Time{}
	}
	s.seen[lane] = published
}

// Renew prolongs leases and publishes what this process keeps per lane. False
// means that the claim is no longer the holder's.
func (s *Store) Renew(ctx context.Context, held []message.Held) ([]bool, error) {
	return s.hold(ctx, "renew", held, func(d message.Delivery, h message.Held, now time.Time) (message.Delivery, bool) {
		return d.Renew(h, now, s.db.cfg.Lease)
	}, s.flush)
}

// flush writes the marks. They never go back, unless the one there lies ahead of
// the clock, which was then set back: it would call everything overtaken until
// its time comes.
func (s *Store) flush(now time.Time) {
	for lane, published := range s.seen {
		if mark := s.db.marks[lane]; mark.Before(published) || mark.After(now) {
			s.db.marks[lane] = published
		}
	}
	clear(s.seen)
}

// Mark is the holder's last step before the final dot. False means refused.
func (s *Store) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	return s.hold(ctx, "mark", held, func(d message.Delivery, h message.Held, now time.Time) (message.Delivery, bool) {
		return d.Mark(h, now, s.db.cfg.Lease)
	}, func(time.Time) {})
}

// hold does a step that the holder alone may do, says where it was done, and
// ends with what comes after all of them.
func (s *Store) hold(ctx context.Context, op string, held []message.Held,
	step func(message.Delivery, message.Held, time.Time) (message.Delivery, bool), last func(time.Time),
) ([]bool, error) {
	if err := s.begin(ctx, op); err != nil {
		return nil, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	done := make([]bool, len(held))
	for i, h := range held {
		if d := s.db.delivery(h.Key); d != nil {
			*d, done[i] = step(*d, h, now)
		}
	}
	last(now)
	return done, nil
}
