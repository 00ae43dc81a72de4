package memory

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Message reads a message of the tenant as it is sent, with its content and the
// bytes of its attachments. One that the tenant does not have is
// message.ErrNotFound.
func (s *Store) Message(ctx context.Context, tenant int64, id uuid.UUID) (*message.Message, error) {
	if err := s.begin(ctx, "read what is sent"); err != nil {
		return nil, err
	}
	defer s.db.mu.Unlock()
	kept, err := s.db.mail(tenant, id)
	if err != nil {
		return nil, err
	}
	m := *kept.message
	m.Attachments = slices.Clone(m.Attachments)
	return &m, nil
}
