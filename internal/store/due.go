package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Due returns the lanes of which a row of the outbox is due, those included that
// a relay holds, and in how long the first of another lane is; 0: none is to come. It
// locks nothing and is one statement for all of them, of which each part takes the
// first row of its index.
func (s *Store) Due(ctx context.Context) (due []message.Lane, next time.Duration, err error) {
	err = s.read(ctx, "look for due mail", func(ctx context.Context, t *txn) error {
		all := message.Lanes()
		query, args, left, dest := `SELECT `, []any{message.ChannelEmail}, make([]sql.NullInt64, len(all)), make([]any, len(all))
		for i, lane := range all {
			query += []string{"", ", "}[min(i, 1)] + `(SELECT MIN(due_at) FROM outbox
				WHERE channel=$1 AND lane=` + ordinal(i+2) + `)-` + t.clock()
			args, dest[i] = append(args, lane), &left[i]
		}
		if err := t.row(ctx, query, args, dest...); err != nil {
			return err
		}
		due, next = nil, 0
		for i, lane := range all {
			switch first := time.Duration(left[i].Int64) * time.Millisecond; {
			case !left[i].Valid:
			case first <= 0:
				due = append(due, lane)
			case next == 0 || first < next:
				next = first
			}
		}
		return nil
	})
	return due, next, err
}
