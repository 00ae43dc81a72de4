package memory

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Cancel stops the recipients that can still be stopped and returns how many
// those were. A message the tenant does not have is message.ErrNotFound.
func (s *Store) Cancel(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return s.steer(ctx, "cancel", tenant, id, message.Delivery.Cancel)
}

// Retry starts anew the recipients that have ended otherwise than sent, and
// returns how many those were. What was unknown stays counted.
func (s *Store) Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return s.steer(ctx, "retry", tenant, id, message.Delivery.ManualRetry)
}

// Reschedule moves the queued recipients to another time, zero for at once, and
// returns how many those were.
func (s *Store) Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error) {
	return s.steer(ctx, "reschedule", tenant, id, func(d message.Delivery, now time.Time) (message.Delivery, bool) {
		if at.IsZero() {
			return d.Reschedule(now)
		}
		return d.Reschedule(cut(at))
	})
}

// steer does a step to those deliveries of a message that admit it, and brings
// the outbox into line with them.
func (s *Store) steer(ctx context.Context, op string, tenant int64, id uuid.UUID,
	step func(message.Delivery, time.Time) (message.Delivery, bool),
) (int, error) {
	if err := s.begin(ctx, op); err != nil {
		return 0, err
	}
	db := s.db
	defer db.mu.Unlock()
	m, err := db.mail(tenant, id)
	if err != nil {
		return 0, err
	}
	now, changed := db.now(), 0
	for i := range m.deliveries {
		d := &m.deliveries[i]
		if next, ok := step(*d, now); ok {
			db.put(d, next, now)
			db.drop(d)
			changed++
		}
	}
	return changed, nil
}
