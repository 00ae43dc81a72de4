package store

import (
	"context"
)

// repairBatch is how many deliveries one transaction of a repair moves.
const repairBatch = 1000

// RepairAll is for the start of a program whose queue forgets on exit: all that
// was published goes back to the outbox, due now. A sole owner knows, besides,
// that no holder is alive, so that every claim ends as if its lease were over.
// It returns how many deliveries it moved.
func (s *Store) RepairAll(ctx context.Context, soleOwner bool) (int, error) {
	total, err := s.repairAll(ctx, func(ctx context.Context, t *txn) (int, error) {
		return t.republish(ctx, `published_at IS NOT NULL`, nil, repairBatch)
	})
	if err != nil || !soleOwner {
		return total, err
	}
	claims, err := s.repairAll(ctx, func(ctx context.Context, t *txn) (int, error) {
		swept, err := t.sweepHolders(ctx, `status='sending'`, repairBatch, 0)
		return swept.Total(), err
	})
	return total + claims, err
}

func (s *Store) repairAll(ctx context.Context, batch func(context.Context, *txn) (int, error)) (int, error) {
	for total := 0; ; {
		var n int
		err := s.tx(ctx, "repair", func(ctx context.Context, t *txn) (err error) {
			n, err = batch(ctx, t)
			return err
		})
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}
