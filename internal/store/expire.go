package store

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

// SweepExpired fails up to limit queued deliveries past their time, returns how
// many those were, and forgets idempotency keys past theirs.
func (s *Store) SweepExpired(ctx context.Context, limit int) (int, error) {
	if err := s.forgetKeys(ctx); err != nil {
		return 0, err
	}
	var expired []message.Key
	err := s.tx(ctx, "expire", func(ctx context.Context, t *txn) error {
		expired = nil
		refs, err := t.lockQueued(ctx, `expires_at IS NOT NULL AND `+t.expired()+` ORDER BY expires_at, message_id, n`, nil, limit)
		if err != nil {
			return err
		}
		err = t.each(ctx, refList(refs), `UPDATE deliveries SET `+t.ended(`'failed'`, `'expired'`)+` FROM v
			WHERE `+queuedAs+` RETURNING message_id, n`, func(rows row) error {
			var k message.Key
			err := rows.Scan(&k.MessageID, &k.N)
			expired = append(expired, k)
			return err
		})
		if err != nil {
			return err
		}
		return t.dropOutbox(ctx, expired)
	})
	return len(expired), err
}
