package store

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// countMost bounds the counting of a backlog: more is more.
const countMost = 100_000

// Backlog tells of each lane how many rows its outbox holds, counted up to
// 100,000, how long the oldest due one has waited, and how long the oldest
// published delivery has waited for a worker.
func (s *Store) Backlog(ctx context.Context) ([]message.Backlog, error) {
	var all []message.Backlog
	err := s.snapshot(ctx, "read the backlog", func(ctx context.Context, t *txn) error {
		all = nil
		for _, lane := range message.Lanes() {
			b := message.Backlog{Lane: lane}
			var wait, unclaimed int64
			err := t.row(ctx, `SELECT
				(SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE channel=$1 AND lane=$2 LIMIT $3) AS counted),
				COALESCE(`+t.clock()+`-(SELECT MIN(due_at) FROM outbox WHERE channel=$1 AND lane=$2), 0),
				COALESCE(`+t.clock()+`-(SELECT MIN(published_at) FROM deliveries
					WHERE lane=$2 AND status='queued' AND published_at IS NOT NULL), 0)`,
				[]any{message.ChannelEmail, lane, countMost}, &b.Rows, &wait, &unclaimed)
			if err != nil {
				return err
			}
			b.OldestDue = time.Duration(max(wait, 0)) * time.Millisecond
			b.OldestUnclaimed = time.Duration(max(unclaimed, 0)) * time.Millisecond
			all = append(all, b)
		}
		return nil
	})
	return all, err
}
