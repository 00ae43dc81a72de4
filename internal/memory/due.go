package memory

import (
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Due returns the lanes of which a row of the outbox is due, those included that
// a relay holds, and in how long the first of another lane is; 0: none is to come.
func (s *Store) Due(ctx context.Context) (due []message.Lane, next time.Duration, err error) {
	if err := s.begin(ctx, "look for due mail"); err != nil {
		return nil, 0, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	for _, lane := range message.Lanes() {
		first := slices.IndexFunc(s.db.outbox, func(e entry) bool { return e.Lane == lane && e.Channel == message.ChannelEmail })
		if first < 0 {
			continue
		}
		switch left := s.db.outbox[first].DueAt.Sub(now); {
		case left <= 0:
			due = append(due, lane)
		case next == 0 || left < next:
			next = left
		}
	}
	return due, next, nil
}
