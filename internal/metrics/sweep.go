package metrics

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/sweep"
)

// Kinds of repairs, as labels.
const (
	sweptRequeued = "requeued"
	sweptUnknown  = "unknown"
	sweptPoison   = "poison"
	sweptLost     = "lost_copy"
	sweptExpired  = "expired"
)

type sweepStore struct {
	sweep.Store
	m *Metrics
}

// SweepStore counts what next repairs.
func (m *Metrics) SweepStore(next sweep.Store) sweep.Store { return sweepStore{next, m} }

// SweepLeases implements sweep.Store.
func (s sweepStore) SweepLeases(ctx context.Context, asOf time.Time, limit int, spread time.Duration) (message.Swept, error) {
	swept, err := s.Store.SweepLeases(ctx, asOf, limit, spread)
	s.m.repaired(sweptRequeued, swept.Requeued)
	s.m.repaired(sweptUnknown, swept.Unknown)
	s.m.repaired(sweptPoison, swept.Poison)
	s.m.failed.WithLabelValues(string(message.ReasonPoison)).Add(float64(swept.Poison))
	return swept, err
}

// SweepLost implements sweep.Store.
func (s sweepStore) SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (int, error) {
	n, err := s.Store.SweepLost(ctx, lane, emptySince, limit)
	s.m.repaired(sweptLost, n)
	return n, err
}

// SweepExpired implements sweep.Store.
func (s sweepStore) SweepExpired(ctx context.Context, limit int) (int, error) {
	n, err := s.Store.SweepExpired(ctx, limit)
	s.m.repaired(sweptExpired, n)
	s.m.failed.WithLabelValues(string(message.ReasonExpired)).Add(float64(n))
	return n, err
}

func (m *Metrics) repaired(kind string, n int) { m.swept.WithLabelValues(kind).Add(float64(n)) }
