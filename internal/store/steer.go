package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Cancel stops the recipients that can still be stopped and returns how many
// those were. A message the tenant does not have is message.ErrNotFound.
func (s *Store) Cancel(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return s.steer(ctx, "cancel", tenant, id, func(t *txn) (string, []any) {
		return t.ended(`'canceled'`, `''`) + ` WHERE (status='queued' OR status='sending' AND phase=1)`, nil
	})
}

// Retry starts anew the recipients that have ended otherwise than sent, and
// returns how many those were. What was unknown stays counted. What is invalid was
// never fit to be sent: it stays as it is.
func (s *Store) Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return s.steer(ctx, "retry", tenant, id, func(t *txn) (string, []any) {
		return t.toOutbox(t.clock()) + `, attempts=0, interrupted=0 WHERE status IN ('failed', 'unknown', 'canceled') AND reason<>'invalid'`, nil
	})
}

// Reschedule moves the queued recipients to another time, zero for at once, and
// returns how many those were.
func (s *Store) Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error) {
	return s.steer(ctx, "reschedule", tenant, id, func(t *txn) (string, []any) {
		if at.IsZero() {
			return t.toOutbox(t.clock()) + ` WHERE status='queued'`, nil
		}
		return t.toOutbox(`$3`) + ` WHERE status='queued'`, []any{at.UnixMilli()}
	})
}

// steer changes those deliveries of a message that the statement's guard
// admits, and brings the outbox into line with them.
func (s *Store) steer(ctx context.Context, op string, tenant int64, id uuid.UUID, set func(*txn) (string, []any)) (int, error) {
	var changed []message.Key
	err := s.tx(ctx, op, func(ctx context.Context, t *txn) error {
		changed = nil
		known, err := t.lockMessage(ctx, tenant, id)
		if err != nil {
			return err
		}
		if known == 0 {
			return message.ErrNotFound
		}
		var queued outboxRows
		step, args := set(t)
		err = t.rows(ctx, `UPDATE deliveries SET `+step+` AND tenant_id=$1 AND message_id=$2
			RETURNING n, status, dispatch, channel, lane, COALESCE(next_attempt_at, 0)`,
			append([]any{tenant, id}, args...), func(rows row) error {
				var d message.Delivery
				var due int64
				err := rows.Scan(&d.N, &d.Status, &d.Dispatch, &d.Channel, &d.Lane, &due)
				changed = append(changed, message.Key{MessageID: id, N: d.N})
				if d.Status == message.StatusQueued {
					queued.rows = append(queued.rows, []any{id, d.N, d.Dispatch, tenant, d.Channel, d.Lane, due})
				}
				return err
			})
		if err != nil {
			return err
		}
		t.rings(queued)
		if err := t.dropOutbox(ctx, changed); err != nil {
			return err
		}
		return t.insertOutbox(ctx, queued)
	})
	return len(changed), err
}

// lockMessage locks the deliveries of a message in their order and returns how
// many there are.
func (t *txn) lockMessage(ctx context.Context, tenant int64, id uuid.UUID) (n int, err error) {
	err = t.rows(ctx, `SELECT n FROM deliveries WHERE tenant_id=$1 AND message_id=$2 ORDER BY n`+t.lockRows,
		[]any{tenant, id}, func(row) error { n++; return nil })
	return n, err
}
