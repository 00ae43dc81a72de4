package store

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

// Hold locks a delivery as a step does and runs while before it gives it free.
func (s *Store) Hold(ctx context.Context, key message.Key, while func()) error {
	return s.once(ctx, s.writer, false, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `SELECT 1 FROM deliveries WHERE message_id=$1 AND n=$2 FOR UPDATE`, key.MessageID, key.N)
		if err == nil {
			while()
		}
		return err
	})
}
