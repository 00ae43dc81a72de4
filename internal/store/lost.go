package store

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// lostAfter is how long a copy must have been with the broker before any
// evidence can count against it, in milliseconds.
const lostAfter = 20_000

// SweepLost publishes again what the broker evidently lost: queued, published
// more than 20 s ago, and published before emptySince or 20 s before something
// of the lane that was already claimed.
func (s *Store) SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (int, error) {
	var n int
	err := s.tx(ctx, "sweep lost copies", func(ctx context.Context, t *txn) error {
		n = 0
		before, err := t.overtaken(ctx, lane)
		if before = max(before, unixMillis(emptySince)); err != nil || before == 0 {
			return err
		}
		n, err = t.republish(ctx, `lane=$1 AND published_at IS NOT NULL AND published_at<$2
			AND published_at<`+t.clock()+`-$3`, []any{lane, before, lostAfter}, limit)
		return err
	})
	return n, err
}

// overtaken is the time before which a copy of the lane has been overtaken; 0:
// nothing was claimed yet.
func (t *txn) overtaken(ctx context.Context, lane message.Lane) (int64, error) {
	var mark int64
	err := t.row(ctx, `SELECT COALESCE(MAX(claimed_mark), 0) FROM lanes WHERE lane=$1 AND claimed_mark<=`+t.clock(), []any{lane}, &mark)
	return max(mark-lostAfter, 0), err
}

// republish moves up to limit queued deliveries that the guard selects to the
// outbox, due now.
func (t *txn) republish(ctx context.Context, guard string, args []any, limit int) (int, error) {
	refs, err := t.lockQueued(ctx, guard+` ORDER BY published_at, message_id, n`, args, limit)
	if err != nil {
		return 0, err
	}
	var queued outboxRows
	err = t.each(ctx, refList(refs), `UPDATE deliveries SET `+t.toOutbox(t.clock())+` FROM v WHERE `+queuedAs+`
		RETURNING `+outboxColumns, queued.scan)
	if err != nil {
		return 0, err
	}
	t.rings(queued)
	return len(queued.rows), t.insertOutbox(ctx, queued)
}

// lockQueued finds up to limit queued deliveries by index and locks them,
// passing over those that others hold. What the guard said of them holds until
// the transaction ends; the UPDATE then goes by their keys alone, which keeps a
// planner from going through the index again for each of them.
func (t *txn) lockQueued(ctx context.Context, guard string, args []any, limit int) ([]message.Ref, error) {
	var refs []message.Ref
	query := `SELECT message_id, n, dispatch FROM deliveries WHERE status='queued' AND ` + guard +
		` LIMIT ` + ordinal(len(args)+1) + t.skipLocked
	err := t.rows(ctx, query, append(args[:len(args):len(args)], limit), func(rows row) error {
		var ref message.Ref
		err := rows.Scan(&ref.MessageID, &ref.N, &ref.Dispatch)
		refs = append(refs, ref)
		return err
	})
	return refs, err
}
