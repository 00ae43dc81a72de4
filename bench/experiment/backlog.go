package experiment

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"

	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/postrider"
	"github.com/postrider/postrider/bench/result"
)

const (
	backlogAccepts = 5_000 // mails taken in while others wait
	backlogDrains  = 5_000 // of those that wait, the first
)

// Note says how mails come to wait, for reports.
const Note = "Mails that wait in an experiment were written into the tables by the database, as copies of one that was accepted."

// Backlog measures the taking in of mails while so many wait that no worker is there
// for, and then the sending of the first of them. Where none waits, nothing is sent.
func (g Ground) Backlog(ctx context.Context, waiting, round int) error {
	return g.with(ctx, round, asItIs, func(ctx context.Context, m *measure.Session, s *postrider.System) error {
		if err := s.Fill(ctx, m.Reserve(waiting), waiting, message.LaneNormal); err != nil {
			return err
		}
		accepts := min(backlogAccepts, g.Mails)
		if err := m.AcceptAs(ctx, measure.As(result.Backlog(waiting, "accept")), callers, accepts); err != nil {
			return err
		}
		if waiting > 0 {
			if err := m.DrainFirst(ctx, measure.As(result.Backlog(waiting, "drain")), backlogDrains); err != nil {
				return err
			}
		}
		m.NoteMemory(func(process string) string { return result.Memory(fmt.Sprintf("%s-behind-%d", process, waiting)) })
		return m.Rest(ctx)
	})
}

const (
	criticalRate   = 20 // mails a second
	criticalLength = 15 * time.Second
)

// Critical measures how long mails of the lane critical take while workers are at so
// many of the lane low.
func (g Ground) Critical(ctx context.Context, waiting int, length time.Duration) error {
	low := func(c *postrider.Config) {
		c.Env["POSTRIDER_CONSUMERS"] = fmt.Sprintf("critical:8,low:%d", c.Where.Workers)
	}
	return g.with(ctx, 1, low, func(ctx context.Context, m *measure.Session, s *postrider.System) error {
		if err := s.Fill(ctx, m.Reserve(waiting), waiting, message.LaneLow); err != nil {
			return err
		}
		name := func(what string) string { return result.Critical(waiting, what) }
		if err := m.Overtake(ctx, name, string(message.LaneCritical), criticalRate, min(length, criticalLength)); err != nil {
			return err
		}
		return m.Rest(ctx)
	})
}
