package store

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

// Heartbeat notes that a process is alive and in which state.
func (s *Store) Heartbeat(ctx context.Context, p message.Process) error {
	return s.single(ctx, "heartbeat", func(ctx context.Context, t *txn) error {
		now := t.clock()
		_, err := t.exec(ctx, `
			INSERT INTO workers (id, program, host, pid, version, started_at, seen_at, state)
			VALUES ($1, $2, $3, $4, $5, `+now+`, `+now+`, $6)
			ON CONFLICT (id) DO UPDATE SET seen_at=excluded.seen_at, state=excluded.state`,
			p.ID, p.Program, clean(p.Host, hostLimit), p.PID, p.Version, p.State)
		return err
	})
}
