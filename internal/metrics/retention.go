package metrics

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/retention"
)

func (m *Metrics) defineRetention() {
	m.purged = m.counter("purged_total", "Messages deleted since they were over for as long as they are kept.")
}

type retentionStore struct {
	retention.Store
	m *Metrics
}

// RetentionStore counts what next deletes.
func (m *Metrics) RetentionStore(next retention.Store) retention.Store {
	return retentionStore{next, m}
}

// Purge implements retention.Store.
func (s retentionStore) Purge(ctx context.Context, after uuid.UUID, keep time.Duration, limit int) (message.Purged, error) {
	p, err := s.Store.Purge(ctx, after, keep, limit)
	s.m.purged.Add(float64(p.Messages))
	return p, err
}
