package memory

import (
	"context"
	"slices"

	"github.com/postrider/postrider/internal/message"
)

// Due returns the lanes of which a row of the outbox is due, those included that
// a relay holds.
func (s *Store) Due(ctx context.Context) ([]message.Lane, error) {
	if err := s.begin(ctx, "look for due mail"); err != nil {
		return nil, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	return slices.DeleteFunc(message.Lanes(), func(lane message.Lane) bool {
		return !slices.ContainsFunc(s.db.outbox, func(e entry) bool {
			return e.Lane == lane && e.Channel == message.ChannelEmail && !e.DueAt.After(now)
		})
	}), nil
}
