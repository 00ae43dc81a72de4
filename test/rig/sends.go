package rig

import (
	"context"
	"fmt"

	"github.com/postrider/postrider/internal/message"
)

// InFlight counts the sends that a member's process has marked and not settled: those
// whose final dot may have gone out without the outcome being written. Asked right
// after a kill or a stop, before the sweep and before another process takes the
// member's place, it is how many outcomes that can have lost. Marks are committed
// before the dot, so it misses none. Those of a process that had not introduced itself
// yet are counted for any that is asked about.
func (s *Stack) InFlight(ctx context.Context, pid int) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM deliveries WHERE status=$1 AND phase=$2
		AND (worker_id IN (SELECT id FROM workers WHERE pid=$3)
			OR worker_id NOT IN (SELECT id FROM workers))`,
		message.StatusSending, message.PhaseData, pid).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count sends in flight: %w", err)
	}
	return n, nil
}

// Open counts the deliveries that are neither sent nor ended otherwise.
func (s *Stack) Open(ctx context.Context) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries WHERE status IN ($1,$2)`,
		message.StatusQueued, message.StatusSending).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count open deliveries: %w", err)
	}
	return n, nil
}
