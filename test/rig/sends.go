package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/postrider/postrider/internal/message"
)

// InFlight counts the sends that a member's process has marked and not settled: those
// whose final dot may have gone out without the outcome being written. Asked right
// after a kill or a stop, before the sweep and before another process takes the
// member's place, it is how many outcomes that can have lost. Marks are committed
// before the dot, so it misses none.
func (s *Stack) InFlight(ctx context.Context, pid int) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM deliveries WHERE status=$1 AND phase=$2
		AND (CAST(worker_id AS TEXT)=$3 OR $3='' AND worker_id IN (SELECT id FROM workers WHERE pid=$4))`,
		message.StatusSending, message.PhaseData, s.workerID(pid), pid).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count sends in flight: %w", err)
	}
	return n, nil
}

// workerID is what the process calls itself in its log; "" where it does not say, as
// older programs do not. The table of workers is not asked: a process that found the
// database away at its start is not in it yet.
func (s *Stack) workerID(pid int) string {
	s.mu.Lock()
	log := s.started[pid]
	s.mu.Unlock()
	content, err := os.ReadFile(log)
	if err != nil {
		return ""
	}
	first, _, _ := bytes.Cut(content, []byte("\n"))
	var line struct {
		WorkerID string `json:"worker_id"`
	}
	_ = json.Unmarshal(first, &line) // what is no such line says nothing
	return line.WorkerID
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
