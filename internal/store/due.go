package store

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

// Due returns the lanes of which a row of the outbox is due, those included that
// a relay holds. It locks nothing and is one statement for all of them, of which
// each part takes the first row of its index.
func (s *Store) Due(ctx context.Context) ([]message.Lane, error) {
	var due []message.Lane
	err := s.read(ctx, "look for due mail", func(ctx context.Context, t *txn) error {
		all := message.Lanes()
		query, args, found, dest := `SELECT `, []any{message.ChannelEmail}, make([]bool, len(all)), make([]any, len(all))
		for i, lane := range all {
			query += []string{"", ", "}[min(i, 1)] + `COALESCE((SELECT MIN(due_at) FROM outbox
				WHERE channel=$1 AND lane=` + ordinal(i+2) + `)<=` + t.clock() + `, FALSE)`
			args, dest[i] = append(args, lane), &found[i]
		}
		if err := t.row(ctx, query, args, dest...); err != nil {
			return err
		}
		due = nil
		for i, lane := range all {
			if found[i] {
				due = append(due, lane)
			}
		}
		return nil
	})
	return due, err
}
