package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Message reads a message of the tenant as it is sent, with its content and the
// bytes of its attachments. One that the tenant does not have is
// message.ErrNotFound.
func (s *Store) Message(ctx context.Context, tenant int64, id uuid.UUID) (*message.Message, error) {
	var m message.Message
	err := s.snapshot(ctx, "read what is sent", func(ctx context.Context, t *txn) error {
		view, err := t.emailOf(ctx, tenant, id)
		if err != nil {
			return err
		}
		m = view.Message
		return t.attachments(ctx, map[uuid.UUID]*message.Message{id: &m}, true)
	})
	if err != nil {
		return nil, err
	}
	return &m, nil
}
