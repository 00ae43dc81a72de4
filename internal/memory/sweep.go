package memory

import (
	"context"
	"math"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// lostAfter is how long a copy must have been with the broker before any
// evidence can count against it.
const lostAfter = 20 * time.Second

// SweepLeases takes back up to limit deliveries whose lease is over, now and as
// of the given time, and spreads those that go back to the outbox.
func (s *Store) SweepLeases(ctx context.Context, asOf time.Time, limit int, spread time.Duration) (message.Swept, error) {
	if err := s.begin(ctx, "sweep leases"); err != nil {
		return message.Swept{}, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	return s.db.sweep(limit, spread, now, func(d *message.Delivery) bool { return d.LeaseOver(now) && d.LeaseOver(asOf) }), nil
}

// sweep ends the claims that the guard selects, as if their leases were over.
func (db *Database) sweep(limit int, spread time.Duration, now time.Time, guard func(*message.Delivery) bool) message.Swept {
	var swept message.Swept
	for _, d := range db.find(limit, leaseUntil, func(d *message.Delivery) bool {
		return d.Status == message.StatusSending && guard(d)
	}) {
		db.byID[d.MessageID].write(db.lastWords(d, now), now, false)
		after := time.Duration(db.cfg.Random(max(spread.Milliseconds(), 1))) * time.Millisecond
		ended := *d
		ended.LeaseUntil = time.Time{}
		next, _ := ended.SweepLease(now, after)
		db.put(d, next, now)
		switch next.Status {
		case message.StatusUnknown:
			swept.Unknown++
		case message.StatusFailed:
			swept.Poison++
		default:
			swept.Requeued++
		}
	}
	return swept
}

func leaseUntil(d *message.Delivery) time.Time { return d.LeaseUntil }

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// lastWords tell of a try whose holder could not.
func (db *Database) lastWords(d *message.Delivery, now time.Time) message.Attempt {
	a := message.Attempt{
		N: d.N, Claim: d.Claim, WorkerID: d.WorkerID, StartedAt: earlier(d.LeaseUntil.Add(-db.cfg.Lease), now),
		Outcome: message.OutcomeInterrupted, Detail: "the worker went away before the final dot: nothing was sent",
	}
	if d.Phase == message.PhaseData {
		a.Outcome, a.Detail = message.OutcomeUnknown, "the worker went away after its mark: the mail may have been sent"
	}
	return a
}

// SweepLost publishes again what the broker evidently lost: queued, published
// more than 20 s ago, and published before emptySince or 20 s before something
// of the lane that was already claimed.
func (s *Store) SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (int, error) {
	if err := s.begin(ctx, "sweep lost copies"); err != nil {
		return 0, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	before := cut(emptySince)
	// A mark of the future was set by a clock that was then set back.
	if mark := s.db.marks[lane]; !mark.After(now) && mark.Add(-lostAfter).After(before) {
		before = mark.Add(-lostAfter)
	}
	if old := now.Add(-lostAfter); old.Before(before) {
		before = old
	}
	return s.db.republish(limit, now, func(d *message.Delivery) bool {
		return d.Lane == lane && d.PublishedAt.Before(before)
	}), nil
}

// republish moves queued deliveries that are with the broker, as far as the guard
// selects them, to the outbox, due now.
func (db *Database) republish(limit int, now time.Time, guard func(*message.Delivery) bool) int {
	lost := db.find(limit, publishedAt, func(d *message.Delivery) bool {
		_, ok := d.SweepLost(now)
		return ok && guard(d)
	})
	for _, d := range lost {
		next, _ := d.SweepLost(now)
		db.put(d, next, now)
	}
	return len(lost)
}

func publishedAt(d *message.Delivery) time.Time { return d.PublishedAt }

// SweepExpired fails up to limit queued deliveries past their time, returns how
// many those were, and forgets idempotency keys past theirs.
func (s *Store) SweepExpired(ctx context.Context, limit int) (int, error) {
	if err := s.begin(ctx, "expire"); err != nil {
		return 0, err
	}
	db := s.db
	defer db.mu.Unlock()
	now := db.now()
	for id, known := range db.keys {
		if !known.expiresAt.After(now) {
			delete(db.keys, id)
		}
	}
	due := db.find(limit, expiresAt, func(d *message.Delivery) bool { _, ok := d.Expire(now); return ok })
	for _, d := range due {
		*d, _ = d.Expire(now)
		db.drop(d)
	}
	return len(due), nil
}

func expiresAt(d *message.Delivery) time.Time { return d.ExpiresAt }

// RepairAll is for the start of a program whose queue forgets on exit: all that
// was published goes back to the outbox, due now. A sole owner knows, besides,
// that no holder is alive, so that every claim ends as if its lease were over.
// It returns how many deliveries it moved.
func (s *Store) RepairAll(ctx context.Context, soleOwner bool) (int, error) {
	if err := s.begin(ctx, "repair"); err != nil {
		return 0, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	all := func(*message.Delivery) bool { return true }
	moved := s.db.republish(math.MaxInt, now, all)
	if soleOwner {
		moved += s.db.sweep(math.MaxInt, 0, now, all).Total()
	}
	return moved, nil
}
